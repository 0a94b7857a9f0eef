"""What a recording holds, whichever version its file is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sandbook.api import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What is known of a recording beside what happened.

    `timestamp` is when it began, in seconds since 1970; `idle_limit` how long its
    maker wants a pause to be shown, in seconds. `theme` is kept for other players.
    """

    version: int
    cols: int
    rows: int
    term: str | None = None
    timestamp: int | None = None
    title: str | None = None
    command: str | None = None
    idle_limit: float | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    theme: JSON = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened `at` so many seconds after the beginning.

    `kind` is the format's letter: o = shown, i = typed, r = another size, m = a
    marker, x = the end with its exit code. A player passes over those it does not
    know.
    """

    at: float
    kind: str
    data: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that is being read; `events` come as they are read, once."""

    header: Header
    events: Iterator[Event]
