"""The client's way to a supervisor: one connection for each request.

A closed connection tells the supervisor that nobody waits any more, and the kernel
holds back whoever sends faster than the other side reads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from sandbook_local.inside import frames
from sandbook_local.inside.frames import Frame, Message
from sandbook_local.inside.service import PROTOCOL

_BUSY_PAUSE = 0.005
_ENDED = (ConnectionResetError, BrokenPipeError)


class Ended(Exception):  # noqa: N818 (a state, never shown)
    """The supervisor hung up, or is not there."""


class Connection:
    """A connected socket that carries frames."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._reader = frames.Reader()
        channel.setblocking(False)

    async def send(
        self, message: Message, *, blob: bytes = b"", descriptors: Sequence[int] = ()
    ) -> None:
        """Send a frame; the descriptors stay the caller's."""
        data = memoryview(frames.pack(message, blob, descriptors=len(descriptors)))
        extra = frames.ancillary(descriptors)
        while data:
            try:
                sent = self._channel.sendmsg([data], extra, socket.MSG_NOSIGNAL)
            except BlockingIOError:
                await anyio.wait_writable(self._channel)
                continue
            except _ENDED as error:
                raise Ended from error
            data, extra = data[sent:], []

    async def receive(self) -> Frame:
        """The next frame; the caller owns its descriptors."""
        while True:
            frame = self._reader.next()
            if frame is not None:
                return frame
            try:
                if not self._reader.receive(self._channel):
                    raise Ended
            except BlockingIOError:
                await anyio.wait_readable(self._channel)
            except _ENDED as error:
                raise Ended from error

    def send_byte(self, data: bytes) -> None:
        """Send a byte that always fits."""
        with contextlib.suppress(*_ENDED):
            self._channel.send(data, socket.MSG_NOSIGNAL)

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
        self._channel.close()


@asynccontextmanager
async def connect(folder: Path) -> AsyncGenerator[Connection]:
    """Reach the supervisor of the sandbox in this folder; raises `Ended`."""
    connection = Connection(await _dial(folder))
    try:
        yield connection
    finally:
        connection.close()


async def request(
    folder: Path, message: Message, *, descriptors: Sequence[int] = ()
) -> Frame:
    """Ask one thing; the caller owns the answer's descriptors. Raises `Ended`."""
    async with connect(folder) as connection:
        await connection.send(ask(message), descriptors=descriptors)
        return await connection.receive()


def ask(message: Message) -> Message:
    """A request in the version that we speak."""
    return {"api": PROTOCOL, **message}


async def _dial(folder: Path) -> socket.socket:
    """Connect; a path through `/proc` since a socket's own may have 107 bytes only."""
    try:
        place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise Ended from error
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.setblocking(False)
        path = f"/proc/self/fd/{place}/control.sock"
        while not _try_connect(channel, path):  # noqa: ASYNC110 (nothing tells of room)
            await anyio.sleep(_BUSY_PAUSE)
    except BaseException:
        channel.close()
        raise
    finally:
        os.close(place)
    return channel


def _try_connect(channel: socket.socket, path: str) -> bool:
    try:
        channel.connect(path)
    except BlockingIOError:
        return False  # its queue of new connections is full for a moment
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
            raise Ended from error
        raise
    return True
