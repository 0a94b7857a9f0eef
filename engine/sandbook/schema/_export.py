"""The schema of a runbook as plain JSON Schema, for editors and other tools.

It describes what a plain YAML reader makes of the file, and so allows a little more
than the loader does: that one sees how a value was written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sandbook.api import Schema, VerbSpec
from sandbook.schema._fragments import (
    alternatives,
    items_of,
    kind_of,
    others_of,
    properties_of,
    resolve,
)
from sandbook.schema._keys import step_keys, top_keys

_LOOSE_KINDS: Final = frozenset({"text", "line", "item"})
_EXPRESSION_TOO: Final = frozenset({"boolean", "integer", "number"})
_DEEPEST_REF: Final = 3


def runbook_schema(verbs: Mapping[str, VerbSpec]) -> dict[str, object]:
    """JSON Schema of a runbook with these verbs."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sandbook runbook",
        "type": "object",
        "properties": {k: _exported(v, v) for k, v in top_keys(verbs).items()},
        "required": ["runbook", "steps"],
        "additionalProperties": False,
        "$defs": {
            "expression": {"type": "string", "pattern": r"\$\{\{.*\}\}"},
            "step": {"anyOf": [_step(verb) for verb in verbs.values()]},
        },
    }


def write_schema(path: Path, verbs: Mapping[str, VerbSpec]) -> None:
    """Write the JSON Schema file that editors use."""
    text = json.dumps(runbook_schema(verbs), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _step(verb: VerbSpec) -> dict[str, object]:
    return {
        "title": verb.name,
        "description": verb.summary,
        "type": "object",
        "properties": {k: _exported(v, v) for k, v in step_keys(verb).items()},
        "required": [verb.name, *verb.required],
        "additionalProperties": False,
        **(
            {"oneOf": [{"required": [key]} for key in verb.one_of]}
            if verb.one_of
            else {}
        ),
    }


def _exported(  # noqa: C901 - one branch for each keyword that holds schemas
    schema: Schema, root: Schema, depth: int = 0
) -> dict[str, object]:
    """A fragment without our keywords; a reference into itself is followed a while."""
    if "$ref" in schema:
        if depth > _DEEPEST_REF:
            return {}
        schema, depth = resolve(schema, root), depth + 1

    def inner(part: Schema) -> dict[str, object]:
        return _exported(part, root, depth)

    if schema.get("x-steps"):
        return {"type": "array", "items": {"$ref": "#/$defs/step"}, "minItems": 1}
    ours = ("x-", "$defs")
    exported = {key: value for key, value in schema.items() if not key.startswith(ours)}
    if "properties" in schema:
        known = properties_of(schema)
        exported["properties"] = {name: inner(one) for name, one in known.items()}
    if "items" in schema:
        exported["items"] = inner(items_of(schema))
    if isinstance(schema.get("additionalProperties"), Mapping):
        exported["additionalProperties"] = inner(others_of(schema) or {})
    if "anyOf" in schema:
        exported["anyOf"] = [inner(one) for one in alternatives(schema)]
    return _loosened(exported, schema)


def _loosened(exported: dict[str, object], schema: Schema) -> dict[str, object]:
    kind = kind_of(schema)
    # A plain YAML reader has already turned 3.10 into a number where a text is meant.
    if kind in _LOOSE_KINDS and "enum" not in schema and "pattern" not in schema:
        return {**exported, "type": ["string", "number", "boolean"]}
    if kind in _EXPRESSION_TOO and not schema.get("x-static"):
        about = {"description": exported.pop("description", "")}
        return {"anyOf": [exported, {"$ref": "#/$defs/expression"}], **about}
    return exported
