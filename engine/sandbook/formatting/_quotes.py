"""Quotes for the texts of a runbook that other YAML tools would refuse or misread."""

from __future__ import annotations

import re
from typing import Final

from sandbook.formatting._edits import Edit, apply
from sandbook.formatting._texts import (
    in_quotes,
    is_misread,
    is_taken_for_other,
    means_text,
)
from sandbook.loader._events import (
    Event,
    Events,
    FastEvents,
    NeedsRepairError,
    RepairingEvents,
    has_fast_parser,
)
from sandbook.loader._shape import Shape
from sandbook.loader._shield import Shield
from sandbook.loader._source import Source

_ANCHOR: Final = re.compile(r"&\S+\s+")
_RAW: Final = frozenset({"raw"})
_BY_TYPE: Final = frozenset({"integer", "number", "boolean"})
_ANY_TYPE: Final = _BY_TYPE | {"text"}


def quote(text: str, shape: Shape, *, careful: bool) -> str:
    """`text`, a runbook without problems, as all YAML tools read it alike.

    `careful` = a text inside a value with an anchor gets quotes only where a tool
    would not find one text there.
    """
    shielded = Shield(Source("", text)).text
    if has_fast_parser():
        try:
            return apply(text, _Walk(text, FastEvents(shielded), careful).edits(shape))
        except NeedsRepairError:
            pass
    return apply(text, _Walk(text, RepairingEvents(shielded), careful).edits(shape))


class _Walk:
    def __init__(self, text: str, events: Events, careful: bool) -> None:  # noqa: FBT001
        self._text = text
        self._events = events
        self._careful = careful
        self._anchors = 0
        self._edits: list[Edit] = []

    def edits(self, shape: Shape) -> list[Edit]:
        """Go through the one document."""
        while (event := self._events.next()).kind != "stream end":
            if event.kind != "document":
                self._node(event, shape, in_braces=False)
        return self._edits

    def _node(self, event: Event, shape: Shape, *, in_braces: bool) -> None:
        named = event.kind != "alias" and event.anchor is not None
        self._anchors += named
        if event.kind == "scalar":
            self._scalar(event, shape.kinds, in_braces=in_braces)
        elif event.kind == "list":
            while (inner := self._events.next()).kind != "end":
                self._node(inner, shape.item(), in_braces=event.in_braces)
        elif event.kind == "map":
            self._map(event, shape)
        self._anchors -= named

    def _map(self, event: Event, shape: Shape) -> None:
        by_type: list[Event] = []
        kinds = frozenset({"text"})
        while (key := self._events.next()).kind != "end":
            self._key(key, shape, in_braces=event.in_braces)
            inner = shape.under(key.value)
            if inner.takes_line and not event.in_braces:
                self._events.take_line(inner)
            value = self._events.next()
            if key.value == "<<":
                kinds = _ANY_TYPE
            elif key.value == "type" and value.value in _BY_TYPE:
                kinds = frozenset({value.value})
            if value.kind == "scalar" and inner.kinds == _RAW:
                # The default of an input is read by its type, which may stand below.
                by_type.append(value)
            else:
                self._node(value, inner, in_braces=event.in_braces)
        for value in by_type:
            self._scalar(value, kinds, in_braces=event.in_braces)

    def _key(self, event: Event, shape: Shape, *, in_braces: bool) -> None:
        if event.style != "plain" or event.value == "<<" or shape.knows(event.value):
            return
        start, written = self._written(event)
        if is_misread(written, in_braces=in_braces) or is_taken_for_other(written):
            self._quote(start, written)

    def _scalar(self, event: Event, kinds: frozenset[str], *, in_braces: bool) -> None:
        start, written = self._written(event)
        if event.style != "plain" or not written:
            return
        if is_misread(written, in_braces=in_braces):
            self._quote(start, written, may_be_block=not in_braces)
        elif self._careful and self._anchors:
            return
        elif means_text(kinds, written) and is_taken_for_other(written):
            self._quote(start, written)

    def _written(self, event: Event) -> tuple[int, str]:
        """Where the text of a scalar starts, behind its anchor, and that text."""
        start = event.start
        if event.anchor is not None and (anchor := _ANCHOR.match(self._text, start)):
            start = anchor.end()
        return start, self._text[start : event.end]

    def _quote(self, start: int, written: str, *, may_be_block: bool = False) -> None:
        end = start + len(written)
        quoted = in_quotes(written, may_be_block=may_be_block and "\n" not in written)
        if quoted is not None:
            self._edits.append(Edit(start, end, quoted))
            return
        # As deep as the text stood is deep enough for any parent.
        column = start - self._text.rfind("\n", 0, start) - 1
        line_end = self._text.index("\n", end)
        self._edits.append(Edit(start, end, "|-"))
        self._edits.append(Edit(line_end, line_end, f"\n{' ' * column}{written}"))
