"""The located tree: what stands in the file, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Style = Literal["plain", "single", "double", "literal", "folded"]


@dataclass(frozen=True, slots=True)
class Mark:
    """An expression as it stands in the file, not yet read.

    `source` is the text between `${{` and `}}`, `start` the offset of the `$`.
    """

    source: str
    start: int

    @property
    def length(self) -> int:
        """Characters from `${{` to `}}`."""
        return len(self.source) + 5


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A text. `has_hash` = it took a ` #` of its line, which could be a comment."""

    pieces: tuple[str | Mark, ...]
    style: Style
    start: int
    end: int
    has_hash: bool = False
    count: int = 1

    @property
    def text(self) -> str:
        """The text, expressions as they are written."""
        if len(self.pieces) == 1 and isinstance(self.pieces[0], str):
            return self.pieces[0]
        return "".join(
            piece if isinstance(piece, str) else f"${{{{{piece.source}}}}}"
            for piece in self.pieces
        )

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The expressions in it."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Mark))

    @property
    def is_plain(self) -> bool:
        """Whether it is written without quotes."""
        return self.style == "plain"

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is written."""
        return self.is_plain and not self.pieces

    @property
    def length(self) -> int:
        """Characters in the file."""
        return max(1, self.end - self.start)


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    items: tuple[Node, ...]
    start: int
    end: int
    count: int
    length: int = 1


@dataclass(frozen=True, slots=True)
class Pair:
    """A key and its value."""

    key: ScalarNode
    value: Node

    @property
    def name(self) -> str:
        """The key as a text."""
        return self.key.text


@dataclass(frozen=True, slots=True)
class MapNode:
    """A map; equal keys are already refused and only the first is here."""

    pairs: tuple[Pair, ...]
    start: int
    end: int
    count: int
    length: int = 1

    def __iter__(self) -> Iterator[Pair]:
        """Its pairs, in the order of the file."""
        return iter(self.pairs)

    def find(self, name: str) -> Pair | None:
        """The pair with this key."""
        return next((pair for pair in self.pairs if pair.name == name), None)


Node: TypeAlias = ScalarNode | ListNode | MapNode
