"""What a command printed: the first and the last bytes of each stream, in order.

Small output stays in memory, more goes to files of the sandbox's folder. Every piece
has a number that rises over both streams, so that a reader can go on where it
stopped. What falls out between head and tail is counted.
"""

from __future__ import annotations

import os
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 64 << 10
"""Bytes of the largest piece."""

_ENTRY = Struct("=IQd")  # length, seq, time
_IN_MEMORY = 32 << 10
_SEGMENT = 1 << 20
_SMALLEST_SEGMENT = 128 << 10
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class Piece:
    """One read of one stream; `start` is its place among the stream's bytes."""

    __slots__ = ("at", "data", "seq", "start")

    def __init__(self, seq: int, at: float, data: bytes, start: int) -> None:
        self.seq = seq
        self.at = at
        self.data = data
        self.start = start


class Segment:
    """Consecutive pieces, in memory until they are many."""

    def __init__(self, folder: int, name: str, start: int) -> None:
        self.start = start
        self.bytes = 0
        self._folder = folder
        self._name = name
        self._memory: bytearray | None = bytearray()
        self._size = 0

    def append(self, seq: int, at: float, data: bytes) -> None:
        """Add a piece."""
        entry = _ENTRY.pack(len(data), seq, at) + data
        if self._memory is not None and self._size + len(entry) > _IN_MEMORY:
            self._spill(self._memory)
        if self._memory is not None:
            self._memory += entry
        else:
            self._write(entry)
        self._size += len(entry)
        self.bytes += len(data)

    def read(self, place: int) -> tuple[Piece, int] | None:
        """The piece at `place` (0 = first), and the place of the next."""
        if place >= self._size:
            return None
        block = self._read(place, _ENTRY.size + PIECE)
        length, seq, at = _ENTRY.unpack_from(block)
        data = block[_ENTRY.size : _ENTRY.size + length]
        return Piece(seq, at, data, 0), place + _ENTRY.size + length

    def close(self) -> None:
        """Remove its file."""
        if self._memory is None:
            os.unlink(self._name, dir_fd=self._folder)

    def _spill(self, memory: bytearray) -> None:
        descriptor = os.open(self._name, _CREATE, 0o600, dir_fd=self._folder)
        os.close(descriptor)
        self._memory = None
        self._write(bytes(memory))

    def _write(self, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._name, flags, dir_fd=self._folder)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def _read(self, place: int, size: int) -> bytes:
        if self._memory is not None:
            return bytes(self._memory[place : place + size])
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._name, flags, dir_fd=self._folder)
        try:
            return os.pread(descriptor, size, place)
        finally:
            os.close(descriptor)


class Stream:
    """One stream: a head segment, then a row of tail segments."""

    def __init__(self, folder: int, name: str, *, head: int, tail: int) -> None:
        self.total = 0
        self._folder = folder
        self._name = name
        self._head = head
        self._tail = tail
        self._size = max(min(tail // 4, _SEGMENT), _SMALLEST_SEGMENT)
        self._count = 0
        self.segments: list[Segment] = []

    def room(self) -> int:
        """Bytes until the head is full; the next piece must not be larger."""
        left = self._head - self.total
        return left if left > 0 else PIECE

    def is_full(self) -> bool:
        """Whether more would soon make it drop some."""
        return self.total >= self._head + self._tail

    def append(self, seq: int, at: float, data: bytes) -> None:
        """Add a piece of at most `room()` bytes."""
        if not self.segments or self._is_full():
            self._count += 1
            name = f"{self._name}.{self._count}"
            self.segments.append(Segment(self._folder, name, self.total))
        self.segments[-1].append(seq, at, data)
        self.total += len(data)

    def trim(self, needed: int) -> None:
        """Drop what is neither head nor tail, but nothing from byte `needed` on."""
        while len(self.segments) > 2:  # noqa: PLR2004 (the head, and one of the tail)
            first = self._oldest_of_tail()
            end = first.start + first.bytes
            if self.total - end < self._tail or end > needed:
                return
            self.segments.remove(first)
            first.close()

    def head(self) -> Iterator[bytes]:
        """The bytes of the head."""
        return self._between(0, min(self._head, self.total))

    def tail(self) -> Iterator[bytes]:
        """The last bytes that are not the head's."""
        return self._between(self.tail_start(), self.total)

    def tail_start(self) -> int:
        """The place of the first byte of the tail."""
        return max(min(self._head, self.total), self.total - self._tail)

    def close(self) -> None:
        """Remove its files."""
        for segment in self.segments:
            segment.close()
        self.segments.clear()

    def _oldest_of_tail(self) -> Segment:
        return self.segments[1] if self._head else self.segments[0]

    def _is_full(self) -> bool:
        last = self.segments[-1]
        if last.start < self._head:
            return self.total >= self._head
        return last.bytes >= self._size

    def _between(self, start: int, end: int) -> Iterator[bytes]:
        for segment in list(self.segments):
            if segment.start + segment.bytes <= start:
                continue
            place, at = 0, segment.start
            while at < end and (found := segment.read(place)) is not None:
                piece, place = found
                wanted = piece.data[max(start - at, 0) : end - at]
                at += len(piece.data)
                if wanted:
                    yield wanted


class Cursor:
    """A reader's place in one stream."""

    def __init__(self, stream: Stream) -> None:
        self.position = 0
        self._stream = stream
        self._segment: Segment | None = None
        self._place = 0
        self._next: Piece | None = None

    def peek(self) -> Piece | None:
        """The next piece that was kept, if it is there."""
        while self._next is None:
            found = self._segment and self._segment.read(self._place)
            if found:
                assert self._segment is not None  # noqa: S101 (narrows for the checkers)
                self._next, self._place = found
                self._next.start = max(self.position, self._segment.start)
            elif not self._step():
                return None
        return self._next

    def take(self) -> None:
        """Go past the piece that `peek` showed."""
        if self._next is not None:
            self.position = self._next.start + len(self._next.data)
            self._next = None

    def _step(self) -> bool:
        later = [s for s in self._stream.segments if s.start >= self._end()]
        if not later:
            return False
        self._segment, self._place = later[0], 0
        self.position = later[0].start
        return True

    def _end(self) -> int:
        segment = self._segment
        return 0 if segment is None else segment.start + max(segment.bytes, 1)
