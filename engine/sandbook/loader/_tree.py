"""Build the located tree of a text, and refuse what YAML would pass over silently."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

import yaml

from sandbook.loader._events import (
    Event,
    Events,
    FastEvents,
    NeedsRepairError,
    RepairingEvents,
    has_fast_parser,
)
from sandbook.loader._nodes import ListNode, MapNode, Node, Pair, ScalarNode
from sandbook.loader._shape import Shape
from sandbook.loader._shield import Shield
from sandbook.loader._source import Source
from sandbook.loader._trouble import explain_yaml_error, refuse_tabs

MOST_VALUES: Final = 100_000
DEEPEST: Final = 100


class _Stopped(Exception):  # noqa: N818 - never leaves this module
    """The rest of the file cannot be read; the problem is recorded."""


def read_tree(source: Source, shape: Shape, *, fast: bool = True) -> Node | None:
    """The tree of a text; None when it cannot be read at all.

    Problems are added to `source`.
    """
    shield = Shield(source)
    known = len(source.problems)
    if fast and has_fast_parser():
        try:
            return _Builder(source, shield, FastEvents(shield.text)).build(shape)
        except NeedsRepairError:
            # What was found so far will be found again.
            del source.problems[known:]
    try:
        return _Builder(source, shield, RepairingEvents(shield.text)).build(shape)
    except yaml.YAMLError as error:
        explain_yaml_error(error, source, shield.text)
        return None


class _Builder:
    def __init__(self, source: Source, shield: Shield, events: Events) -> None:
        self._source = source
        self._shield = shield
        self._events = events
        self._anchors: dict[str, Node | None] = {}
        self._texts: list[tuple[int, int]] = []
        self._depth = 0

    def build(self, shape: Shape) -> Node | None:
        """Read the one document."""
        try:
            node = self._document(shape)
        except _Stopped:
            node = None
        if "\t" in self._source.text:
            refuse_tabs(self._source, self._texts)
        return node

    def _document(self, shape: Shape) -> Node | None:
        node: Node | None = None
        while (event := self._events.next()).kind != "stream end":
            if event.kind != "document":
                node = self._node(event, shape)
            elif node is not None:
                message = "a second YAML document begins here, and a runbook is one"
                self._stop("SB110", event, message, "put it into a file of its own")
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
        return self._stop("SB106", event, f"the alias *{anchor} {why}", remedy)

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

    def _scalar(self, event: Event, *, may_hold_tabs: bool = False) -> ScalarNode:
        end = event.end
        if event.style in ("literal", "folded"):
            end = max(event.start, len(self._source.text[:end].rstrip("\n\r ")))
        # libyaml lets plain texts hold tabs, other tools do not.
        if may_hold_tabs or event.style != "plain":
            self._texts.append((event.start, end))
        pieces = self._shield.restore(event.value, event.style, event.start, end)
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
        merged: list[Node] = []
        count = 1
        while (inner := self._events.next()).kind != "end":
            key = self._key(inner)
            value_shape = shape.under(key.text)
            if value_shape.takes_line and not event.in_braces:
                self._events.take_line(value_shape)
            value = self._node(self._events.next(), value_shape)
            count = self._count(count + value.count + 1, inner)
            if key.text == "<<" and key.is_plain:
                merged.append(value)
            else:
                self._keep(Pair(key, value), pairs)
        self._merge(merged, pairs)
        # An alias ends where its anchor stands, far above.
        ends = (max(pair.key.end, pair.value.end) for pair in pairs.values())
        return MapNode(
            tuple(pairs.values()), event.start, max(ends, default=inner.end), count
        )

    def _key(self, event: Event) -> ScalarNode:
        if event.kind != "scalar":
            remedy = "quote the text if it begins with [, { or *"
            self._stop("SB101", event, "a key must be a plain text", remedy)
        self._refuse_tag(event)
        key = self._scalar(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = key
        if key.marks:
            message = "an expression cannot be a key"
            self._source.add("SB305", key.start, message, length=key.length)
        return key

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

    def _merge(self, merged: Sequence[Node], pairs: dict[str, Pair]) -> None:
        for node in merged:
            for one in node.items if isinstance(node, ListNode) else (node,):
                if isinstance(one, MapNode):
                    for pair in one:
                        pairs.setdefault(pair.name, pair)
                else:
                    self._source.add(
                        "SB106", one.start, "`<<` takes a map, or a list of maps"
                    )
