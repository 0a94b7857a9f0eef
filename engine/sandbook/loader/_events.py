"""The events of a YAML text, with texts that take the whole rest of their line.

The C parser reads first; the lines that are texts as a whole are hidden from it. At the
first place where it finds an error, or something else than such a line where one was
hidden, PyYAML's own parser starts again: between a key and its value it can be told to
take the line as it is. That is decided where YAML itself has found a key, so that lines
inside block texts, quotes and braces are never touched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

import yaml

from sandbook.loader._lines import HiddenLines
from sandbook.loader._nodes import Style
from sandbook.loader._parser import (
    LineParser,
    end_of_line,
    has_comment_sign,
    reads_alike,
    takes_rest,
)
from sandbook.loader._shape import Shape

EventKind = Literal["scalar", "alias", "list", "map", "end", "document", "stream end"]

_KINDS: Final[dict[str, EventKind]] = {
    "ScalarEvent": "scalar",
    "AliasEvent": "alias",
    "SequenceStartEvent": "list",
    "MappingStartEvent": "map",
    "SequenceEndEvent": "end",
    "MappingEndEvent": "end",
    "DocumentStartEvent": "document",
    "StreamEndEvent": "stream end",
}
_STYLES: Final[dict[str, Style]] = {
    "'": "single",
    '"': "double",
    "|": "literal",
    ">": "folded",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What stands in the text next; `start` and `end` count characters."""

    kind: EventKind
    start: int
    end: int
    value: str = ""
    style: Style = "plain"
    anchor: str | None = None
    tag: str | None = None
    in_braces: bool = False
    has_hash: bool = False


class Events(Protocol):
    """A stream of events that can be asked to take a line as text."""

    def next(self) -> Event:
        """The next event; raises `yaml.YAMLError` or `NeedsRepairError`."""
        ...

    def take_line(self, shape: Shape) -> None:
        """Behind the key just given: the rest of its line may be one text."""
        ...


class NeedsRepairError(Exception):
    """The C parser cannot read on; begin again with the other one."""


def has_fast_parser() -> bool:
    """Whether PyYAML was built with libyaml."""
    return bool(yaml.__with_libyaml__)


class FastEvents:
    """libyaml's events; gives up where it cannot tell what a text is."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = HiddenLines(text)
        self._loader: Any = yaml.CLoader(self._lines.text)
        self._last_end = 0
        self._taken = -1
        self._is_safe = reads_alike(text)

    def next(self) -> Event:
        """The next event."""
        if not self._is_safe:
            raise NeedsRepairError
        try:
            event = _next_event(self._loader)
        except yaml.YAMLError as error:
            raise NeedsRepairError from error
        self._last_end = event.end
        return self._shown(event) if self._lines.is_in(event.value) else event

    def take_line(self, shape: Shape) -> None:
        """The next text is hidden if it takes its line; give up if it should be."""
        end = end_of_line(self._text, self._last_end)
        before, colon, rest = self._text[self._last_end : end].partition(":")
        if not colon or not takes_rest(rest, shape):
            return
        begin = self._last_end + len(before) + 1
        self._taken = begin + len(rest) - len(rest.lstrip(" \t"))
        if not self._lines.holds(self._taken):
            raise NeedsRepairError

    def _shown(self, event: Event) -> Event:
        start, end = event.start, event.end
        text: str | None = None
        if event.style == "plain" and start == self._taken:
            text = self._lines.line(start, end)
        elif event.style in ("literal", "folded"):
            text = self._lines.shown(event.value, start, end)
        if text is None:
            raise NeedsRepairError
        has_hash = event.style == "plain" and has_comment_sign(text)
        return replace(event, value=text, has_hash=has_hash)


class RepairingEvents:
    """PyYAML's events, with lines taken as they are where a key asks for it."""

    def __init__(self, text: str) -> None:
        self._parser = LineParser(text)

    def next(self) -> Event:
        """The next event."""
        return _next_event(self._parser)

    def take_line(self, shape: Shape) -> None:
        """Look at the rest of the line before the next token is read."""
        self._parser.shape = shape


def _next_event(parser: Any) -> Event:
    event = parser.get_event()
    while (kind := _KINDS.get(type(event).__name__)) is None:
        event = parser.get_event()
    end = event.end_mark.index
    return Event(
        kind=kind,
        start=event.start_mark.index,
        end=end,
        value=getattr(event, "value", ""),
        # A plain scalar has the style '' in libyaml and None in PyYAML.
        style=_STYLES.get(getattr(event, "style", None) or "", "plain"),
        anchor=getattr(event, "anchor", None),
        tag=getattr(event, "tag", None),
        in_braces=bool(getattr(event, "flow_style", False)),
        has_hash=kind == "scalar" and end in getattr(parser, "taken", ()),
    )
