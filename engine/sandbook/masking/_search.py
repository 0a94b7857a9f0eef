"""Where in a text the forms of secrets stand, however it comes in pieces."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

MASK: Final = b"***"

_HEAD: Final = 4
_CUT: Final = re.compile(
    b"(\xe2\x80\xa6|\\n\\[\\.\\.\\. \\d+ bytes (?:of \\w+ )?dropped \\.\\.\\.\\]\\n)"
)
"""The marks that the engine puts where it left something out."""

_SIGNS_OF_CUTS: Final = ("…".encode(), b" dropped ...]")


class Search:
    """Every form to be hidden, ready to be looked for.

    A pattern finds where the first characters of a form stand; only there are the
    forms themselves compared. So a private key of 600 forms costs no more to look
    for than a short token.
    """

    __slots__ = ("_by_head", "_from_end", "_head", "_heads", "_longest", "_sorted")

    def __init__(self, forms: Iterable[bytes]) -> None:
        self._sorted = sorted(set(forms))
        lengths = [len(form) for form in self._sorted]
        self._longest = max(lengths, default=0)
        self._head = min(_HEAD, min(lengths, default=_HEAD))
        self._by_head: dict[bytes, list[bytes]] = defaultdict(list)
        for form in sorted(self._sorted, key=len, reverse=True):
            self._by_head[form[: self._head]].append(form)
        self._heads = re.compile(_branches(sorted(self._by_head), depth=self._head))
        self._from_end: Search | None = None

    @property
    def is_empty(self) -> bool:
        return not self._sorted

    def mask_until(
        self, data: bytes, until: int, *, covered: int = 0, mask: bytes = MASK
    ) -> tuple[bytes, int]:
        """Mask the occurrences that begin before `until`.

        The first `covered` bytes belong to an occurrence that was masked
        already. Also returns where the last occurrence ends.
        """
        parts: list[bytes] = []
        reach = covered
        for start, end in self.found(data, until):
            if start >= reach:
                parts += (data[reach:start], mask)
            reach = max(reach, end)
        parts.append(data[reach:until])
        return b"".join(parts), reach

    def mask_cuts(self, data: bytes, *, mask: bytes = MASK) -> bytes:
        """Mask the piece of a form that a cut left before or after its mark."""
        if not any(sign in data for sign in _SIGNS_OF_CUTS):
            return data
        parts = _CUT.split(data)
        last = len(parts) - 1
        for at in range(0, len(parts), 2):
            if at > 0:
                parts[at] = self._backwards().without_end(parts[at][::-1], mask)[::-1]
            if at < last:
                parts[at] = self.without_end(parts[at], mask)
        return b"".join(parts)

    def without_end(self, data: bytes, mask: bytes) -> bytes:
        """Mask the end of `data` where it is the beginning of a form."""
        start = self.open_end(data)
        return data if len(data) - start < self._head else data[:start] + mask

    def _backwards(self) -> Search:
        if self._from_end is None:
            self._from_end = Search(form[::-1] for form in self._sorted)
        return self._from_end

    def open_end(self, data: bytes) -> int:
        """Where the end of `data` that may go on to be a form begins."""
        start = max(0, len(data) - self._longest + 1)
        last = max(start, len(data) - self._head + 1)
        while hit := self._heads.search(data, start):
            if self._may_go_on(data[hit.start() :]):
                return hit.start()
            start = hit.start() + 1
        shorter = (i for i in range(last, len(data)) if self._may_go_on(data[i:]))
        return next(shorter, len(data))

    def _may_go_on(self, end: bytes) -> bool:
        after = bisect_right(self._sorted, end)
        return after < len(self._sorted) and self._sorted[after].startswith(end)

    def found(self, data: bytes, until: int) -> Iterator[tuple[int, int]]:
        """The occurrences that begin before `until`: of two at a place, the longer."""
        start = 0
        while (hit := self._heads.search(data, start)) and hit.start() < until:
            at = hit.start()
            for form in self._by_head[hit.group()]:
                if data.startswith(form, at):
                    yield at, at + len(form)
                    break
            start = at + 1


def _branches(texts: Iterable[bytes], *, depth: int) -> bytes:
    """A pattern for any of these texts of `depth` bytes, branching byte by byte.

    Branches are tried one after the other: 600 of them side by side take long.
    """
    by_first: dict[bytes, list[bytes]] = defaultdict(list)
    for text in texts:
        by_first[text[:1]].append(text[1:])
    if depth == 1:
        return b"[%b]" % b"".join(map(re.escape, by_first))
    branches = (
        re.escape(first) + _branches(rest, depth=depth - 1)
        for first, rest in by_first.items()
    )
    return b"(?:%b)" % b"|".join(branches)
