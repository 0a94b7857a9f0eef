"""One request and its answer, and what faults make of the answer."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import anyio

from tests.servers.core.faults import Fault
from tests.servers.web.listener import CONNECTION, Connection

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


_LIMITED = ("cut", "truncate", "stall", "end_machine")


class AnswerEnded(Exception):  # noqa: N818 (a state, never shown)
    """A fault has ended the answer: nothing more is to be sent."""


class Exchange:
    """A request, and the answer to it.

    `params` are the parts of the path that its route names. Names of headers are in
    lower case.
    """

    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["raw_path"].decode()
        query: str = scope["query_string"].decode()
        self.target = f"{self.path}?{query}" if query else self.path
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.headers = {k.decode(): v.decode("latin-1") for k, v in scope["headers"]}
        self.params: dict[str, str] = {}
        self.connection: Connection = scope["state"][CONNECTION]
        self.begun = False
        self.finished = False
        self.fault: Fault | None = None
        self.when_cut: Callable[[], Awaitable[None]] | None = None
        self._receive = receive
        self._send = send
        self._sent = 0
        self._is_read = False

    # The request.

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its body, as it comes."""
        while not self._is_read:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            self._is_read = not message.get("more_body")
            if message.get("body"):
                yield message["body"]

    async def body(self) -> bytes:
        """Its body, whole."""
        return b"".join([piece async for piece in self.chunks()])

    async def json(self) -> Any:
        """Its body as JSON, None where it is empty; raises `ValueError`."""
        data = await self.body()
        return json.loads(data) if data else None

    # The answer.

    async def reply(
        self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer at once."""
        size = {} if status == 204 else {"content-length": str(len(body))}
        await self.begin(status, {**(headers or {}), **size})
        await self.write(body)
        await self.finish()

    async def reply_json(
        self, status: int, value: object, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer with JSON."""
        kind = {"content-type": "application/json", **(headers or {})}
        await self.reply(status, json.dumps(value).encode(), kind)

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send status and headers; a body follows piece by piece."""
        # A connection that is closed with data unread is reset, and the client may
        # never see the answer.
        async for _ in self.chunks():
            pass
        self.begun = True
        if self._is_mute():
            return
        rows = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
        await self._send(
            {"type": "http.response.start", "status": status, "headers": rows}
        )
        if self._limit() == 0:
            await self._pass(b"", more=True)
            await self._cut()

    async def write(self, data: bytes) -> None:
        """Send a piece of the body; raises `AnswerEnded` when a fault ends it."""
        if self._is_mute() or not data:
            return
        limit = self._limit()
        if limit is not None and self._sent + len(data) >= limit:
            await self._pass(data[: limit - self._sent], more=True)
            await self._cut()
        await self._pass(data, more=True)

    async def finish(self) -> None:
        """The body is whole."""
        self.finished = True
        if not self._is_mute():
            await self._pass(b"", more=False)

    @asynccontextmanager
    async def while_connected(self) -> AsyncGenerator[None]:
        """End the block, without an error, when the client hangs up.

        Nothing of the body may be left to read.
        """
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._cancel_at_hangup, group.cancel_scope)
                yield
                group.cancel_scope.cancel()
        except ExceptionGroup as found:
            # One thing at a time goes wrong in the block, and it has a name.
            raise found.exceptions[0] from None

    async def _cancel_at_hangup(self, scope: anyio.CancelScope) -> None:
        await self.wait_for_hangup()
        scope.cancel()

    async def wait_for_hangup(self) -> None:
        """Never answer."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _pass(self, data: bytes, *, more: bool) -> None:
        message = {"type": "http.response.body", "body": data, "more_body": more}
        await self._send(message)
        self._sent += len(data)

    def _is_mute(self) -> bool:
        return self.fault is not None and self.fault.kind == "lost_reply"

    def _limit(self) -> int | None:
        if self.fault is None or self.fault.kind not in _LIMITED:
            return None
        return self.fault.after

    async def _cut(self) -> None:
        assert self.fault is not None
        if self.fault.kind == "truncate":
            await self._pass(b"", more=False)
            raise AnswerEnded
        if self.fault.kind == "stall":
            await self.wait_for_hangup()
        elif self.fault.kind == "end_machine" and self.when_cut is not None:
            await self.when_cut()
        self.connection.close()
        raise AnswerEnded


class ClientGone(Exception):  # noqa: N818 (a state, never shown)
    """The client hung up within its request."""
