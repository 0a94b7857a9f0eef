"""How the processes around a sandbox talk, and how much of it they accept.

A frame is a header, a JSON object, raw bytes and descriptors. Every receiver
bounds all four and checks each field it uses: the other side may be hostile.
"""

from __future__ import annotations

import _socket
import array
import json
import os
from struct import Struct

TYPE_CHECKING = False  # `typing` would cost the supervisor 5 ms of its start
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeGuard

Message = dict[str, object]

HEADER = Struct(">IIB")
READ_SIZE = 1 << 18
MESSAGE_LIMIT = 16 << 20
BLOB_LIMIT = 1 << 20
DESCRIPTOR_LIMIT = 8

_FD_SIZE = array.array("i").itemsize
_ANCILLARY = _socket.CMSG_SPACE(DESCRIPTOR_LIMIT * _FD_SIZE)


class ProtocolError(Exception):
    """The other side broke the rules; nothing more it says is believed."""


class Frame:
    """One received unit; whoever takes it owns its descriptors."""

    __slots__ = ("blob", "descriptors", "message")

    def __init__(
        self, message: Message, blob: bytes, descriptors: Sequence[int]
    ) -> None:
        self.message = message
        self.blob = blob
        self.descriptors = list(descriptors)

    def close(self) -> None:
        """Close the descriptors nobody took."""
        while self.descriptors:
            os.close(self.descriptors.pop())


def pack(message: Message, blob: bytes = b"", *, descriptors: int = 0) -> bytes:
    """The bytes of a frame that travels with this many descriptors."""
    text = json.dumps(message, separators=(",", ":")).encode("ascii")
    return HEADER.pack(len(text), len(blob), descriptors) + text + blob


def ancillary(descriptors: Sequence[int]) -> list[tuple[int, int, bytes]]:
    """The ancillary data that carries `descriptors`."""
    if not descriptors:
        return []
    data = array.array("i", descriptors).tobytes()
    return [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, data)]


def send_all(
    channel: _socket.socket, data: bytes, descriptors: Sequence[int] = ()
) -> None:
    """Send a packed frame over a blocking socket."""
    sent = channel.sendmsg([data], ancillary(descriptors), _socket.MSG_NOSIGNAL)
    if sent < len(data):
        channel.sendall(data[sent:], _socket.MSG_NOSIGNAL)


class Reader:
    """Collects what a socket gives until whole frames are there."""

    __slots__ = ("_buffer", "_descriptors", "_limit")

    def __init__(self, *, limit: int = MESSAGE_LIMIT) -> None:
        self._buffer = bytearray()
        self._descriptors: list[int] = []
        self._limit = limit

    def receive(self, channel: _socket.socket) -> bool:
        """Take what is there; False at end-of-file. May raise `BlockingIOError`."""
        data, extra, flags, _ = channel.recvmsg(
            READ_SIZE, _ANCILLARY, _socket.MSG_CMSG_CLOEXEC
        )
        for level, kind, payload in extra:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
                whole = len(payload) - len(payload) % _FD_SIZE
                self._descriptors.extend(array.array("i", payload[:whole]))
        if flags & _socket.MSG_CTRUNC or len(self._descriptors) > DESCRIPTOR_LIMIT:
            raise ProtocolError("too many descriptors")
        self._buffer += data
        return bool(data)

    def feed(self, data: bytes) -> None:
        """Take bytes that came another way."""
        self._buffer += data

    def next(self) -> Frame | None:
        """The next whole frame, if it has arrived."""
        if len(self._buffer) < HEADER.size:
            return None
        length, blob_length, count = HEADER.unpack_from(self._buffer)
        if length > self._limit or blob_length > BLOB_LIMIT or count > DESCRIPTOR_LIMIT:
            raise ProtocolError("a frame is too large")
        middle = HEADER.size + length
        end = middle + blob_length
        if len(self._buffer) < end:
            return None
        message = decode(bytes(self._buffer[HEADER.size : middle]))
        blob = bytes(self._buffer[middle:end])
        del self._buffer[:end]
        return Frame(message, blob, self._take(count))

    def close(self) -> None:
        """Close descriptors that arrived without their frame."""
        Frame({}, b"", self._take(len(self._descriptors))).close()

    def _take(self, count: int) -> list[int]:
        if count > len(self._descriptors):
            raise ProtocolError("descriptors are missing")
        taken = self._descriptors[:count]
        del self._descriptors[:count]
        return taken


def decode(text: bytes) -> Message:
    """A JSON object; raises `ProtocolError` for anything else."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a frame is not JSON") from error
    if not _is_object(value):
        raise ProtocolError("a frame is not an object")
    return value


def _is_object(value: object) -> TypeGuard[Message]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def text(message: Message, name: str) -> str:
    """The text at `name`."""
    value = message.get(name)
    if not isinstance(value, str):
        raise ProtocolError(f"{name} is not a text")
    return value


def optional_text(message: Message, name: str) -> str | None:
    """The text at `name`, None where there is none."""
    return None if message.get(name) is None else text(message, name)


def whole(message: Message, name: str, *, least: int = 0) -> int:
    """The whole number at `name`, `least` or more."""
    value = message.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ProtocolError(f"{name} is not a whole number of {least} or more")
    return value


def number(message: Message, name: str) -> float:
    """The number at `name`; not negative, and finite."""
    value = message.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ProtocolError(f"{name} is not a number")
    if not 0 <= value < 1e15:  # noqa: PLR2004 (keeps NaN and infinity out, in seconds)
        raise ProtocolError(f"{name} is out of range")
    return float(value)


def optional_number(message: Message, name: str) -> float | None:
    """The number at `name`, None where there is none."""
    return None if message.get(name) is None else number(message, name)


def texts(message: Message, name: str) -> list[str]:
    """The list of texts at `name`."""
    value = message.get(name)
    if not _is_list(value):
        raise ProtocolError(f"{name} is not a list")
    found = [item for item in value if isinstance(item, str)]
    if len(found) != len(value):
        raise ProtocolError(f"{name} holds something else than texts")
    return found


def child(message: Message, name: str) -> Message:
    """The object at `name`."""
    value = message.get(name)
    if not _is_object(value):
        raise ProtocolError(f"{name} is not an object")
    return value


def mapping(message: Message, name: str) -> dict[str, str]:
    """The object of texts at `name`."""
    value = child(message, name)
    found = {key: item for key, item in value.items() if isinstance(item, str)}
    if len(found) != len(value):
        raise ProtocolError(f"{name} holds something else than texts")
    return found


def rows(message: Message, name: str) -> list[list[str]]:
    """The list of lists of texts at `name`."""
    value = message.get(name)
    if not _is_list(value):
        raise ProtocolError(f"{name} is not a list")
    return [texts({name: row}, name) for row in value]
