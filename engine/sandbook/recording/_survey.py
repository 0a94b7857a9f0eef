"""What is in a recording as a whole, and which of its events is meant by a name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from sandbook.errors import UsageError
from sandbook.recording._model import Event, Header, Recording
from sandbook.terminal import Screen
from sandbook.units import (
    LARGEST_SCREEN,
    format_duration,
    parse_duration,
    parse_terminal_size,
)

_CLOCK: Final = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)", re.ASCII)
_SECONDS: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What came of reading a recording once.

    `seconds` is the time of its last event, `counts` how many there are of each
    kind, `characters` how much was shown, `exit` the code it ended with.
    """

    header: Header
    seconds: float
    counts: Counter[str]
    characters: int
    exit: str | None
    markers: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: after so many events, at that time."""

    index: int
    at: float


BEGINNING: Final = Start(0, 0.0)


def survey(recording: Recording) -> Survey:
    """Read all of it."""
    counts: Counter[str] = Counter()
    characters, seconds = 0, 0.0
    code: str | None = None
    markers: list[Event] = []
    for event in recording.events:
        counts[event.kind] += 1
        seconds = event.at
        if event.kind == "o":
            characters += len(event.data)
        elif event.kind == "m":
            markers.append(event)
        elif event.kind == "x":
            code = event.data
    return Survey(
        header=recording.header,
        seconds=seconds,
        counts=counts,
        characters=characters,
        exit=code,
        markers=tuple(markers),
    )


def find_start(text: str, recording: Recording) -> Start:
    """The marker, or the time, that `text` means.

    Raises:
        UsageError: There is no such marker, several are meant, or it is too late.
    """
    seconds = _time(text)
    markers: list[tuple[Start, str]] = []
    first, last = 0, 0.0
    for index, event in enumerate(recording.events):
        last = event.at
        if seconds is not None and last < seconds:
            first = index + 1
        if event.kind == "m":
            markers.append((Start(index, event.at), event.data))
    named = _named(text, markers)
    if named is not None:
        return named
    if seconds is None:
        raise _unknown(text, [name for _, name in markers])
    if seconds > last:
        raise UsageError(
            f"{text!r} is after the end of the recording",
            remedy=f"it ends after {format_duration(last)}",
        )
    return Start(first, seconds)


def _named(text: str, markers: Sequence[tuple[Start, str]]) -> Start | None:
    """The first marker called exactly so, or the only one that has it inside."""
    exact = [start for start, name in markers if name == text]
    if exact:
        return exact[0]
    near = [(i, name) for i, name in markers if text.casefold() in name.casefold()]
    if len(near) > 1 and _time(text) is None:
        raise UsageError(
            f"{text!r} is in {len(near)} markers: {_listed(name for _, name in near)}",
            remedy="write more of the one that is meant",
        )
    return near[0][0] if len(near) == 1 and _time(text) is None else None


def _listed(names: Iterable[str]) -> str:
    told = [repr(name) for name in names]
    more = f" and {len(told) - 4} more" if len(told) > 4 else ""  # noqa: PLR2004
    return ", ".join(told[:4]) + more


def _time(text: str) -> float | None:
    """`12.5`, `1:30`, `90s`, `1m30s` as seconds."""
    if _SECONDS.fullmatch(text):
        return float(text)
    if clock := _CLOCK.fullmatch(text):
        return int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3])
    try:
        return parse_duration(text)
    except ValueError:
        return None


def _unknown(text: str, names: Sequence[str]) -> UsageError:
    near = get_close_matches(text, names, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else "see them: --markers"
    return UsageError(
        f"there is no marker {text!r}, and it is no time",
        remedy=remedy if names else "the recording has none; write a time, as 12s",
    )


def shown_lines(recording: Recording) -> list[str]:
    """The lines a person would have seen: what scrolled by, and the last screen."""
    header = recording.header
    screen = Screen(min(header.cols, LARGEST_SCREEN), min(header.rows, LARGEST_SCREEN))
    for event in recording.events:
        if event.kind == "o":
            screen.feed(event.data.encode("utf-8", "replace"))
        elif event.kind == "r":
            cols, rows = parse_terminal_size(event.data)
            screen.resize(min(cols, LARGEST_SCREEN), min(rows, LARGEST_SCREEN))
    return [*screen.output(), *(screen.lines() if screen.is_full else [])]
