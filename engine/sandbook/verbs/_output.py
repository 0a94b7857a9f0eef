"""What a program wrote, kept in bounded memory in the order it came."""

from __future__ import annotations

from collections.abc import Callable

from sandbook.api import JSON, KEPT_BYTES, Chunk, StreamName

LAST_WORDS = 200
"""Characters of the last line that a failure repeats."""


class _Kept:
    """The first and the last `KEPT_BYTES` of a stream."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.tail = bytearray()
        self.dropped = 0

    def add(self, data: bytes) -> None:
        room = KEPT_BYTES - len(self.head)
        self.head += data[:room] if room > 0 else b""
        self.tail += data[max(room, 0) :]
        # Trimming at twice the limit makes each byte move once on average.
        if len(self.tail) > 2 * KEPT_BYTES:
            self._trim()

    def _trim(self) -> None:
        surplus = len(self.tail) - KEPT_BYTES
        if surplus > 0:
            del self.tail[:surplus]
            self.dropped += surplus

    def text(self) -> str:
        self._trim()
        if not self.dropped:
            return (self.head + self.tail).decode(errors="replace")
        gap = f"\n[... {self.dropped} bytes dropped ...]\n"
        return (
            self.head.decode(errors="replace")
            + gap
            + self.tail.decode(errors="replace")
        )


class Transcript:
    """Collects chunks, hands them on as they come, and makes result fields of them."""

    def __init__(self, show: Callable[[StreamName, bytes], None]) -> None:
        self._show = show
        self._kept = {name: _Kept() for name in ("stdout", "stderr", "output")}

    def add(self, chunk: Chunk) -> None:
        """Take one chunk."""
        self._kept[chunk.stream].add(chunk.data)
        self._kept["output"].add(chunk.data)
        self._show(chunk.stream, chunk.data)

    def text(self, name: str) -> str:
        """A stream, or "output" for both, bad bytes replaced by U+FFFD."""
        return self._kept[name].text()

    def fields(self) -> dict[str, JSON]:
        """The fields that every verb with output has."""
        stdout = self.text("stdout")
        return {
            "stdout": stdout,
            "stderr": self.text("stderr"),
            "output": self.text("output"),
            "text": stdout.rstrip("\r\n"),
        }

    def last_words(self) -> str:
        """The last line written, to stderr first: usually the cause."""
        for name in ("stderr", "stdout"):
            lines = self.text(name).strip().splitlines()
            if lines:
                return f": {lines[-1].strip()[:LAST_WORDS]}"
        return ""
