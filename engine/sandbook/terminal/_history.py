"""Rows that left the screen, kept in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

MOST_CHARACTERS: Final = 8 << 20
MOST_ROWS: Final = 200_000
_PER_ROW: Final = 100
"""What a row costs besides its characters, so that empty ones count too."""


class History:
    """The texts of rows in the order they left; the oldest go beyond the limit.

    `total` counts all that ever came, so that a reader can say how far it has read.
    """

    def __init__(self) -> None:
        self.total = 0
        self.dropped = 0
        self._rows: list[tuple[str, bool]] = []
        self._size = 0

    def add(self, text: str, *, wraps: bool) -> None:
        """Take one row; `wraps` = it goes on in the next one."""
        self._rows.append((text, wraps))
        self._size += len(text) + _PER_ROW
        self.total += 1
        if self._size > MOST_CHARACTERS or len(self._rows) > MOST_ROWS:
            self._drop()

    def _drop(self) -> None:
        """Let the older half go: one by one would cost a copy each time."""
        count = (len(self._rows) + 1) // 2
        self._size -= sum(len(text) + _PER_ROW for text, _ in self._rows[:count])
        self.dropped += count
        del self._rows[:count]

    def clear(self) -> None:
        """Forget everything but the count."""
        self.dropped = self.total
        self._rows.clear()
        self._size = 0

    def rows(self, after: int = 0) -> Iterator[tuple[str, bool]]:
        """The rows kept, without the first `after` of all that came."""
        first = max(0, after - self.dropped)
        return (self._rows[index] for index in range(first, len(self._rows)))
