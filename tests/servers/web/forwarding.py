"""Hands a request on to another HTTP server, and its answer back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import anyio
import h11
from anyio.abc import SocketStream

from tests.servers.web.exchange import Exchange

_PIECE = 64 << 10
_OF_ONE_HOP = (b"connection", b"keep-alive", b"transfer-encoding", b"upgrade")


async def forward(exchange: Exchange, url: str) -> None:
    """Ask the server at `url` the same, and answer what it answers."""
    target = urlsplit(url)
    assert target.hostname is not None
    assert target.port is not None
    async with await anyio.connect_tcp(target.hostname, target.port) as channel:
        way = _Way(channel)
        await way.send(_request(exchange))
        async for piece in exchange.chunks():
            await way.send(h11.Data(data=piece))
        await way.send(h11.EndOfMessage())
        async for event in way.events():
            if isinstance(event, h11.Response):
                await exchange.begin(event.status_code, _headers(event))
            elif isinstance(event, h11.Data):
                await exchange.write(bytes(event.data))
    await exchange.finish()


class _Way:
    """A connection to the other server, for one request."""

    def __init__(self, channel: SocketStream) -> None:
        self._channel = channel
        self._connection = h11.Connection(h11.CLIENT)

    async def send(self, event: h11.Event) -> None:
        data = self._connection.send(event)
        if data:
            await self._channel.send(data)

    async def events(self) -> AsyncIterator[h11.Event]:
        """What it answers, without the end."""
        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await self._receive())
            elif isinstance(event, h11.Event) and not isinstance(
                event, h11.EndOfMessage
            ):
                yield event
            else:
                return

    async def _receive(self) -> bytes:
        try:
            return await self._channel.receive(_PIECE)
        except anyio.EndOfStream:
            return b""


def _request(exchange: Exchange) -> h11.Request:
    rows = [
        (name.encode(), value.encode("latin-1"))
        for name, value in exchange.headers.items()
        if name.encode() not in _OF_ONE_HOP
    ]
    if exchange.headers.get("transfer-encoding") == "chunked":
        rows.append((b"transfer-encoding", b"chunked"))
    rows.append((b"connection", b"close"))
    return h11.Request(method=exchange.method, target=exchange.target, headers=rows)


def _headers(response: h11.Response) -> dict[str, str]:
    return {
        name.decode(): value.decode("latin-1")
        for name, value in response.headers
        if name not in _OF_ONE_HOP
    }
