"""Decides how a client hears of changes of files: from a program inside.

The files are in a mount namespace of the sandbox's own, and what its user may not see
is not to be heard of. The program ends with us: it reads from a pipe that only we hold
open.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NoReturn, get_args

import anyio

from sandbook.api import (
    ExecRequest,
    SandboxRef,
    WatchEvent,
    WatchKind,
    WatchRequest,
    pattern_regex,
)
from sandbook.errors import (
    AccessDenied,
    AtCapacity,
    ConnectionLost,
    FileError,
    FileMissing,
    NotAFolder,
    ProviderError,
)
from sandbook_local.inside import frames
from sandbook_local.inside.frames import Message
from sandbook_local.inside.plan import CODE
from sandbook_local.layout import base_executable
from sandbook_local.process import LocalProcess, Read

_END_TIMEOUT = 5.0
_KEPT = 1 << 20
_NO_WATCH_LEFT = (errno.EMFILE, errno.ENOSPC)
_ERRORS: dict[int, type[FileError]] = {
    errno.ENOENT: FileMissing,
    errno.ENOTDIR: NotAFolder,
    errno.EACCES: AccessDenied,
}
_KINDS: Mapping[str, WatchKind] = {kind: kind for kind in get_args(WatchKind)}

Start = Callable[[ExecRequest, int], Awaitable[LocalProcess]]
"""Starts a program that reads from a descriptor."""


@dataclass(slots=True, kw_only=True)
class LocalWatch:
    """A running watch; each event is told once, to whoever asks first."""

    path: str
    ref: SandboxRef
    process: LocalProcess
    ask: int
    """Descriptor of the program's stdin."""
    read: Read = field(init=False)
    _lines: list[bytes] = field(default_factory=list[bytes])
    _rest: bytes = b""
    _marks: list[anyio.Event] = field(default_factory=list[anyio.Event])
    _is_over: bool = False
    is_left: bool = False
    _at_rest: anyio.Event | None = None

    async def events(self) -> AsyncIterator[WatchEvent]:
        """The changes since the watch was entered, as they happen.

        They end when the watch is left.

        Raises:
            SandboxLost: The sandbox has ended.
            ConnectionLost: Something inside has ended the watch.
        """
        try:
            while not self.is_left:
                told = await self.next_line()
                if told is None:
                    return
                if "mark" not in told:
                    yield _event(told)
                elif self._marks:
                    self._marks.pop(0).set()
        except frames.ProtocolError:
            # Commands can write where the program writes: they have the same rights.
            self._give_up()
            self._broken("tells what is no event")
        except ProviderError:
            self._give_up()
            raise

    def _give_up(self) -> None:
        self._is_over = True
        while self._marks:
            self._marks.pop().set()

    async def catch_up(self) -> None:
        """Wait until what has happened so far was told; somebody must be reading.

        Where the watch has ended there is nothing to wait for: who reads hears of that.
        """
        if self._is_over:
            return
        mark = anyio.Event()
        with suppress(BrokenPipeError):
            os.write(self.ask, b"\n")
            self._marks.append(mark)
            await mark.wait()

    async def next_line(self) -> Message | None:
        """What the program says next; None when we left."""
        while not self._lines:
            self._at_rest = anyio.Event()
            try:
                data = await self.read()
            finally:
                self._at_rest.set()
            if data is not None:
                *lines, self._rest = (self._rest + data).split(b"\n")
                self._lines = lines[::-1]
            elif self.is_left:
                return None
            else:
                await self._ended()
        return frames.decode(self._lines.pop())

    async def leave(self) -> None:
        """Let the program end, and whoever still reads."""
        self.is_left = True
        os.close(self.ask)
        if self._at_rest is not None:
            await self._at_rest.wait()

    async def _ended(self) -> NoReturn:
        result = await self.process.wait()
        why = f": {result.limit}" if result.limit else ""
        self._broken(f"was ended from inside the sandbox{why}")

    def _broken(self, how: str) -> NoReturn:
        raise ConnectionLost(
            f"the watch of {self.path!r} {how}",
            provider=self.ref.provider,
            operation="watch",
            ref=self.ref,
            remedy="let commands leave alone what they did not start",
        )


@asynccontextmanager
async def watching(
    request: WatchRequest, path: str, *, ref: SandboxRef, start: Start
) -> AsyncGenerator[LocalWatch]:
    """Watch `path`, which is absolute, until the block is left."""
    reading, writing = os.pipe()
    try:
        program = (base_executable(), "-I", "-S", f"{CODE}/main.py", "watch")
        key = f"watch-{secrets.token_hex(8)}"
        wanted = ExecRequest(program=program, key=key, head=0, tail=_KEPT)
        process = await start(wanted, reading)
    except BaseException:
        os.close(writing)
        raise
    finally:
        os.close(reading)
    watch = LocalWatch(path=request.path, ref=ref, process=process, ask=writing)
    try:
        async with process.reading() as watch.read:
            try:
                os.write(writing, _order(request, path))
                _check(await watch.next_line(), request, ref)
                yield watch
            finally:
                await _leave(watch)
    finally:
        if not watch.is_left:
            os.close(writing)
        await _end(process)


async def _leave(watch: LocalWatch) -> None:
    with anyio.move_on_after(_END_TIMEOUT, shield=True):
        await watch.leave()


def _order(request: WatchRequest, path: str) -> bytes:
    order = {
        "path": path,
        "recursive": request.recursive,
        "ignore": [pattern_regex(pattern) for pattern in request.ignore],
    }
    return json.dumps(order).encode() + b"\n"


async def _end(process: LocalProcess) -> None:
    """See that the program is gone; it has heard that nobody listens."""
    with anyio.CancelScope(shield=True), suppress(ProviderError):
        with anyio.move_on_after(_END_TIMEOUT):
            await process.wait()
            return
        await process.signal("KILL")


def _check(told: Message | None, request: WatchRequest, ref: SandboxRef) -> None:
    """Raise what kept the watch from beginning."""
    if told is None or "errno" not in told:
        return
    number = frames.whole(told, "errno")
    if number in _NO_WATCH_LEFT:
        raise AtCapacity(
            f"{request.path!r} cannot be watched: its user has no watch left",
            provider=ref.provider,
            operation="watch",
            ref=ref,
            sent="yes",
            remedy="watch fewer folders, or raise the limits of this computer: `sudo "
            "sysctl fs.inotify.max_user_watches=524288 "
            "fs.inotify.max_user_instances=1024`",
        )
    error = _ERRORS.get(number, AccessDenied)(
        f"cannot watch {request.path!r}: {os.strerror(number).lower()}",
        provider=ref.provider,
        operation="watch",
        ref=ref,
        remedy="name a file or folder that is there",
    )
    error.errno, error.filename = number, request.path
    raise error


def _event(told: Message) -> WatchEvent:
    kind = _KINDS.get(frames.text(told, "kind"))
    if kind is None:
        raise frames.ProtocolError("an unknown kind of event")
    return WatchEvent(
        kind=kind,
        path=frames.text(told, "path"),
        was=frames.optional_text(told, "was"),
        at=datetime.fromtimestamp(frames.number(told, "at"), UTC),
    )
