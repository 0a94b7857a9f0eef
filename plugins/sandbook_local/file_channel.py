"""Decides what is believed of the file server inside a sandbox: nothing unchecked.

It runs as the sandbox's user, so a program in there can take it over. Replies are
bounded and typed here, passed descriptors must be ordinary files of an ordinary file
system, and every failure it reports is put in words of ours.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import anyio

from sandbook.api import JSON, SandboxRef
from sandbook.errors import (
    AccessDenied,
    FileError,
    FileMissing,
    IsAFolder,
    NoSpace,
    NotAFolder,
    Sent,
)
from sandbook_local.inside import frames

_LIMIT = 1 << 20

# Their "files" act on whoever reads or writes them, and that would be us.
_STRANGE_FILE_SYSTEMS = {
    0x9FA0: "proc",
    0x62656572: "sysfs",
    0x27E0EB: "cgroup",
    0x63677270: "cgroup2",
    0x64626720: "debugfs",
    0x74726163: "tracefs",
    0x73636673: "securityfs",
    0xCAFE4A11: "bpf",
    0x42494E4D: "binfmt_misc",
}

_FULL = (NoSpace, "the sandbox's disk is full")
_REFUSED = (AccessDenied, "the sandbox's user may not do that")
_FAILURES: Mapping[int, tuple[type[FileError], str]] = {
    errno.ENOENT: (FileMissing, "nothing is there"),
    errno.ENOTDIR: (NotAFolder, "not a folder"),
    errno.EISDIR: (IsAFolder, "a folder is there"),
    errno.EACCES: _REFUSED,
    errno.EPERM: _REFUSED,
    errno.EROFS: (AccessDenied, "that part of the sandbox is read-only"),
    errno.ENXIO: (AccessDenied, "not a regular file"),
    errno.ELOOP: (AccessDenied, "its links lead in a circle or into an open file"),
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.ENOTEMPTY: (FileError, "the folder is not empty"),
    errno.EEXIST: (FileError, "something is there already"),
    errno.EBUSY: (FileError, "the sandbox itself uses it"),
    errno.ENAMETOOLONG: (FileError, "the name is too long"),
    errno.EXDEV: (FileError, "a folder cannot be moved to another file system"),
    errno.EMFILE: (FileError, "the folder is too deep"),
    errno.EINVAL: (FileError, "not a path"),
}
_REMEDIES: Mapping[int, str] = {
    errno.ENOSPC: "remove files, or ask for more with `resources: {disk: ...}`",
    errno.EDQUOT: "remove files, or ask for more with `resources: {disk: ...}`",
    errno.ENOTEMPTY: "remove it recursively",
    errno.EXDEV: "move it with a command: `mv`",
}

_libc = ctypes.CDLL(None, use_errno=True)


class ChannelBroken(Exception):  # noqa: N818 (a state, never shown)
    """The file server hung up or broke the protocol; the channel is of no more use."""


class WriteRefused(Exception):  # noqa: N818 (becomes a FileError or an OSError)
    """The file being written took no more; `number` is the errno."""

    def __init__(self, number: int) -> None:
        super().__init__(os.strerror(number))
        self.number = number


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFile:
    """A file of the sandbox, open for reading; `size` as it was then."""

    descriptor: int
    size: int
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What errors say of an operation; `path` is as the caller wrote it."""

    operation: str
    path: str
    ref: SandboxRef

    def failed(self, number: int, *, sent: Sent = "yes") -> FileError:
        """The error for an errno, with its built-in attributes filled in."""
        kind, words = _FAILURES.get(number, (FileError, os.strerror(number)))
        error = kind(
            f"{self.path!r}: {words}",
            provider=self.ref.provider,
            operation=self.operation,
            ref=self.ref,
            sent=sent,
            remedy=_REMEDIES.get(number, ""),
        )
        error.errno = number
        error.strerror = words
        error.filename = self.path
        return error


class FileChannel:
    """One connection to a file server; one operation at a time.

    `is_settled` is false while an operation is under way: such a channel must be
    closed, not used again.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._reader = frames.Reader(limit=_LIMIT)
        self.is_settled = True

    async def ask(
        self, call: Call, request: Mapping[str, JSON], *, settles: bool = True
    ) -> Mapping[str, object]:
        """Send a request and wait for its reply; a reported failure is raised."""
        await self._start(call, request)
        return await self.next_reply(call, settles=settles)

    async def ask_file(
        self, call: Call, request: Mapping[str, JSON], *, settles: bool
    ) -> tuple[Mapping[str, object], int]:
        """Like `ask`, for a reply with a file; the caller closes its descriptor."""
        await self._start(call, request)
        frame = await self._reply(call, settles=settles, descriptors=1)
        try:
            refuse_strange_file(frame.descriptors[0])
        except ChannelBroken:
            frame.close()
            raise
        return frame.message, frame.descriptors[0]

    async def next_reply(self, call: Call, *, settles: bool) -> Mapping[str, object]:
        """Wait for a reply of the operation under way."""
        return (await self._reply(call, settles=settles, descriptors=0)).message

    async def _start(self, call: Call, request: Mapping[str, JSON]) -> None:
        packed = frames.pack(dict(request))
        if len(packed) > _LIMIT:
            raise call.failed(errno.ENAMETOOLONG, sent="no")
        self.is_settled = False
        await self._send(packed)

    async def _reply(
        self, call: Call, *, settles: bool, descriptors: int
    ) -> frames.Frame:
        frame = await self._receive()
        number = frame.message.get("error")
        if len(frame.descriptors) != (0 if number is not None else descriptors):
            frame.close()
            raise ChannelBroken("not the descriptors that were asked for")
        if number is None:
            self.is_settled = settles
            return frame
        if not isinstance(number, int) or number not in errno.errorcode:
            raise ChannelBroken(f"error {number!r}")
        self.is_settled = True
        raise call.failed(number)

    def has_ended(self) -> bool:
        """Whether the other side hung up while nothing was under way."""
        try:
            return not self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        """Hang up: the file server drops what was unfinished."""
        self._connection.close()
        self._reader.close()

    async def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._connection.send(rest, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                await anyio.wait_writable(self._connection)
            except OSError as error:
                raise ChannelBroken("hung up") from error

    async def _receive(self) -> frames.Frame:
        try:
            while (frame := self._reader.next()) is None:
                await self._receive_some()
        except frames.ProtocolError as error:
            raise ChannelBroken(str(error)) from error
        return frame

    async def _receive_some(self) -> None:
        try:
            if not self._reader.receive(self._connection):
                raise ChannelBroken("hung up")
        except BlockingIOError:
            await anyio.wait_readable(self._connection)
        except OSError as error:
            raise ChannelBroken("hung up") from error


def refuse_strange_file(file: int) -> None:
    """Refuse a passed descriptor that is anything but an ordinary file."""
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise ChannelBroken("a descriptor that is not a regular file")
    found = ctypes.create_string_buffer(256)
    if _libc.fstatfs(file, found) != 0:
        raise ChannelBroken("a descriptor without a file system")
    (kind,) = struct.unpack_from("l", found)
    if kind & 0xFFFFFFFF in _STRANGE_FILE_SYSTEMS:
        raise ChannelBroken(f"a file of {_STRANGE_FILE_SYSTEMS[kind & 0xFFFFFFFF]}")
