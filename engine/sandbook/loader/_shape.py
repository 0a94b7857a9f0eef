"""What the schema says about a place of the tree while that tree is still being read.

YAML alone cannot tell whether `see: Issue #5: open` is one text; the key can.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

from sandbook.api import Schema, VerbSpec
from sandbook.schema import (
    alternatives,
    items_of,
    kind_of,
    others_of,
    properties_of,
    resolve,
    step_keys,
    top_keys,
)

_LINE_KINDS: Final = frozenset({"line", "shell", "code"})


class Shape:
    """The schemas of which one describes a value; places below are found on demand."""

    def __init__(
        self,
        schemas: Iterable[Schema],
        *,
        steps: Mapping[str, Shape],
        root: Schema | None,
    ) -> None:
        self._schemas = tuple(inner for one in schemas for inner in alternatives(one))
        self._steps = steps
        self._root = root
        self._known: dict[str, Shape] = {}
        self._items: Shape | None = None

    @cached_property
    def takes_line(self) -> bool:
        """Whether a text here is the whole rest of its line."""
        return any(
            one.get("x-kind") in _LINE_KINDS or one.get("x-line")
            for one in self._resolved
        )

    @cached_property
    def takes_list(self) -> bool:
        """Whether a list may stand here."""
        return any(one.get("type") == "array" for one in self._resolved)

    @cached_property
    def takes_map(self) -> bool:
        """Whether a map may stand here."""
        return any(one.get("type") == "object" for one in self._resolved)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """How a single text here may be read; nothing is known where it is empty."""
        return frozenset(
            kind_of(one)
            for one in self._resolved
            if one.get("type") not in ("array", "object")
        )

    def knows(self, key: str) -> bool:
        """Whether this key is one of the language, and no name of the author."""
        if self._is_steps and key in self._steps:
            return True
        return any(key in properties_of(one) for one in self._resolved)

    def under(self, key: str) -> Shape:
        """The value of this key."""
        if key not in self._known:
            if self._is_steps and key in self._steps:
                return self._steps[key]
            self._known[key] = self._inner(_value(one, key) for one in self._resolved)
        return self._known[key]

    def item(self) -> Shape:
        """The items of a list."""
        if self._items is None:
            self._items = self._inner(_items(one) for one in self._resolved)
        return self._items

    @cached_property
    def _is_steps(self) -> bool:
        return any(one.get("x-step-map") for one in self._schemas)

    @cached_property
    def _resolved(self) -> tuple[Schema, ...]:
        return tuple(
            inner
            for one in self._schemas
            for inner in alternatives(resolve(one, self._root))
        )

    def _inner(self, schemas: Iterable[Schema | None]) -> Shape:
        known = (schema for schema in schemas if schema is not None)
        return Shape(known, steps=self._steps, root=self._root)


_STEP: Final[Schema] = {"type": "object", "x-step-map": True}


def _value(schema: Schema, key: str) -> Schema | None:
    known = properties_of(schema)
    if key in known:
        return known[key]
    # What is free below needs no shape, and `others_of` says so for any schema.
    return others_of(schema) if "additionalProperties" in schema else None


def _items(schema: Schema) -> Schema | None:
    if schema.get("x-steps"):
        return _STEP
    return items_of(schema) if "items" in schema else None


def runbook_shape(verbs: Mapping[str, VerbSpec]) -> Shape:
    """The shape of a whole file."""
    by_key: dict[str, list[Schema]] = {}
    for verb in verbs.values():
        for key, schema in step_keys(verb).items():
            by_key.setdefault(key, []).append(schema)
    steps: dict[str, Shape] = {}
    for key, found in by_key.items():
        roots = (schema for schema in found if "$defs" in schema)
        steps[key] = Shape(found, steps=steps, root=next(roots, None))
    top: Schema = {"type": "object", "properties": top_keys(verbs)}
    return Shape((top,), steps=steps, root=None)
