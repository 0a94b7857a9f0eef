"""The client's way to a supervisor: one connection for each request under way.

A closed connection tells the supervisor that nobody waits any more, and the kernel
holds back whoever sends faster than the other side reads. One whose request came to
its end is used again: to make one costs as much as to start a small program.
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
_MOST_IDLE = 4
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

    def is_idle(self) -> bool:
        """Whether the other side is there and has nothing to say."""
        try:
            self._channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False  # it hung up, or speaks out of turn

    def close(self) -> None:
        """Hang up."""
        self._reader.close()
        self._channel.close()


class Line:
    """Connections to one supervisor; those at rest are kept for the next request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._idle: list[Connection] = []
        self._is_closed = False

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Connection]:
        """A connection for one request, whose answer is read to its end here.

        Raises:
            Ended: The supervisor is gone.
        """
        connection = self._take() or Connection(await _dial(self.folder))
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    async def request(
        self, message: Message, *, descriptors: Sequence[int] = ()
    ) -> Frame:
        """Ask one thing; the caller owns the answer's descriptors. Raises `Ended`."""
        async with self.connect() as connection:
            await connection.send(self.ask(message), descriptors=descriptors)
            return await connection.receive()

    def ask(self, message: Message) -> Message:
        """A request in the version that we speak, by somebody who stays."""
        return {**ask(message), "stay": True}

    def close(self) -> None:
        """Hang up where nothing is under way."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        """Who forgot to hang up is not to be warned of it."""
        self.close()

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_idle():
                return connection
            connection.close()
        return None

    def _give_back(self, connection: Connection) -> None:
        if self._is_closed or len(self._idle) >= _MOST_IDLE:
            connection.close()
        else:
            self._idle.append(connection)


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
