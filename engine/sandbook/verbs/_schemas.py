"""Schema fragments that several verbs share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbook.api import Schema

TEXT: Final[Schema] = {"type": "string", "x-kind": "text"}
LINE: Final[Schema] = {"type": "string", "x-kind": "line"}
NAME: Final[Schema] = {"type": "string", "x-kind": "name"}
BOOLEAN: Final[Schema] = {"type": "boolean", "x-kind": "boolean"}
INTEGER: Final[Schema] = {"type": "integer", "x-kind": "integer"}
NUMBER: Final[Schema] = {"type": "number", "x-kind": "number"}
DURATION: Final[Schema] = {"type": "string", "x-kind": "duration"}
SIZE: Final[Schema] = {"type": "string", "x-kind": "size"}
NOTHING: Final[Schema] = {"type": "null"}
TEXTS: Final[Schema] = {"type": "array", "items": TEXT, "minItems": 1}
TEXT_MAP: Final[Schema] = {"type": "object", "additionalProperties": TEXT}
ENV: Final[Schema] = {**TEXT_MAP, "x-names": True, "x-env": True, "x-static": True}


def described(
    schema: Schema,
    description: str,
    *examples: object,
    title: str = "",
    default: object = None,
) -> Schema:
    """`schema` with what editors and the reference show for it: sentences."""
    return {
        **schema,
        **({"title": title} if title else {}),
        "description": description,
        **({} if default is None else {"default": default}),
        **({"examples": list(examples)} if examples else {}),
    }


def only(schema: Schema) -> Schema:
    """`schema` where no expression may stand."""
    return {**schema, "x-static": True}


def one_of(*names: str) -> Schema:
    """One of these words."""
    return {"type": "string", "x-kind": "text", "enum": list(names)}


def any_of(*schemas: Schema) -> Schema:
    """What fits one of these."""
    return {"anyOf": list(schemas)}


def a_map(properties: Mapping[str, Schema]) -> Schema:
    """A map with just these keys."""
    return {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
