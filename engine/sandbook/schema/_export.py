"""The schema of a runbook as plain JSON Schema, for editors and other tools.

It describes what a plain YAML reader makes of the file, and so allows a little more
than the loader does: that one sees how a value was written. Its form is chosen for
editors: alternatives are told apart by the key that only one of them has, so that one
mistake gives one message, and what is offered at a place is what may stand there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbook.api import Schema, VerbSpec
from sandbook.schema._atoms import NAME_PATTERN
from sandbook.schema._choice import by_own_key, exactly_one, ref, step_of
from sandbook.schema._fragments import (
    ANNOTATIONS,
    alternatives,
    items_of,
    kind_of,
    others_of,
    properties_of,
    resolve,
    words_of,
)
from sandbook.schema._keys import CREATE, STEP_KEYS, step_keys, top_keys
from sandbook.schema._kinds import is_closed, join, part_of
from sandbook.schema._subjects import SUBJECTS
from sandbook.schema._words import sentence, title_of
from sandbook.units import format_duration

ID: Final = "urn:sandbook:runbook:1"
DESCRIPTION: Final = (
    "A runbook lists steps; they run from top to bottom in a sandbox, and the first "
    "failure stops them."
)
_NAMES: Final = {
    "pattern": NAME_PATTERN,
    "errorMessage": "a name is letters, digits and _, and no digit first",
}
_VARIABLES: Final = {
    "pattern": NAME_PATTERN.replace("^", "^(?!SANDBOOK)", 1),
    "errorMessage": "a name is letters, digits and _; SANDBOOK… belongs to Sandbook",
}
_USUAL_TIMEOUT: Final = 600.0
_KINDS: Final[Mapping[str, Schema]] = {
    "text": {"x-kind": "text"},
    "line": {"x-kind": "line"},
    "shell": {"x-kind": "shell"},
    "name": {"x-kind": "name"},
    "boolean": {"x-kind": "boolean"},
    "integer": {"x-kind": "integer"},
    "number": {"x-kind": "number"},
    "duration": {"x-kind": "duration"},
    "limit": {"x-kind": "duration", "x-none": True},
    "size": {"x-kind": "size"},
    "mode": {"x-kind": "octal"},
}
Exported = dict[str, object]


def runbook_schema(verbs: Mapping[str, VerbSpec]) -> dict[str, object]:
    """JSON Schema of a runbook with these verbs."""
    exporter = _Exporter(verbs)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Sandbook runbook",
        "description": DESCRIPTION,
        "type": "object",
        "properties": exporter.keys(top_keys(verbs), None),
        "required": ["runbook", "steps"],
        "additionalProperties": False,
        "$defs": exporter.definitions(),
    }


def write_schema(path: Path, verbs: Mapping[str, VerbSpec]) -> None:
    """Write the JSON Schema file that editors use."""
    path.write_text(schema_text(runbook_schema(verbs)), encoding="utf-8")


def schema_text(schema: Mapping[str, object]) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


class _Exporter:
    """Turns fragments into plain schemas; what several places need, it defines once."""

    def __init__(self, verbs: Mapping[str, VerbSpec]) -> None:
        self._verbs = verbs
        self._defs: dict[str, Exported] = {}
        self._kinds: dict[str, str] = {}
        for name, schema in _KINDS.items():
            self._defs[name] = self._core(schema, None)
            self._kinds[_text(self._defs[name])] = name
        # What several verbs share is one object, and that is how it is known again.
        self._names: dict[int, str] = {}
        self._share("expect", SUBJECTS)
        self._share("step", STEP_KEYS)
        self._share(CREATE, _options(verbs.get(CREATE)))

    def definitions(self) -> dict[str, object]:
        """What references lead to."""
        for verb in self._verbs.values():
            self._defs[f"{verb.name}_step"] = self._step(verb)
        names = {name: f"{name}_step" for name in _in_order(self._verbs)}
        self._defs["step"] = step_of(names, self.keys(STEP_KEYS, None))
        return dict(sorted(self._defs.items()))

    def keys(self, found: Mapping[str, Schema], root: Schema | None) -> Exported:
        """The keys of a map; `root` holds the definitions their fragments refer to."""
        return {name: self._key(name, one, root) for name, one in found.items()}

    def _share(self, owner: str, found: Mapping[str, Schema]) -> None:
        self._names |= {id(one): f"{owner}.{name}" for name, one in found.items()}

    def _step(self, verb: VerbSpec) -> Exported:
        keys = step_keys(verb)
        own = self._key(verb.name, keys.pop(verb.name), verb.value)
        summary = sentence(verb.summary)
        said = f"{summary} {sentence(str(own.get('description', '')))}".strip()
        properties = {
            verb.name: {**own, "description": said},
            **self.keys(keys, None),
        }
        if "timeout" in keys and verb.timeout != _USUAL_TIMEOUT:
            usual = "none" if verb.timeout is None else format_duration(verb.timeout)
            properties["timeout"] = {**ref("step.timeout"), "default": usual}
        return {
            "title": verb.name,
            "description": summary,
            "properties": properties,
            "required": [verb.name, *verb.required],
            "additionalProperties": False,
            **exactly_one(verb.one_of),
        }

    def _key(self, name: str, schema: Schema, root: Schema | None) -> Exported:
        shared = self._names.get(id(schema))
        if shared is None:
            return self._titled(name, schema, root)
        if shared not in self._defs:
            self._defs[shared] = self._titled(name, schema, None)
        return ref(shared)

    def _titled(self, name: str, schema: Schema, root: Schema | None) -> Exported:
        said = {word: schema[word] for word in ANNOTATIONS if word in schema}
        words = words_of(schema, "enum")
        if words and not is_closed(schema):
            # A pattern alone would leave an editor nothing to offer.
            said["examples"] = list(words)
        return {"title": title_of(name, schema), **said, **self._value(schema, root)}

    def _value(self, schema: Schema, root: Schema | None) -> Exported:
        plain = self._core(schema, root)
        kind = self._kinds.get(_text(plain))
        return plain if kind is None else ref(kind)

    def _core(self, schema: Schema, root: Schema | None) -> Exported:
        """What a fragment allows, without what is said of it."""
        if "$defs" in schema:
            root = schema
        if "$ref" in schema:
            return self._own_definition(schema, root)
        if schema.get("x-steps"):
            return {
                "type": "array",
                "items": ref("step"),
                "minItems": 1,
                "errorMessage": "a list of steps is needed here",
            }
        if "const" in schema:
            return {"const": schema["const"]}
        return self._one_of(alternatives(schema), root)

    def _own_definition(self, schema: Schema, root: Schema | None) -> Exported:
        """A reference within a fragment, as one within the whole schema."""
        found = resolve(schema, root)
        if found is schema:
            return {}
        known = self._names.get(id(found))
        if known is not None:
            return ref(known)
        label = str(schema["$ref"]).removeprefix("#/$defs/")
        while label in self._defs:
            label += "_"
        self._names[id(found)] = label
        # It may refer to itself.
        self._defs[label] = {}
        self._defs[label] = self._core(found, root)
        return ref(label)

    def _one_of(self, found: Sequence[Schema], root: Schema | None) -> Exported:
        choices = [inner for one in found for inner in alternatives(resolve(one, root))]
        if len(choices) == 1 and is_closed(choices[0]):
            return _only_words(choices[0])
        maps = [one for one in choices if kind_of(one) == "map"]
        if len(maps) > 1:
            chosen = by_own_key([self._keywords(one, root) for one in maps])
            choices = [one for one in choices if one not in maps[1:]]
        else:
            chosen = self._keywords(maps[0], root) if maps else {}
        parts = [
            part_of(one, chosen or {})
            if kind_of(one) == "map"
            else part_of(one, self._keywords(one, root))
            for one in choices
        ]
        joined = None if chosen is None else join(parts)
        if joined is not None:
            return joined
        return {"anyOf": [self._value(one, root) for one in found]}

    def _keywords(self, schema: Schema, root: Schema | None) -> Exported:
        """The keywords of a list's items, or of a map's keys."""
        kind = kind_of(schema)
        if kind == "list":
            inner = self._value(items_of(schema), root) if "items" in schema else {}
            least = {key: schema[key] for key in ("minItems",) if key in schema}
            return {**({"items": inner} if inner else {}), **least}
        return self._map_keywords(schema, root) if kind == "map" else {}

    def _map_keywords(self, schema: Schema, root: Schema | None) -> Exported:
        keywords: Exported = {}
        known, others = properties_of(schema), others_of(schema)
        if known:
            keywords["properties"] = self.keys(known, root)
        if required := words_of(schema, "required"):
            keywords["required"] = list(required)
        if "minProperties" in schema:
            keywords["minProperties"] = schema["minProperties"]
        if schema.get("x-names"):
            keywords["propertyNames"] = _VARIABLES if schema.get("x-env") else _NAMES
        if others is None:
            keywords["additionalProperties"] = False
        elif inner := self._value(others, root):
            keywords["additionalProperties"] = inner
        return keywords


def _only_words(schema: Schema) -> Exported:
    """Just these words."""
    part = part_of(schema, {})
    read_otherwise = (True, False) if "boolean" in part.types else ()
    return {"enum": [*part.words, *read_otherwise]}


def _options(create: VerbSpec | None) -> Mapping[str, Schema]:
    value: Schema = create.value if create else {}
    found = (properties_of(one) for one in alternatives(value))
    return {name: one for keys in found for name, one in keys.items()}


def _in_order(verbs: Mapping[str, VerbSpec]) -> list[str]:
    """A verb before those that are keys of it: beside it these are no verbs.

    Of two verbs in a step, the one that asks for nothing more gives one message.
    """

    def rank(name: str) -> tuple[int, int]:
        verb = verbs[name]
        inner = sum(other in verb.keys for other in verbs)
        return (-inner, len(verb.required) + len(verb.one_of))

    return sorted(verbs, key=rank)


def _text(schema: Exported) -> str:
    return json.dumps(schema, sort_keys=True)
