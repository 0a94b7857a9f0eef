"""Reads multipart bodies piece by piece: no part is held whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser


class BrokenFormError(ValueError):
    """The body is no multipart form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part; its data is to be read before the next is asked for."""

    name: str
    filename: str | None
    data: AsyncIterator[bytes]


def boundary_of(content_type: str) -> bytes:
    """What stands between the parts."""
    found = _headers({"content-type": content_type}).get_param("boundary")
    if not isinstance(found, str):
        raise BrokenFormError("no boundary")
    return found.encode()


async def parts(body: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[Part]:
    """The parts of a body, in order."""
    reader = _Reader(body)
    line = b"--" + boundary
    if await reader.until(line, keep=False) is None:
        raise BrokenFormError("no first boundary")
    while await reader.take(2) == b"\r\n":
        head = await reader.until(b"\r\n\r\n", keep=True)
        if head is None:
            raise BrokenFormError("a part without end of its headers")
        headers = HeaderParser().parsestr(head.decode())
        name = headers.get_param("name", header="content-disposition")
        data = reader.pieces(b"\r\n" + line)
        yield Part(
            name=name if isinstance(name, str) else "",
            filename=headers.get_filename(),
            data=data,
        )
        async for _ in data:
            pass


def _headers(values: Mapping[str, str]) -> Message:
    message = Message()
    for name, value in values.items():
        message[name] = value
    return message


class _Reader:
    """Looks for marks in a stream."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._held = b""

    async def take(self, size: int) -> bytes:
        """So many bytes, fewer at the end."""
        while len(self._held) < size and await self._more():
            pass
        found, self._held = self._held[:size], self._held[size:]
        return found

    async def until(self, mark: bytes, *, keep: bool) -> bytes | None:
        """What is before the mark, which is passed; None = it never comes."""
        found = bytearray()
        async for piece in self.pieces(mark, strict=False):
            if piece is _NEVER:
                return None
            if keep:
                found += piece
        return bytes(found)

    async def pieces(self, mark: bytes, *, strict: bool = True) -> AsyncIterator[bytes]:
        """What is before the mark, piece by piece; the mark is passed."""
        while (place := self._held.find(mark)) < 0:
            # The last bytes may be the mark's first.
            sure = max(len(self._held) - len(mark) + 1, 0)
            if sure:
                piece, self._held = self._held[:sure], self._held[sure:]
                yield piece
            if not await self._more():
                if strict:
                    raise BrokenFormError("the last boundary never came")
                yield _NEVER
                return
        piece, self._held = self._held[:place], self._held[place + len(mark) :]
        if piece:
            yield piece

    async def _more(self) -> bool:
        piece = await anext(self._body, None)
        if piece is None:
            return False
        self._held += piece
        return True


_NEVER = bytes(bytearray(b"never"))
