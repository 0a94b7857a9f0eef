"""Build the located tree of a text, and refuse what YAML would pass over silently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NoReturn

import yaml

from sandbook.errors import Problem
from sandbook.loader._broken import without_block
from sandbook.loader._events import (
    Event,
    Events,
    FastEvents,
    NeedsRepairError,
    RepairingEvents,
    has_fast_parser,
)
from sandbook.loader._nodes import ListNode, MapNode, Mark, Node, Pair, ScalarNode
from sandbook.loader._shape import Shape
from sandbook.loader._shield import Shield
from sandbook.loader._source import Source
from sandbook.loader._trouble import explain_yaml_error, refuse_tabs

MOST_VALUES: Final = 100_000
MOST_EXPRESSIONS: Final = 20_000
DEEPEST: Final = 100
_MOST_READINGS: Final = 3
_MOST_BROKEN: Final = 10
_MOST_READ_AGAIN: Final = 200_000
_COLON: Final = re.compile("[ \t]*:")


class _Stopped(Exception):  # noqa: N818 - never leaves this module
    """The rest of the file cannot be read; the problem is recorded."""


def read_tree(source: Source, shape: Shape, *, fast: bool = True) -> Node | None:
    """The tree of a text; None when it cannot be read at all.

    Problems are added to `source`. Steps that are no YAML are left out of the tree,
    and `source.is_partial` says so. Without `fast` PyYAML's own parser reads the text,
    which gives the same.
    """
    known = len(source.problems)
    shield = Shield(source)
    tree = _read(source, shield, shape, fast=fast)
    for _ in range(_MOST_READINGS):
        if not shield.again:
            break
        del source.problems[known:]
        source.is_partial = False
        shield = shield.second()
        tree = _read(source, shield, shape, fast=fast)
    return tree


def _read(source: Source, shield: Shield, shape: Shape, *, fast: bool) -> Node | None:
    """Read a text, without the steps that are no YAML if there are some."""
    known = len(source.problems)
    text = shield.text
    told: list[Problem] = []
    passed = 0
    for _ in range(1 + min(_MOST_BROKEN, _MOST_READ_AGAIN // (len(text) + 1))):
        try:
            tree = _built(source, shield, text, shape, fast=fast)
        except yaml.MarkedYAMLError as error:
            found = len(source.problems)
            begin, end = explain_yaml_error(error, source, shield)
            if begin < passed:
                # Not another one, but what the last one has left.
                del source.problems[found:]
                break
            told += source.problems[found:]
            without = without_block(text, begin, end)
            if without is None:
                break
            text, passed = without
            source.is_partial = True
        else:
            source.problems += told
            return tree
        del source.problems[known:]
    source.problems[:] = dict.fromkeys((*source.problems, *told))
    return None


def _built(
    source: Source, shield: Shield, text: str, shape: Shape, *, fast: bool
) -> Node | None:
    known = len(source.problems)
    source.settled.clear()
    if fast and has_fast_parser():
        try:
            return _Builder(source, shield, FastEvents(text), text).build(shape)
        except NeedsRepairError:
            # What was found so far will be found again.
            del source.problems[known:]
            source.settled.clear()
    return _Builder(source, shield, RepairingEvents(text), text).build(shape)


class _Builder:
    def __init__(
        self, source: Source, shield: Shield, events: Events, text: str
    ) -> None:
        self._text = text
        self._source = source
        self._shield = shield
        self._events = events
        self._anchors: dict[str, Node | None] = {}
        self._texts: list[tuple[int, int]] = []
        self._depth = 0
        self._expressions = 0
        self._nowhere = Shape((), steps={}, root=None)

    def build(self, shape: Shape) -> Node | None:
        """Read the one document."""
        try:
            node = self._document(shape)
        except _Stopped:
            node = None
        if "\t" in self._text:
            refuse_tabs(self._source, self._text, self._texts)
        return node

    def _document(self, shape: Shape) -> Node | None:
        node: Node | None = None
        while (event := self._events.next()).kind != "stream end":
            if event.kind != "document":
                node = self._node(event, shape)
            elif node is not None:
                message = "a second YAML document begins here, and a runbook is one"
                remedy = "put it into a file of its own"
                self._source.add("SB110", event.start, message, remedy=remedy)
                return node
        return node

    def _stop(
        self, code: str, event: Event, message: str, remedy: str = ""
    ) -> NoReturn:
        self._source.add(code, event.start, message, remedy=remedy)
        raise _Stopped

    def _count(self, count: int, event: Event) -> int:
        if count > MOST_VALUES:
            message = f"more than {MOST_VALUES:,} values after aliases"
            self._stop("SB107", event, message)
        return count

    def _node(self, event: Event, shape: Shape) -> Node:
        if event.kind == "alias":
            return self._alias(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._refuse_tag(event)
        node = self._content(event, shape)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _content(self, event: Event, shape: Shape) -> Node:
        if event.kind == "scalar":
            return self._scalar(event, may_hold_tabs=shape.takes_line)
        self._depth += 1
        if self._depth > DEEPEST:
            self._stop("SB107", event, f"more than {DEEPEST} levels")
        is_list = event.kind == "list"
        node = self._list(event, shape) if is_list else self._map(event, shape)
        self._depth -= 1
        return node

    def _alias(self, event: Event) -> Node:
        anchor = event.anchor or ""
        node = self._anchors.get(anchor)
        if node is not None:
            return node
        inside = anchor in self._anchors
        why = "stands inside its own value" if inside else "has no anchor above it"
        remedy = "" if inside else "quote it, if it is a text"
        message = f"the alias *{anchor} {why}"
        self._source.add("SB106", event.start, message, remedy=remedy)
        self._source.settled.add(event.start)
        return ScalarNode((f"*{anchor}",), "plain", event.start, event.end)

    def _refuse_tag(self, event: Event) -> None:
        if event.tag is None:
            return
        written = self._source.rest_of_line(event.start)
        # The mark of a node with an anchor and a tag is that of the first of them.
        begins = max(0, written.find("!"))
        word = written[begins:].split(" ")[0].rstrip(",]}")
        self._source.add(
            "SB104",
            event.start + begins,
            f"{word!r} would be a YAML tag, and tags have no meaning here",
            remedy="quote the text, if it is one",
            length=len(word),
        )
        self._source.settled.add(event.start)

    def _scalar(self, event: Event, *, may_hold_tabs: bool = False) -> ScalarNode:
        end = event.end
        if event.style in ("literal", "folded"):
            end = max(event.start, len(self._source.text[:end].rstrip("\n\r ")))
        # libyaml lets plain texts hold tabs, other tools do not.
        if may_hold_tabs or event.style != "plain":
            self._texts.append((event.start, end))
        pieces = self._shield.restore(event.value, event.style, event.start, end)
        self._expressions += sum(isinstance(piece, Mark) for piece in pieces)
        if self._expressions > MOST_EXPRESSIONS:
            self._stop("SB107", event, f"more than {MOST_EXPRESSIONS:,} expressions")
        return ScalarNode(pieces, event.style, event.start, end, event.has_hash)

    def _list(self, event: Event, shape: Shape) -> ListNode:
        items: list[Node] = []
        count = 1
        while (inner := self._events.next()).kind != "end":
            node = self._node(inner, shape.item())
            count = self._count(count + node.count, inner)
            items.append(node)
        end = max((item.end for item in items), default=inner.end)
        return ListNode(tuple(items), event.start, end, count)

    def _map(self, event: Event, shape: Shape) -> MapNode:
        pairs: dict[str, Pair] = {}
        merged: dict[str, Pair] = {}
        count = 1
        before = event.start + 1
        while (inner := self._events.next()).kind != "end":
            key = self._key(_placed(inner, before) if event.in_braces else inner)
            value = self._value(key, shape, in_braces=event.in_braces)
            before = value.end
            count = self._count(count + key.count + value.count, inner)
            is_merge = key.text == "<<" and key.is_plain
            self._keep(Pair(key, value), merged if is_merge else pairs)
        self._merge(merged, pairs)
        # An alias ends where its anchor stands, far above.
        ends = (max(pair.key.end, pair.value.end) for pair in pairs.values())
        return MapNode(
            tuple(pairs.values()), event.start, max(ends, default=inner.end), count
        )

    def _value(self, key: ScalarNode, shape: Shape, *, in_braces: bool) -> Node:
        inner = shape.under(key.text)
        if inner.takes_line and not in_braces:
            self._events.take_line(inner)
        event = self._events.next()
        if in_braces:
            colon = _COLON.match(self._text, key.end)
            event = _placed(event, colon.end() if colon else key.end)
        return self._node(event, inner)

    def _key(self, event: Event) -> ScalarNode:
        if event.kind != "scalar":
            return self._no_key(event)
        self._refuse_tag(event)
        key = self._scalar(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = key
        if key.marks:
            message = "an expression cannot be a key"
            self._source.add("SB305", key.start, message, length=key.length)
            self._source.settled.add(key.start)
        return key

    def _no_key(self, event: Event) -> ScalarNode:
        remedy = "quote the text if it begins with [, { or *"
        self._source.add(
            "SB101", event.start, "a key must be a plain text", remedy=remedy
        )
        self._source.settled.add(event.start)
        node = self._node(event, self._nowhere)
        # No other key has such a name: it is neither known nor there twice.
        name = f"\0{event.start}"
        return ScalarNode((name,), "plain", event.start, node.end, count=node.count)

    def _keep(self, pair: Pair, pairs: dict[str, Pair]) -> None:
        first = pairs.get(pair.name)
        if first is None:
            pairs[pair.name] = pair
            return
        line = self._source.locate(first.key.start).line
        self._source.add(
            "SB103",
            pair.key.start,
            f"the key {pair.name!r} stands twice, first in line {line}",
            remedy="remove one of them",
            length=pair.key.length,
        )

    def _merge(self, merged: Mapping[str, Pair], pairs: dict[str, Pair]) -> None:
        for node in (pair.value for pair in merged.values()):
            for one in node.items if isinstance(node, ListNode) else (node,):
                if isinstance(one, MapNode):
                    for pair in one:
                        pairs.setdefault(pair.name, pair)
                elif one.start not in self._source.settled:
                    message = "`<<` takes a map, or a list of maps"
                    self._source.add("SB106", one.start, message)


def _placed(event: Event, at: int) -> Event:
    """The event; that of an empty text stands `at` a place both parsers know."""
    is_empty = event.kind == "scalar" and event.style == "plain" and not event.value
    if is_empty and event.anchor is None and event.tag is None:
        return replace(event, start=at, end=at)
    return event
