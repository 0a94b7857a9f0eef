"""What there is to know of a verb, for `sandbook steps` and the written reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from sandbook.api import Schema, VerbSpec
from sandbook.schema._fragments import (
    alternatives,
    items_of,
    kind_of,
    properties_of,
    resolve,
    words_of,
)
from sandbook.schema._keys import STEP_KEYS, step_keys
from sandbook.schema._subjects import SUBJECTS
from sandbook.schema._words import sentence, type_words
from sandbook.units import format_duration

_DEEPEST: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """A key: `path` is `ready.port` for one within another, `type` is in words."""

    path: str
    type: str
    description: str
    required: bool = False
    has_default: bool = False
    default: object = None
    examples: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbEntry:
    """A verb: its own keys, and the names of what is the same for many verbs.

    `timeout` is the default as an author writes it; `example` is one step, as data.
    """

    name: str
    summary: str
    keys: tuple[KeyEntry, ...]
    common: tuple[str, ...]
    subjects: tuple[str, ...]
    fields: Mapping[str, str]
    timeout: str
    example: Mapping[str, object]


def verb_entry(verb: VerbSpec) -> VerbEntry:
    """All of a verb."""
    keys = step_keys(verb)
    own = {verb.name, *verb.keys, *verb.nested}
    needed = {verb.name, *verb.required}
    found = {name: schema for name, schema in keys.items() if name in own}
    asked = {
        name for one in alternatives(verb.value) for name in words_of(one, "x-subjects")
    }
    return VerbEntry(
        name=verb.name,
        summary=sentence(verb.summary),
        keys=tuple(entries(found, required=needed)),
        common=tuple(name for name in keys if name in STEP_KEYS and name not in own),
        subjects=tuple(one for one in SUBJECTS if one in asked or one in verb.subjects),
        fields=verb.fields,
        timeout="none" if verb.timeout is None else format_duration(verb.timeout),
        example=_example(verb, keys),
    )


def entries(
    found: Mapping[str, Schema],
    *,
    required: Iterable[str] = (),
    deepest: int = _DEEPEST,
    around: str = "",
    root: Schema | None = None,
) -> Iterator[KeyEntry]:
    """The keys of a map, each followed by those within it, so many levels deep.

    `root` holds the definitions that their fragments refer to.
    """
    needed = frozenset(required)
    for name, schema in found.items():
        path = f"{around}{name}"
        yield _entry(path, schema, root, required=name in needed)
        if deepest:
            yield from _within(path, schema, deepest - 1, root)


def _entry(
    path: str, schema: Schema, root: Schema | None, *, required: bool
) -> KeyEntry:
    examples = schema.get("examples", ())
    return KeyEntry(
        path=path,
        type=type_words(schema, root),
        description=sentence(str(schema.get("description", ""))),
        required=required,
        has_default="default" in schema,
        default=schema.get("default"),
        examples=tuple(cast("Iterable[object]", examples)),
    )


def _within(
    path: str, schema: Schema, deepest: int, around: Schema | None
) -> Iterator[KeyEntry]:
    root = schema if "$defs" in schema else None
    for one in alternatives(schema):
        inner, mark = resolve(one, root), "."
        if kind_of(inner) == "list" and not inner.get("x-steps"):
            inner, mark = items_of(inner), "[]."
        for part in alternatives(resolve(inner, root)):
            keys = properties_of(part)
            # Subjects and their matchers are told once, not under each key.
            own = {k: v for k, v in keys.items() if SUBJECTS.get(k) is not v}
            needed = words_of(part, "required")
            below = f"{path}{mark}"
            yield from entries(
                own, required=needed, deepest=deepest, around=below, root=root or around
            )


def _example(verb: VerbSpec, keys: Mapping[str, Schema]) -> dict[str, object]:
    """The first example of the verb, with those of the keys that must be there.

    And the steps it holds, if it may hold some.
    """
    names = (verb.name, *verb.required, *verb.one_of[:1], *verb.nested)
    first = {name: keys.get(name, {}).get("examples") for name in names}
    return {
        name: cast("list[object]", found)[0] if found else None
        for name, found in first.items()
    }
