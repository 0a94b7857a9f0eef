"""Take a schema fragment apart: the one place that sees its raw form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from sandbook.api import Schema

ANNOTATIONS: Final = ("title", "description", "default", "examples")
"""The keywords that tell people something, and allow or refuse nothing."""

_BY_TYPE: Final = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "null": "nothing",
    "array": "list",
    "object": "map",
}


def alternatives(schema: Schema) -> tuple[Schema, ...]:
    """The schemas of which one must fit; without `anyOf`, the schema itself."""
    found = schema.get("anyOf", schema.get("oneOf"))
    if not isinstance(found, list | tuple):
        return (schema,)
    schemas = cast("list[Schema]", found)
    return tuple(inner for one in schemas for inner in alternatives(one))


def resolve(schema: Schema, root: Schema | None) -> Schema:
    """The schema that a `$ref` into the `$defs` of its fragment means."""
    ref = schema.get("$ref")
    if not isinstance(ref, str) or root is None:
        return schema
    return definitions_of(root).get(ref.removeprefix("#/$defs/"), schema)


def definitions_of(schema: Schema) -> Mapping[str, Schema]:
    """The `$defs` of a fragment."""
    return _schemas(schema.get("$defs"))


def kind_of(schema: Schema) -> str:
    """The `x-kind`, or what the plain JSON Schema keywords mean by themselves."""
    kind = schema.get("x-kind")
    if isinstance(kind, str):
        return kind
    return "text" if "enum" in schema else _BY_TYPE.get(str(schema.get("type")), "free")


def properties_of(schema: Schema) -> Mapping[str, Schema]:
    """The keys a map may have."""
    return _schemas(schema.get("properties"))


def others_of(schema: Schema) -> Schema | None:
    """What the keys take that are not among the properties; None = there are none."""
    found = schema.get("additionalProperties", True)
    if found is False:
        return None
    return cast("Schema", found) if isinstance(found, Mapping) else {"x-kind": "free"}


def items_of(schema: Schema) -> Schema:
    """What the items of a list are."""
    found = schema.get("items")
    return cast("Schema", found) if isinstance(found, Mapping) else {"x-kind": "free"}


def words_of(schema: Schema, keyword: str) -> tuple[str, ...]:
    """The texts of a keyword that holds a list, as `required` and `enum`."""
    found = schema.get(keyword)
    if not isinstance(found, list | tuple):
        return ()
    return tuple(str(word) for word in cast("list[object]", found))


def _schemas(found: object) -> Mapping[str, Schema]:
    return cast("Mapping[str, Schema]", found) if isinstance(found, Mapping) else {}
