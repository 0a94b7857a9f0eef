"""The keys every runbook and every step may have, and how verbs join theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sandbook.api import Schema, VerbSpec
from sandbook.schema._fragments import alternatives, properties_of, words_of

VERSION: Final = 1
NAME_PATTERN: Final = "^[A-Za-z_][A-Za-z0-9_]*$"
CREATE: Final = "create"
"""The verb whose options `sandbox:` takes as well."""

COMMON_FIELDS: Final[tuple[str, ...]] = ("status", "ok", "duration", "tries")
"""What every result has, whatever the verb."""

TEXT: Final[Schema] = {"type": "string", "x-kind": "text"}
LINE: Final[Schema] = {"type": "string", "x-kind": "line", "x-hash": True}
NAME: Final[Schema] = {"type": "string", "x-kind": "name", "pattern": NAME_PATTERN}
INTEGER: Final[Schema] = {"type": "integer", "x-kind": "integer"}
NUMBER: Final[Schema] = {"type": "number", "x-kind": "number"}
BOOLEAN: Final[Schema] = {"type": "boolean", "x-kind": "boolean"}
DURATION: Final[Schema] = {"type": "string", "x-kind": "duration"}
LIMIT: Final[Schema] = {**DURATION, "x-none": True, "x-static": True}
FREE: Final[Schema] = {"x-kind": "free"}
STEPS: Final[Schema] = {"type": "array", "x-steps": True, "minItems": 1}
NOTHING: Final[Schema] = {"type": "null"}


def _list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map_of(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _names_to(values: Schema) -> Schema:
    return {**_map_of(values), "x-names": True}


def _any_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _keys(properties: Mapping[str, Schema], *required: str) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _some(schema: Schema) -> Schema:
    return {**schema, "minProperties": 1}


def _static(schema: Schema) -> Schema:
    return {**schema, "x-static": True}


def _said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


ENV: Final[Schema] = {**_names_to(TEXT), "x-env": True}
_TEXTS: Final = _any_of(TEXT, _list_of(TEXT))
_PATTERN: Final[Schema] = {**TEXT, "format": "regex"}


def _matchers(value: Schema) -> dict[str, Schema]:
    return {
        "equals": _said(value, "the same, every byte"),
        "contains": _said(_TEXTS, "has this text, or all of these"),
        "not_contains": _said(_TEXTS, "has not this text, or none of these"),
        "matches": _said(_PATTERN, "a regular expression is found in it"),
        "more_than": _said(NUMBER, "is a larger number"),
        "less_than": _said(NUMBER, "is a smaller number"),
        "one_of": _said(_list_of(value), "equals one of these"),
    }


_FREE_MATCHERS: Final = _some(_keys(_matchers(FREE)))
_TEXT_SUBJECT: Final = _any_of(TEXT, _some(_keys(_matchers(TEXT))))
_CODE_SUBJECT: Final = _any_of(INTEGER, _one_of("any"), _FREE_MATCHERS)
_VALUES_SUBJECT: Final = _map_of(_any_of(_FREE_MATCHERS, FREE))
_BYTES: Final = _any_of(INTEGER, {"type": "string", "x-kind": "size"}, _FREE_MATCHERS)
_FILE: Final = _keys(
    {"path": TEXT, "exists": BOOLEAN, "size": _BYTES, **_matchers(TEXT)}, "path"
)
_FILES: Final = _any_of(TEXT, _FILE, _list_of(_any_of(TEXT, _FILE)))

SUBJECTS: Final[Mapping[str, Schema]] = {
    "exit": _said(_CODE_SUBJECT, "exit code, or any"),
    "error": _said(_TEXT_SUBJECT, "an exception whose `Name: message` contains this"),
    "stdout": _said(_TEXT_SUBJECT, "contains"),
    "stderr": _said(_TEXT_SUBJECT, "contains"),
    "output": _said(_TEXT_SUBJECT, "contains"),
    "text": _said(_TEXT_SUBJECT, "contains"),
    "json": _said(_VALUES_SUBJECT, "map of path to what it equals"),
    "values": _said(_VALUES_SUBJECT, "map of saved name to what it equals"),
    "file": _said(_FILES, "this file exists"),
    "status": _said(_CODE_SUBJECT, "HTTP status"),
}
"""What an expectation may ask for (language §5)."""

_RETRY: Final = _any_of(
    {**_static(INTEGER), "minimum": 0},
    _keys(
        {
            "times": {**_static(INTEGER), "minimum": 0},
            "wait": _static(DURATION),
            "backoff": {**_static(NUMBER), "minimum": 1},
            "max_wait": _static(DURATION),
            "jitter": _static(BOOLEAN),
            "on": _list_of(_static(_one_of("exit", "error", "expect", "timeout"))),
        },
        "times",
    ),
)
_FOR_EACH: Final = _any_of(
    {"type": "array", "items": {"x-kind": "item"}},
    _map_of({"x-kind": "item"}),
    {"type": "string", "x-kind": "whole"},
)
_CONDITION: Final[Schema] = {"x-kind": "expression", "x-line": True}
_FAILURE: Final = "a failure is shown and does not count"

STEP_KEYS: Final[Mapping[str, Schema]] = {
    "id": _said(NAME, "for steps.ID in expressions"),
    "name": _said(LINE, "for people"),
    "if": _said(_CONDITION, "else the step is skipped"),
    "for_each": _said(_FOR_EACH, "once per item"),
    "limit": _said({**_static(INTEGER), "minimum": 1}, "how many items run at once"),
    "retry": _said(_RETRY, "further tries after the first"),
    "timeout": _said(LIMIT, "for each try of each item"),
    "env": _said(ENV, "added to the environment"),
    "cwd": _said(TEXT, "folder in the sandbox"),
    "in": _said(NAME, "which sandbox"),
    "expect": _said({"type": "object"}, "what must hold afterwards"),
    "save": _said(_names_to(TEXT), "values to keep"),
    "allow_failure": _said(_static(BOOLEAN), _FAILURE),
    "resume": _said(_static(_one_of("rerun")), "may run again after a crash"),
}
"""The keys any step may have (language §4)."""

INPUT: Final = _keys(
    {
        "type": _static(
            _one_of("string", "integer", "number", "boolean", "choice", "file")
        ),
        "description": _static(LINE),
        "default": {"x-kind": "raw"},
        "min": _static(NUMBER),
        "max": _static(NUMBER),
        "pattern": _static(_PATTERN),
        "options": {**_list_of(_static(TEXT)), "minItems": 1},
    }
)
"""The declaration of an input."""

_ARTIFACT: Final = _any_of(TEXT, _keys({"path": TEXT, "in": NAME}, "path"))
_INPUTS: Final = _names_to(_any_of(NOTHING, INPUT))
_VERSION: Final[Schema] = {"const": VERSION, "x-kind": "version"}


def top_keys(verbs: Mapping[str, VerbSpec]) -> dict[str, Schema]:
    """The keys of a runbook, and what each takes."""
    return {
        "runbook": _said(_VERSION, "version of the language"),
        "name": _said(LINE, "for people"),
        "description": _said(_static(LINE), "for people"),
        "inputs": _said(_INPUTS, "values to be given by who runs it"),
        "secrets": _said(_list_of(NAME), "names of secret values"),
        "env": _said(ENV, "environment of every step"),
        "sandbox": _said(_sandbox(verbs), "defaults of every sandbox"),
        "setup": _said(STEPS, "steps whose outcome may be stored"),
        "steps": _said(STEPS, "the work"),
        "finally": _said(STEPS, "always run, also after a failure"),
        "artifacts": _said(_list_of(_ARTIFACT), "files to keep"),
        "outputs": _said(_names_to(FREE), "values computed when all has passed"),
        "timeout": _said(LIMIT, "for the whole run"),
    }


def _sandbox(verbs: Mapping[str, VerbSpec]) -> Schema:
    """The options of `create`, except those that say which sandbox it is."""
    create = verbs.get(CREATE)
    for alternative in alternatives(create.value if create else {}):
        own = properties_of(alternative)
        if own:
            kept = {k: v for k, v in own.items() if k not in ("as", "reuse")}
            return {**alternative, "properties": kept}
    return _keys({})


def step_keys(verb: VerbSpec) -> dict[str, Schema]:
    """Every key a step of this verb may have, the verb itself first."""
    unfit = {*verb.refuses, *_not_for(verb)}
    allowed = {name: one for name, one in STEP_KEYS.items() if name not in unfit}
    if "expect" in allowed:
        allowed["expect"] = _expect(verb.subjects)
    own = {name: _with_subjects(schema) for name, schema in verb.keys.items()}
    keys = {verb.name: _with_subjects(verb.value), **allowed, **own}
    return keys | dict.fromkeys(verb.nested, STEPS)


def _not_for(verb: VerbSpec) -> frozenset[str]:
    missing = set[str]()
    if not verb.subjects:
        missing.add("expect")
    if "values" not in verb.subjects:
        missing.add("save")
    return frozenset(missing)


def _expect(subjects: Iterable[str]) -> Schema:
    return _some(_keys({name: SUBJECTS[name] for name in subjects if name in SUBJECTS}))


def _with_subjects(schema: Schema) -> Schema:
    """`schema` where `x-subjects` is replaced by the matchers it stands for."""
    if "anyOf" in schema:
        return {
            **schema,
            "anyOf": [_with_subjects(one) for one in alternatives(schema)],
        }
    names = words_of(schema, "x-subjects")
    if not names:
        return schema
    added = {name: SUBJECTS[name] for name in names if name in SUBJECTS}
    rest = {key: value for key, value in schema.items() if key != "x-subjects"}
    return {**rest, "properties": {**added, **properties_of(schema)}}
