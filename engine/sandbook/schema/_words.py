"""How a key, a kind and a value are put into words, for editors and the reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from sandbook.api import Schema
from sandbook.schema._fragments import (
    alternatives,
    items_of,
    kind_of,
    others_of,
    properties_of,
    resolve,
    words_of,
)


def sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".:!?" else ".")


def title_of(name: str, schema: Schema) -> str:
    """The title a key was given, else its name in words."""
    given = schema.get("title")
    return given if isinstance(given, str) else name.replace("_", " ").capitalize()


def type_words(schema: Schema, root: Schema | None = None) -> str:
    """What may stand there: `a text or a list of texts`, without the articles."""
    root = schema if "$defs" in schema else root
    if schema.get("x-steps"):
        return "steps"
    if "const" in schema:
        return f"`{schema['const']}`"
    found = (resolve(one, root) for one in alternatives(schema))
    words = [_type(inner, root) for one in found for inner in alternatives(one)]
    return " or ".join(dict.fromkeys(words))


def value_words(value: object) -> str:
    """A default or an example as an author would write it, in one line."""
    if isinstance(value, str) and "\n" not in value:
        return value or '""'
    return json.dumps(value, ensure_ascii=False)


def yaml_of(value: object) -> str:
    """A value as YAML, in the order it has."""
    # Nothing else here needs PyYAML, which takes 20 ms to import.
    import yaml

    # The stubs leave the type of `width` open.
    return yaml.safe_dump(  # pyright: ignore[reportUnknownMemberType]
        value, sort_keys=False, allow_unicode=True
    )


def _type(schema: Schema, root: Schema | None) -> str:
    words = words_of(schema, "enum")
    kind = kind_of(schema)
    if words:
        found = " or ".join(f"`{word}`" for word in words)
    elif kind == "list":
        found = f"list of {_plural(type_words(items_of(schema), root))}"
    elif (
        kind == "map" and not properties_of(schema) and "additionalProperties" in schema
    ):
        others = others_of(schema)
        found = f"map of {_plural(type_words(others, root))}" if others else "map"
    else:
        found = _TYPES.get(kind, kind)
    return f"{found} or `none`" if schema.get("x-none") else found


def _plural(words: str) -> str:
    # A declaration that may be left empty is still meant to be a map.
    words = "map" if words == "empty or map" else words
    return f"{words}s" if words in _COUNTED else words


_TYPES: Final[Mapping[str, str]] = {
    "line": "text",
    "item": "any value",
    "raw": "one value",
    "shell": "shell text",
    "boolean": "`true` or `false`",
    "integer": "whole number",
    "octal": "file mode",
    "terminal": "terminal size",
    "whole": "expression",
    "nothing": "empty",
    "free": "any value",
}
_COUNTED: Final = frozenset(
    {"text", "name", "number", "whole number", "duration", "size", "map", "any value"}
)
