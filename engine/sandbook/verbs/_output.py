"""What a program wrote, kept in bounded memory in the order it came."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from heapq import merge

from sandbook.api import JSON, KEPT_BYTES, Chunk, StreamName

LAST_WORDS = 200
"""Characters of the last line that a failure repeats."""

PIECE = 64 << 10
"""Chunks that follow each other are joined up to this size."""


class _Piece:
    """Consecutive output of one stream; `seq` is that of its first chunk."""

    __slots__ = ("data", "last", "seq")

    def __init__(self, seq: int, data: bytes) -> None:
        self.seq = seq
        self.last = seq
        self.data = bytearray(data)

    def __lt__(self, other: _Piece) -> bool:
        return self.seq < other.seq

    def takes(self, chunk: Chunk) -> bool:
        """Whether this chunk is simply more of the same."""
        follows = chunk.seq == self.last + 1
        return follows and len(self.data) + len(chunk.data) <= PIECE


class _Kept:
    """The first and the last bytes of a stream, at least `KEPT_BYTES` of each."""

    def __init__(self) -> None:
        self.head: list[_Piece] = []
        self.tail: deque[_Piece] = deque()
        self.dropped = 0
        self._head_size = 0
        self._tail_size = 0

    def add(self, chunk: Chunk) -> None:
        """Take one chunk."""
        if self._head_size < KEPT_BYTES:
            self._head_size += len(chunk.data)
            _extend(self.head, chunk)
            return
        self._tail_size += len(chunk.data)
        _extend(self.tail, chunk)
        while self._tail_size - len(self.tail[0].data) >= KEPT_BYTES:
            oldest = self.tail.popleft()
            self._tail_size -= len(oldest.data)
            self.dropped += len(oldest.data)

    def pieces(self) -> Iterator[_Piece]:
        """What is kept, with a line in the place of what is not."""
        yield from self.head
        if self.dropped:
            gap = b"\n[... %d bytes dropped ...]\n" % self.dropped
            yield _Piece(self.tail[0].seq, gap)
        yield from self.tail


class Transcript:
    """Collects chunks, hands them on as they come, and makes result fields of them."""

    def __init__(self, show: Callable[[StreamName, bytes], None]) -> None:
        self._show = show
        self._kept: dict[StreamName, _Kept] = {"stdout": _Kept(), "stderr": _Kept()}

    def add(self, chunk: Chunk) -> None:
        """Take one chunk."""
        self._kept[chunk.stream].add(chunk)
        self._show(chunk.stream, chunk.data)

    def text(self, stream: StreamName) -> str:
        """A stream, bad bytes replaced by U+FFFD."""
        return _text(self._kept[stream].pieces())

    def output(self) -> str:
        """Both streams as they came."""
        return _text(merge(*(kept.pieces() for kept in self._kept.values())))

    def fields(self) -> dict[str, JSON]:
        """The fields that every verb with output has."""
        stdout, stderr = self.text("stdout"), self.text("stderr")
        # One text and not three where only one stream was used: it may be large.
        alone = stdout if not stderr else stderr if not stdout else None
        return {
            "stdout": stdout,
            "stderr": stderr,
            "output": self.output() if alone is None else alone,
            "text": stdout.rstrip("\r\n"),
        }

    def last_words(self) -> str:
        """The last line written, to stderr first: usually the cause."""
        for kept in (self._kept["stderr"], self._kept["stdout"]):
            pieces = kept.tail or kept.head
            lines = _text([pieces[-1]] if pieces else []).strip().splitlines()
            if lines:
                line = lines[-1].strip()
                # A cut must be marked: masking looks there for pieces of secrets.
                return f": {line[:LAST_WORDS]}" + "…" * (len(line) > LAST_WORDS)
        return ""


def _extend(pieces: list[_Piece] | deque[_Piece], chunk: Chunk) -> None:
    if pieces and pieces[-1].takes(chunk):
        pieces[-1].data += chunk.data
        pieces[-1].last = chunk.seq
    else:
        pieces.append(_Piece(chunk.seq, chunk.data))


def _text(pieces: Iterable[_Piece]) -> str:
    return b"".join(piece.data for piece in pieces).decode(errors="replace")
