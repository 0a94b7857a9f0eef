"""Ports of a sandbox on this computer: a listener each, open until the sandbox is left.

Every connection that comes is joined to one made inside. Each direction ends by
itself, and whoever reads slowly holds back who writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from sandbook.api import PortUrl, SandboxRef
from sandbook.errors import Busy, PortClosed, ProviderError, UsageError
from sandbook_local import dialling
from sandbook_local.connection import Ended
from sandbook_local.inside import frames
from sandbook_local.process import lost

HOST = "127.0.0.1"
_PIECE = 1 << 16
_BACKLOG = 128
_HIGHEST = 0xFFFF
_ADMIT_AGAIN = 0.05
_AT_ONCE = struct.pack("ii", 1, 0)


class LocalPorts:
    """The listeners of one sandbox, one for each of its ports that was asked for.

    They live from one call to another, so no task group can hold what they start, and
    `asyncio.Server` forgets a connection that comes while it is closed: both are kept
    here.
    """

    def __init__(self, folder: Path, ref: SandboxRef) -> None:
        self._folder = folder
        self._ref = ref
        self._listeners: dict[int, socket.socket] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, number: int) -> PortUrl:
        """The address of this port on this computer; the same one each time.

        Raises:
            PortClosed: Nothing listens there now.
            UsageError: It is no port.
        """
        if not 0 < number <= _HIGHEST:
            raise UsageError(
                f"port {number} is none", remedy="ports are 1 to 65535: use one of them"
            )
        async with self._reaching(number):
            await dialling.look_for_listener(self._folder, number)
        listener = self._listeners.get(number)
        if listener is None:
            listener = socket.create_server((HOST, 0), backlog=_BACKLOG)
            listener.setblocking(False)
            self._listeners[number] = listener
            self._watch(number, listener)
        return PortUrl(url=f"http://{HOST}:{listener.getsockname()[1]}")

    async def aclose(self) -> None:
        """Close every listener, and every connection that came through one."""
        for listener in self._listeners.values():
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        self._listeners.clear()
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _watch(self, number: int, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        if listener.fileno() >= 0:
            loop.add_reader(listener, self._admit, number, listener)

    def _admit(self, number: int, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            outer = listener.accept()[0]
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:
            # Out of descriptors: whoever waits is let in when some were given back.
            loop.remove_reader(listener)
            loop.call_later(_ADMIT_AGAIN, self._watch, number, listener)
            return
        outer.setblocking(False)
        task = loop.create_task(self._serve(number, outer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, number: int, outer: socket.socket) -> None:
        with outer:
            try:
                async with self._reaching(number):
                    inner = await dialling.dial_port(self._folder, number)
            except (ProviderError, OSError):
                _reset(outer)  # as a closed port would
                return
            with inner:
                try:
                    await _join(outer, inner)
                except* OSError:
                    _reset(outer)

    @asynccontextmanager
    async def _reaching(self, number: int) -> AsyncGenerator[None]:
        """Say in words what hinders the way to a port."""
        name = self._ref.provider
        try:
            yield
        except (Ended, frames.ProtocolError) as error:
            raise lost(self._folder, self._ref, "port") from error
        except dialling.DialBusy as error:
            raise Busy(
                str(error),
                provider=name,
                operation="port",
                ref=self._ref,
                sent="no",
                remedy="start fewer programs at once",
            ) from error
        except dialling.DialRefused as error:
            raise PortClosed(
                f"port {number} of sandbox {self._ref.id!r} is closed: "
                f"{os.strerror(error.number).lower()}",
                provider=name,
                operation="port",
                ref=self._ref,
                remedy="start what is to listen there, on 127.0.0.1 or on every "
                "address, and wait until it does",
            ) from error


async def _join(outer: socket.socket, inner: socket.socket) -> None:
    """Carry both directions until both have ended."""
    for way in (outer, inner):
        # What comes in small pieces would wait for the other side's word, 40 ms each.
        way.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_carry, outer, inner)
        tasks.start_soon(_carry, inner, outer)


async def _carry(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _PIECE):
        await loop.sock_sendall(target, data)
    target.shutdown(socket.SHUT_WR)


def _reset(outer: socket.socket) -> None:
    """Let its end not be taken for an ordinary one."""
    with contextlib.suppress(OSError):
        outer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
