"""Find where a value of the typed runbook stands in the file.

A step's `path` in the plan leads to its map in the tree, so that a problem that is
only seen once the whole file is known still marks the value, not just the step.
"""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias

from sandbook.errors import Location
from sandbook.loader._nodes import ListNode, MapNode, Node, Pair, ScalarNode
from sandbook.loader._source import Source
from sandbook.runbook import Step

_PART: Final = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]")
Key: TypeAlias = "str | int"


class Places:
    """The tree of a file, asked by steps and keys; problems are added to its source."""

    def __init__(self, tree: MapNode, source: Source) -> None:
        self._tree = tree
        self._source = source
        self._steps: dict[str, Node | None] = {}
        self._pairs: dict[str, dict[str, Pair]] = {}

    def top(self, *keys: Key) -> Node | None:
        """What stands under these keys of the file; None where nothing does."""
        return _descend(self._tree, keys)

    def of(self, step: Step, *keys: Key) -> Node | None:
        """What stands under these keys of a step, or the step itself."""
        if not keys:
            return self._step(step)
        pair = self.pair(step, str(keys[0]))
        return _descend(pair.value, keys[1:]) if pair else None

    def pair(self, step: Step, name: str) -> Pair | None:
        """A key of a step with its value."""
        # Every step is asked for a dozen keys.
        if step.path not in self._pairs:
            node = self._step(step)
            found = node.pairs if isinstance(node, MapNode) else ()
            self._pairs[step.path] = {pair.name: pair for pair in found}
        return self._pairs[step.path].get(name)

    def _step(self, step: Step) -> Node | None:
        if step.path not in self._steps:
            found = _PART.findall(step.path)
            keys = tuple(name or int(index) for name, index in found)
            self._steps[step.path] = _descend(self._tree, keys)
        return self._steps[step.path]

    def key(self, node: Node | None, name: str) -> ScalarNode | None:
        """A key of a map itself, not its value."""
        pair = node.find(name) if isinstance(node, MapNode) else None
        return pair.key if pair else None

    def text(self, step: Step, *keys: Key) -> str | None:
        """A text without expressions that stands there; None where there is none."""
        node = self.of(step, *keys)
        return plain_text(node)

    def add(
        self,
        code: str,
        node: Node | None,
        message: str,
        remedy: str = "",
        *,
        step: Step | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        """Add a problem that marks a node, or else the beginning of a step."""
        offset, length = (node.start, node.length) if node else (0, 1)
        if node is None and step is not None:
            offset = self._source.offset(step.at)
        self._source.add(
            code, offset, message, remedy=remedy, length=length, severity=severity
        )

    def warn_inside(
        self, code: str, node: ScalarNode, start: int, length: int, *words: str
    ) -> None:
        """Warn of a part of a text; `words` are the message and the remedy."""
        message, remedy = words
        self._source.add(
            code,
            self._inside(node, start),
            message,
            remedy=remedy,
            length=length,
            severity="warning",
        )

    def line_of(self, node: Node) -> int:
        """The line in which a node begins."""
        return self._source.locate(node.start).line

    def _inside(self, node: ScalarNode, start: int) -> int:
        """Where a character of a text stands, as well as the way of writing lets us."""
        if node.style in ("single", "double"):
            return min(node.start + 1 + start, node.end - 1)
        if node.style != "literal":
            return min(node.start + start, node.end - 1)
        before = node.text[:start]
        first = self._source.locate(node.start).line + 1
        number = first + before.count("\n")
        column = len(before) - (before.rfind("\n") + 1)
        at = Location(self._source.path, number, self._indent(node, first) + column + 1)
        return self._source.offset(at)

    def _indent(self, node: ScalarNode, first: int) -> int:
        """How far the lines of a block are indented: by its first line with words."""
        for index, text in enumerate(node.text.split("\n")):
            if text.strip():
                return max(0, len(self._source.line(first + index)) - len(text))
        return 0


def plain_text(node: Node | None) -> str | None:
    """The text of a scalar without expressions."""
    if isinstance(node, ScalarNode) and not node.marks and not node.is_empty:
        return node.text
    return None


def _descend(node: Node | None, keys: tuple[Key, ...]) -> Node | None:
    for key in keys:
        if isinstance(key, int) and isinstance(node, ListNode):
            node = node.items[key] if key < len(node.items) else None
        elif isinstance(key, str) and isinstance(node, MapNode):
            pair = node.find(key)
            node = pair.value if pair else None
        else:
            return None
    return node
