"""The Connect protocol in JSON: envelopes, errors, and what ends a stream."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from typing import Any, Literal, TypeVar

from protobuf import Message

from tests.servers.e2b.replies import Json, checked_message
from tests.servers.web.exchange import Exchange

Code = Literal[
    "invalid_argument",
    "unauthenticated",
    "not_found",
    "already_exists",
    "internal",
    "unknown",
    "unimplemented",
    "deadline_exceeded",
    "failed_precondition",
]
_STATUS: dict[Code, int] = {
    "invalid_argument": 400,
    "failed_precondition": 400,
    "unauthenticated": 401,
    "not_found": 404,
    "already_exists": 409,
    "internal": 500,
    "unknown": 500,
    "unimplemented": 501,
    "deadline_exceeded": 504,
}
_HEAD = struct.Struct(">BI")
_END = 0x02

UNARY = "application/json"
STREAM = "application/connect+json"

_MessageT = TypeVar("_MessageT", bound=Message[Any])


class RpcError(Exception):
    """An error of a call, by its code."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message


def read(message: type[_MessageT], data: bytes) -> _MessageT:
    """A request; a field that the protocol does not know is refused."""
    try:
        return message.from_json(data or b"{}")
    except Exception as error:
        raise RpcError("invalid_argument", f"cannot be read: {error}") from error


async def reply(
    exchange: Exchange, message: type[_MessageT], body: Json | None = None
) -> None:
    """Answer a unary call."""
    data = checked_message(message, body or {})
    await exchange.reply(200, data, {"content-type": UNARY})


async def reply_error(exchange: Exchange, error: RpcError) -> None:
    """Answer a unary call with an error."""
    body = {"code": error.code, "message": error.message}
    await exchange.reply_json(_STATUS[error.code], body)


async def requests(exchange: Exchange) -> AsyncIterator[bytes]:
    """The messages of a streamed request, as they come."""
    held = bytearray()
    async for piece in exchange.chunks():
        held += piece
        while len(held) >= _HEAD.size:
            flags, size = _HEAD.unpack_from(held)
            if len(held) < _HEAD.size + size:
                break
            data = bytes(held[_HEAD.size : _HEAD.size + size])
            del held[: _HEAD.size + size]
            if flags:
                raise RpcError("internal", "compressed messages are not understood")
            yield data


async def only_request(exchange: Exchange) -> bytes:
    """The one message of a request whose answer is a stream."""
    found = [data async for data in requests(exchange)]
    if len(found) != 1:
        raise RpcError("unimplemented", f"one message was due, {len(found)} came")
    return found[0]


class Stream:
    """The answer to a streaming call."""

    def __init__(self, exchange: Exchange, message: type[Message[Any]]) -> None:
        self._exchange = exchange
        self._message = message

    async def send(self, body: Json) -> None:
        """Send a message."""
        data = checked_message(self._message, body)
        await _begin(self._exchange)
        await self._exchange.write(_HEAD.pack(0, len(data)) + data)

    async def end(self, error: RpcError | None = None) -> None:
        """Send the end, or the error that it ends with."""
        await end_stream(self._exchange, error)


async def end_stream(exchange: Exchange, error: RpcError | None = None) -> None:
    """Send the end of a streaming call, or the error that it ends with."""
    told: Json = {}
    if error is not None:
        told = {"error": {"code": error.code, "message": error.message}}
    data = json.dumps(told).encode()
    await _begin(exchange)
    await exchange.write(_HEAD.pack(_END, len(data)) + data)
    await exchange.finish()


async def _begin(exchange: Exchange) -> None:
    if not exchange.begun:
        await exchange.begin(200, {"content-type": STREAM})
