"""What happened at a terminal, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from sandbook.api import EchoState


@dataclass(frozen=True, slots=True)
class Shown:
    """The terminal showed this."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Typed:
    """A person typed this; `echo` is what became of it, None = nobody could tell.

    `at` is when, in seconds since any moment.
    """

    data: bytes = field(repr=False)
    echo: EchoState | None = "shown"
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Resized:
    """The terminal got another size."""

    cols: int
    rows: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The program ended; `code` None = it was left running, or nobody knows."""

    code: int | None


LogEvent: TypeAlias = Shown | Typed | Resized | Ended
