"""Decides how files reach a local sandbox and leave it.

Paths are resolved by a file server inside; the data goes through descriptors it passes
out, so that neither side holds a large file in memory and no path of the sandbox is
ever resolved out here.
"""

from __future__ import annotations

import errno
import os
import posixpath
import socket
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import anyio
from anyio import to_thread

from sandbook.api import JSON, READ_LIMIT, SandboxRef, Stat, Transfer
from sandbook.errors import (
    ConnectionLost,
    ProviderError,
    TooLarge,
    UsageError,
)
from sandbook_local.file_channel import (
    Call,
    ChannelBroken,
    FileChannel,
    OpenFile,
    WriteRefused,
)
from sandbook_local.file_trees import download, upload

CHUNK = 1 << 20
_PIECE = 8 << 20
_CHANNELS = 32
_IDLE_CHANNELS = 4
_FIELDS = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Fill = Callable[[int], Awaitable[int]]
"""Writes to a descriptor and returns the bytes; may raise `WriteRefused`."""


class LocalFiles:
    """The files of one local sandbox; `open_channel` connects to a new file server.

    A path that cannot be had raises the fitting `FileError`. What goes wrong on this
    computer in `upload` and `download` is an ordinary `OSError` with its file name.
    """

    def __init__(
        self,
        open_channel: Callable[[], Awaitable[socket.socket]],
        *,
        ref: SandboxRef,
        home: str,
        workdir: str,
    ) -> None:
        self._open_channel = open_channel
        self._ref = ref
        self._home = home
        self._workdir = workdir
        self._idle: list[FileChannel] = []
        self._room = anyio.Semaphore(_CHANNELS)

    async def write(
        self, path: str, data: bytes | AsyncIterable[bytes], *, mode: int | None = None
    ) -> int:
        """Write a file whole or not at all, making its parents; returns its size.

        As with a shell's `>`, a link at `path` is followed, inside the sandbox, and a
        file that its user may not write is refused. Hard links to it are parted.
        """

        async def fill(file: int) -> int:
            if isinstance(data, bytes):
                return await _pour(file, data)
            size = 0
            async for piece in data:
                size += await _pour(file, piece)
            return size

        return await self.store(self.call("write", path), fill, mode=mode)

    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """Read a file; above `limit` bytes `TooLarge`, before any is transferred."""
        call = self.call("read", path)
        async with self.opened(call) as file:
            if file.size > limit:
                raise self._too_large(call, size=file.size, limit=limit)
            data = await _drain(file.descriptor, limit=limit)
        if len(data) > limit:  # it grew meanwhile
            raise self._too_large(call, size=len(data), limit=limit)
        return data

    def open(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Read a file piece by piece, `CHUNK` bytes at the most, however large."""
        return self._pieces(path)

    async def stat(self, path: str, *, follow: bool = False) -> Stat:
        """Describe an entry, or what a link points to."""
        call = self.call("stat", path)
        request: dict[str, JSON] = {"op": "stat", "path": path, "follow": follow}
        async with self._channel(call) as channel:
            reply = await channel.ask(call, request)
            return _stat(_fields(reply.get("entry")), path=self.absolute(path))

    async def list(self, path: str, *, depth: int = 1) -> AsyncGenerator[Stat]:
        """The entries of a folder, level by level, each folder sorted by name.

        A folder below that may not be read is an error: a short list would look whole.
        """
        if depth < 1:
            raise UsageError(f"depth is {depth!r}", remedy="a depth is 1 or more")
        call = self.call("list", path)
        request: dict[str, JSON] = {"op": "list", "path": path, "depth": depth}
        async with self._channel(call) as channel:
            reply = await channel.ask(call, request, settles=False)
            while True:
                is_last = reply.get("more") is not True
                page = _page(reply, root=self.absolute(path), depth=depth)
                channel.is_settled = is_last
                for entry in page:
                    yield entry
                if is_last:
                    return
                reply = await channel.next_reply(call, settles=False)

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, a link, an empty folder, or with `recursive` a full one."""
        await self._do(
            self.call("remove", path),
            {"op": "remove", "path": path, "recursive": recursive},
        )

    async def rename(self, old: str, new: str) -> None:
        """Move an entry, making the parents of `new`; a file there is replaced."""
        self.call("rename", new)
        await self._do(
            self.call("rename", old), {"op": "rename", "old": old, "new": new}
        )

    async def upload(self, local: Path, path: str) -> Transfer:
        """Copy a file or folder of this computer to exactly `path`.

        Relative links within the folder stay links; other links, FIFOs, sockets and
        devices are skipped. Raises `UsageError` when `local` itself is one of these.
        """
        return await upload(self, local, path)

    async def download(self, path: str, local: Path) -> Transfer:
        """Copy a file or folder to exactly `local`, making its parents.

        Links are treated as in `upload`; a folder there is added to. Holes of a file
        stay holes, so that a file of any size takes the room of its data only.
        """
        return await download(self, path, local)

    async def aclose(self) -> None:
        """Hang up on every file server; later calls open new channels."""
        while self._idle:
            self._idle.pop().close()

    async def store(self, call: Call, fill: Fill, *, mode: int | None = None) -> int:
        """Have `fill` write a file, which appears at `call.path` when it is whole."""
        request: dict[str, JSON] = {"op": "create", "path": call.path, "mode": mode}
        async with self._channel(call) as channel:
            _, file = await channel.ask_file(call, request, settles=False)
            try:
                size = await fill(file)
            except WriteRefused as refused:
                await channel.ask(call, {"op": "abort"})
                raise call.failed(refused.number) from refused
            finally:
                os.close(file)
            await channel.ask(call, {"op": "commit"})
        return size

    @asynccontextmanager
    async def opened(self, call: Call) -> AsyncGenerator[OpenFile]:
        """Open a file of the sandbox for reading, for as long as the block lasts."""
        request: dict[str, JSON] = {"op": "open", "path": call.path}
        async with self._channel(call) as channel:
            reply, descriptor = await channel.ask_file(call, request, settles=True)
        try:
            size = os.fstat(descriptor).st_size
            yield OpenFile(descriptor=descriptor, size=size, mode=_mode(reply))
        finally:
            os.close(descriptor)

    async def make_folder(self, call: Call) -> None:
        """Make a folder and its parents, unless it is there."""
        await self._do(call, {"op": "mkdirs", "path": call.path})

    async def make_link(self, call: Call, *, target: str) -> None:
        """Make a link, replacing a file or link that is there."""
        await self._do(call, {"op": "link", "path": call.path, "target": target})

    def call(self, operation: str, path: str) -> Call:
        """What errors of `operation` ("read", "upload") on `path` will say."""
        call = Call(operation=f"files.{operation}", path=path, ref=self._ref)
        if not path:
            raise call.failed(errno.ENOENT, sent="no")
        try:
            path.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise call.failed(errno.EINVAL, sent="no") from error
        return call

    async def _do(self, call: Call, request: Mapping[str, JSON]) -> None:
        async with self._channel(call) as channel:
            await channel.ask(call, request)

    @asynccontextmanager
    async def _pieces(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        async with self.opened(self.call("open", path)) as file:
            yield _chunks(file.descriptor)

    @asynccontextmanager
    async def _channel(self, call: Call) -> AsyncGenerator[FileChannel]:
        async with self._room:
            channel = await self._take()
            try:
                yield channel
            except ChannelBroken as broken:
                raise await self._lost(call, broken) from broken
            finally:
                self._give_back(channel)

    async def _take(self) -> FileChannel:
        while self._idle:
            channel = self._idle.pop()
            if not channel.has_ended():
                return channel
            channel.close()
        return FileChannel(await self._open_channel())

    def _give_back(self, channel: FileChannel) -> None:
        if channel.is_settled and len(self._idle) < _IDLE_CHANNELS:
            self._idle.append(channel)
        else:
            channel.close()

    async def _lost(self, call: Call, broken: ChannelBroken) -> ProviderError:
        # The client that opens channels knows whether the sandbox is still there.
        (await self._open_channel()).close()
        return ConnectionLost(
            f"the file server of the sandbox failed at {call.path!r}: {broken}",
            provider=self._ref.provider,
            operation=call.operation,
            ref=self._ref,
            sent="maybe",
            remedy="try again; the sandbox itself is still there",
        )

    def absolute(self, path: str) -> str:
        """A path as the sandbox means it: from its work folder, `~` its home."""
        if path == "~" or path.startswith("~/"):
            path = self._home + path[1:]
        parts = [p for p in posixpath.join(self._workdir, path).split("/") if p]
        return "/" + "/".join(part for part in parts if part != ".")

    def _too_large(self, call: Call, *, size: int, limit: int) -> TooLarge:
        return TooLarge(
            f"{call.path!r}: {size} bytes, the limit is {limit}",
            provider=self._ref.provider,
            operation=call.operation,
            ref=self._ref,
            remedy="read it piece by piece with open, or give a higher limit",
        )


async def _pour(file: int, data: bytes) -> int:
    rest = memoryview(data)
    while rest:
        rest = rest[await to_thread.run_sync(_write_some, file, rest[:_PIECE]) :]
    return len(data)


def _write_some(file: int, data: memoryview) -> int:
    try:
        return os.write(file, data)
    except OSError as error:
        raise WriteRefused(error.errno or errno.EIO) from error


async def _drain(file: int, *, limit: int) -> bytes:
    data = bytearray()
    while piece := await to_thread.run_sync(os.read, file, min(_PIECE, limit + 1)):
        data += piece
        if len(data) > limit:
            break
    return bytes(data)


async def _chunks(file: int) -> AsyncGenerator[bytes]:
    while piece := await to_thread.run_sync(os.read, file, CHUNK):
        yield piece


def _page(reply: Mapping[str, object], *, root: str, depth: int) -> tuple[Stat, ...]:
    return tuple(
        _stat(fields, path=posixpath.join(root, _checked_name(fields[0], depth=depth)))
        for fields in map(_fields, _items(reply.get("entries")))
    )


def _checked_name(name: object, *, depth: int) -> str:
    """A relative path that stays below the folder it was found in."""
    parts = _string(name).split("/")
    if len(parts) > depth or any(p in ("", ".", "..") or "\0" in p for p in parts):
        raise ChannelBroken(f"an entry named {name!r}")
    return "/".join(parts)


def _stat(fields: Sequence[object], *, path: str) -> Stat:
    _, kind, size, mode, modified, target = fields
    if kind not in ("file", "folder", "link", "other"):
        raise ChannelBroken(f"an entry of kind {kind!r}")
    return Stat(
        path=path,
        kind=kind,
        size=_integer(size, most=1 << 63),
        mode=_integer(mode, most=0o7777),
        modified_at=_instant(_integer(modified, least=-(1 << 70), most=1 << 70)),
        target=None if target is None else _string(target),
    )


def _mode(reply: Mapping[str, object]) -> int:
    mode = reply.get("mode")
    return mode & 0o777 if isinstance(mode, int) else 0o644


def _instant(nanoseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:  # a file may claim any year
        return datetime.max.replace(tzinfo=UTC) if nanoseconds > 0 else _EPOCH


def _items(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise ChannelBroken("a list that is none")
    return cast("list[object]", value)  # JSON says no more than this


def _fields(value: object) -> Sequence[object]:
    fields = _items(value)
    if len(fields) != _FIELDS:
        raise ChannelBroken("an entry without its six fields")
    return fields


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ChannelBroken(f"{value!r} where a text was due")
    return value


def _integer(value: object, *, least: int = 0, most: int) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise ChannelBroken(f"{value!r} where a number was due")
    return value
