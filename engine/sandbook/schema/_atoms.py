"""What fragments are put together from: the kinds of values, and what is said of them.

A description is a sentence for somebody who does not program.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbook.api import Schema

NAME_PATTERN: Final = "^[A-Za-z_][A-Za-z0-9_]*$"

TEXT: Final[Schema] = {"type": "string", "x-kind": "text"}
LINE: Final[Schema] = {"type": "string", "x-kind": "line", "x-hash": True}
CODE: Final[Schema] = {"type": "string", "x-kind": "code"}
NAME: Final[Schema] = {"type": "string", "x-kind": "name", "pattern": NAME_PATTERN}
INTEGER: Final[Schema] = {"type": "integer", "x-kind": "integer"}
NUMBER: Final[Schema] = {"type": "number", "x-kind": "number"}
BOOLEAN: Final[Schema] = {"type": "boolean", "x-kind": "boolean"}
DURATION: Final[Schema] = {"type": "string", "x-kind": "duration"}
SIZE: Final[Schema] = {"type": "string", "x-kind": "size"}
LIMIT: Final[Schema] = {**DURATION, "x-none": True}
PATTERN: Final[Schema] = {**TEXT, "format": "regex"}
FREE: Final[Schema] = {"x-kind": "free"}
STEPS: Final[Schema] = {"type": "array", "x-steps": True, "minItems": 1}
NOTHING: Final[Schema] = {"type": "null"}


def said(
    schema: Schema,
    description: str,
    *examples: object,
    title: str = "",
    default: object = None,
) -> Schema:
    """`schema` with what an editor and the reference show for it."""
    return {
        **schema,
        **({"title": title} if title else {}),
        "description": description,
        **({} if default is None else {"default": default}),
        **({"examples": list(examples)} if examples else {}),
    }


def list_of(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def map_of(values: Schema) -> Schema:
    """A map with any keys."""
    return {"type": "object", "additionalProperties": values}


def names_to(values: Schema) -> Schema:
    """A map whose keys are names."""
    return {**map_of(values), "x-names": True}


def any_of(*schemas: Schema) -> Schema:
    """What fits one of these."""
    return {"anyOf": list(schemas)}


def one_of(*words: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(words)}


def keys(properties: Mapping[str, Schema], *required: str) -> Schema:
    """A map with just these keys."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def some(schema: Schema) -> Schema:
    """A map that is not empty."""
    return {**schema, "minProperties": 1}


def static(schema: Schema) -> Schema:
    """Where no expression may stand."""
    return {**schema, "x-static": True}
