"""Decides how requests come in: a port on this computer's loopback, HTTP/1.1.

It is uvicorn's protocol on a socket of ours, since faults need what ASGI hides: the
connection below a request, and a port that refuses for a while.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

CONNECTION = "connection"
"""Where a request's scope holds its connection, below `state`."""

_BACKLOG = 512
_RESET = struct.pack("ii", 1, 0)
_END_TIMEOUT = 5.0


class Connection:
    """The connection below a request."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        """End it with a reset: who reads sees an error, not an end."""
        channel = self._transport.get_extra_info("socket")
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def close(self) -> None:
        """End it behind what was sent."""
        self._transport.close()


class _Protocol(H11Protocol):
    """uvicorn's own, telling each request its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        self.app_state = {**self.app_state, CONNECTION: Connection(transport)}


class Listener:
    """A port that serves an ASGI application, until it is closed."""

    def __init__(self, application: Any, *, port: int = 0) -> None:
        # uvicorn closes idle connections after 5 s, which races with a client's next
        # request; services in front of a vendor keep them for minutes.
        self._config = Config(
            application, lifespan="off", log_level="critical", timeout_keep_alive=75
        )
        self._state = ServerState()
        # Holds the port while nobody listens there.
        self._guard = _bind(port)
        self.port: int = self._guard.getsockname()[1]
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Accept connections, if that is not done already."""
        if self._server is not None:
            return
        if not self._config.loaded:
            self._config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Protocol(self._config, self._state, {}, loop),
            sock=_bind(self.port),
            backlog=_BACKLOG,
        )

    def refuse(self) -> None:
        """Refuse connections, and end those that there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._state.connections):
            connection.transport.abort()

    async def close(self) -> None:
        """Refuse for good, and wait for what is still being answered."""
        self.refuse()
        asked = list(self._state.tasks)
        for answering in asked:
            answering.cancel()
        if asked:
            await asyncio.wait(asked, timeout=_END_TIMEOUT)
        self._guard.close()


def _bind(port: int) -> socket.socket:
    # asyncio sends small pieces at once only on sockets that say they are TCP's: else
    # each answer of head and body waits 40 ms for the client's word.
    channel = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    channel.bind(("127.0.0.1", port))
    channel.setblocking(False)
    return channel
