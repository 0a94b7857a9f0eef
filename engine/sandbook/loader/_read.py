"""Read a node as its schema says: the typed value, or the problems where they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sandbook.api import Schema
from sandbook.expressions import Value
from sandbook.loader._nodes import ListNode, MapNode, Node, Pair, ScalarNode
from sandbook.loader._scalars import (
    NEEDED,
    Bad,
    ScalarReader,
    is_null,
    not_a_name,
)
from sandbook.loader._source import Source
from sandbook.problems import suggest
from sandbook.schema import (
    NAME_PATTERN,
    alternatives,
    items_of,
    kind_of,
    others_of,
    properties_of,
    resolve,
    words_of,
)
from sandbook.shell_text import PREFIX

_NAME = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z")
_FREE: Schema = {"x-kind": "free"}
_TYPE_CODES = frozenset({"SB203", "SB204", "SB206"})
_ANYTHING = frozenset({"free", "item", "raw"})
RESERVED = PREFIX.partition("_")[0]
"""Names in `env` cannot begin so."""


class TreeReader:
    """Reads nodes; every problem is added to `source`, and reading goes on."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._scalars = ScalarReader(source)

    def read(self, node: Node, schema: Schema, root: Schema | None = None) -> Value:
        """The value of a node; meaningless where a problem was added."""
        root = root or schema
        choices = [
            inner
            for one in alternatives(schema)
            for inner in alternatives(resolve(one, root))
        ]
        fitting = [choice for choice in choices if _fits(node, choice)]
        if not fitting:
            self._wrong_type(node, choices)
            return None
        if isinstance(node, ListNode):
            return self._list(node, fitting[0], root)
        if isinstance(node, MapNode):
            return self._one_map(node, fitting, root)
        return self._scalar(node, fitting, choices)

    def add(self, code: str, node: Node, message: str, remedy: str = "") -> None:
        """Add a problem that marks a whole node."""
        self._source.add(code, node.start, message, remedy=remedy, length=node.length)

    def unknown_key(self, pair: Pair, known: Sequence[str], where: str = "") -> None:
        """Add the problem of a key that does not exist."""
        if self._source.is_full:
            return
        self.add(
            "SB201",
            pair.key,
            f"there is no key {pair.name!r}{where or ' here'}",
            suggest(pair.name, known, kind="keys"),
        )

    def missing_key(self, node: MapNode, name: str, remedy: str = "") -> None:
        """Add the problem of a key that must be there: at the last line of its map."""
        last = self._source.locate(max(node.start, node.end - 1))
        line = self._source.line(last.line)
        indent = len(line) - len(line.lstrip())
        offset = self._source.offset(last) - last.column + 1 + indent
        self._source.add(
            "SB202",
            offset,
            f"the key {name!r} is missing",
            remedy=remedy or f"add `{name}: …`",
            length=max(1, len(line.strip())),
        )

    def check_name(self, pair: Pair, *, is_env: bool = False) -> None:
        """Add a problem for a key that is no name."""
        if pair.key.marks:
            return  # already told
        if not _NAME.match(pair.name):
            self.add("SB208", pair.key, *not_a_name(pair.name))
        elif is_env and pair.name.startswith(RESERVED):
            self.add(
                "SB216",
                pair.key,
                f"{pair.name!r} cannot be set: {RESERVED}… belongs to Sandbook",
                "choose another name",
            )

    def _wrong_type(self, node: Node, choices: Sequence[Schema]) -> None:
        needed = _words(choices)
        if isinstance(node, ScalarNode):
            if node.is_empty:
                found = "nothing is written"
                self.add("SB203", node, f"{needed} is needed here, and {found}")
                return
            found = repr(node.text) if len(node.text) < 60 else "a text"  # noqa: PLR2004
        else:
            found = "a list" if isinstance(node, ListNode) else "a map"
        quotable = isinstance(node, MapNode) and self._source.text.startswith(
            "{", node.start
        )
        remedy = "quote it, if it is a text" if quotable else ""
        self.add("SB203", node, f"{needed} is needed here, not {found}", remedy)

    def _scalar(
        self, node: ScalarNode, fitting: list[Schema], choices: list[Schema]
    ) -> Value:
        if any(one.get("x-none") for one in fitting) and node.text == "none":
            return None
        if is_null(node) and any(kind_of(one) == "nothing" for one in fitting):
            return None
        usable = [one for one in fitting if kind_of(one) != "nothing"]
        if node.marks:
            return self._with_marks(node, usable, mixed=_is_mixed(choices))
        problem: Bad | None = None
        for one in usable:
            try:
                return self._scalars.read(node, one)
            except Bad as error:
                problem = error
        # Of one list of words the nearest is told, though it may also be a list.
        is_word = len(usable) == 1 and problem and problem.code == "SB204"
        if len(choices) > 1 and problem and problem.code in _TYPE_CODES and not is_word:
            if node.is_empty:
                self._wrong_type(node, choices)
                return None
            words = _words(choices)
            problem = Bad("SB203", f"{words} is needed here, not {node.text!r}")
        self._bad(node, problem or Bad("SB203", "nothing may stand here"))
        return None

    def _with_marks(
        self, node: ScalarNode, usable: list[Schema], *, mixed: bool
    ) -> Value:
        alone = len(node.pieces) == 1
        shell = [one for one in usable if kind_of(one) == "shell"]
        if alone and not shell and (mixed or len(usable) != 1):
            usable = [one for one in usable if one.get("x-static")] or [
                {"x-kind": "free"}
            ]
        texts = [one for one in usable if kind_of(one) in ("text", "line")]
        chosen = (shell or (texts if not alone else []) or usable)[0]
        try:
            return self._scalars.read(node, chosen)
        except Bad as error:
            self._bad(node, error)
            return None

    def _bad(self, node: ScalarNode, problem: Bad) -> None:
        if problem.code == "SB305" and node.marks:
            mark = node.marks[0]
            self._source.add(
                problem.code,
                mark.start,
                problem.message,
                remedy=problem.remedy,
                length=mark.length,
            )
            return
        self.add(problem.code, node, problem.message, problem.remedy)

    def _list(self, node: ListNode, schema: Schema, root: Schema) -> Value:
        least = schema.get("minItems", 0)
        if isinstance(least, int) and len(node.items) < least:
            self.add(
                "SB215", node, f"the list needs at least {least} item{'s'[: least - 1]}"
            )
        inner: Schema = _FREE
        if kind_of(schema) not in _ANYTHING:
            inner = items_of(schema)
        return tuple(self.read(item, inner, root) for item in node.items)

    def _one_map(self, node: MapNode, fitting: Sequence[Schema], root: Schema) -> Value:
        """A map that is one of several: the one whose keys it has."""
        best = _best(node, fitting)
        every = list(
            dict.fromkeys(key for one in fitting for key in properties_of(one))
        )
        strange = [pair for pair in node if pair.name not in every]
        named = any(node.find(name) for name in words_of(best, "required"))
        if len(fitting) > 1 and not named and strange and others_of(best) is None:
            # Which of them was meant is not known: what is missing cannot be told.
            for pair in strange:
                self.unknown_key(pair, every)
            return None
        return self._map(node, best, root, frozenset(every))

    def _map(
        self, node: MapNode, schema: Schema, root: Schema, every: frozenset[str]
    ) -> Value:
        known = properties_of(schema)
        is_free = kind_of(schema) in _ANYTHING
        others = _FREE if is_free else others_of(schema)
        values: dict[str, Value] = {}
        for pair in node:
            inner = known.get(pair.name, others)
            if inner is None and pair.name in every:
                self._beside(pair, next(iter(values), ""))
                continue
            if inner is None:
                self.unknown_key(pair, list(known))
                continue
            if schema.get("x-names"):
                self.check_name(pair, is_env=bool(schema.get("x-env")))
            values[pair.name] = self.read(pair.value, inner, root)
        self._complete(node, schema)
        return values

    def _beside(self, pair: Pair, first: str) -> None:
        """Add the problem of a key that is right elsewhere, but not with this one."""
        where = f"beside {first!r}" if first else "here"
        message = f"{pair.name!r} cannot stand {where}"
        self.add("SB213", pair.key, message, "remove it, or make it one of its own")

    def _complete(self, node: MapNode, schema: Schema) -> None:
        for name in words_of(schema, "required"):
            if node.find(name) is None:
                self.missing_key(node, name)
        least = schema.get("minProperties", 0)
        if isinstance(least, int) and len(node.pairs) < least:
            self.add("SB215", node, "the map is empty, and at least one key is needed")


def _fits(node: Node, schema: Schema) -> bool:
    kind = kind_of(schema)
    if kind in _ANYTHING and "type" not in schema:
        return True
    type_ = schema.get("type")
    if isinstance(node, ListNode):
        return type_ == "array"
    if isinstance(node, MapNode):
        return type_ == "object"
    if type_ in ("array", "object"):
        # An expression alone may give a list or a map.
        return len(node.pieces) == 1 and bool(node.marks) and not schema.get("x-steps")
    return kind != "nothing" or is_null(node)


def _is_mixed(choices: Sequence[Schema]) -> bool:
    return any(one.get("type") in ("array", "object") for one in choices)


def _best(node: MapNode, fitting: Sequence[Schema]) -> Schema:
    """The alternative that knows most of the keys; the first of equals."""

    def unknown(schema: Schema) -> tuple[int, int]:
        known = properties_of(schema)
        strange = sum(pair.name not in known for pair in node)
        if others_of(schema) is not None:
            strange = 0
        required = words_of(schema, "required")
        return (strange, sum(node.find(name) is None for name in required))

    filled = [one for one in fitting if node.pairs or not one.get("minProperties")]
    return min(filled or fitting, key=unknown)


def _words(choices: Sequence[Schema]) -> str:
    words: list[str] = []
    for one in choices:
        word = _word(one)
        if word not in words:
            words.append(word)
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _word(schema: Schema) -> str:
    known = words_of(schema, "enum")
    if known:
        return " or ".join(known)
    type_ = schema.get("type")
    if type_ in ("array", "object"):
        return "a list" if type_ == "array" else "a map"
    kind = kind_of(schema)
    return "nothing" if kind == "nothing" else NEEDED.get(kind, "a value")
