"""What a plain JSON Schema can say of each kind of value.

A reader of plain YAML has already turned `3.10`, `on` and `~` into other things where
the loader still sees the text: those are allowed wherever the text is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sandbook.api import Schema
from sandbook.schema._atoms import NAME_PATTERN
from sandbook.schema._fragments import kind_of, words_of

EXPRESSION: Final = r"\$\{\{"
_DURATION: Final = r"^([0-9]+(\.[0-9]+)?(ms|[smhd]))+$"
_SIZE: Final = r"^[0-9]{1,20}(\.[0-9]{1,20})?(B|[KMGT]i?B)$"
_TERMINAL: Final = "^[1-9][0-9]{0,3}x[1-9][0-9]{0,3}$"
_MODE: Final = "^0?[0-7]{3,4}$"
_TEXT: Final = ("string", "number", "boolean")
_LARGEST_MODE: Final = 7777
_OTHERWISE: Final = frozenset({"yes", "no", "on", "off", "true", "false"})

NEEDED: Final[Mapping[str, str]] = {
    "text": "a text",
    "item": "any value",
    "raw": "a value",
    "line": "a text",
    "shell": "a shell text",
    "code": "code as a text",
    "name": "a name (letters, digits and _)",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "duration": "a duration as 30s or 1h30m",
    "size": "a size as 512MB or 1GiB",
    "octal": "a file mode as 0644",
    "terminal": "a terminal size as 80x24",
    "expression": "a condition",
    "whole": "one ${{ … }}",
    "list": "a list",
    "map": "a map",
    "nothing": "nothing",
    "version": "1",
    "free": "any value",
}
"""What a kind is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one alternative allows, by type, so that alternatives can be joined.

    No `types` = any value. `texts` are the patterns of which a text must match one,
    None = any text. `words` are the only texts there are, to be offered.
    """

    types: tuple[str, ...] = ()
    texts: tuple[str, ...] | None = None
    words: tuple[str, ...] = ()
    keywords: Mapping[str, object] = field(default_factory=dict[str, object])
    needed: str = ""


_KINDS: Final[Mapping[str, Part]] = {
    "text": Part(types=(*_TEXT, "null")),
    "item": Part(),
    "raw": Part(types=(*_TEXT, "null")),
    # Of these nobody means the text "null", and nothing written is a mistake.
    "line": Part(types=_TEXT),
    "shell": Part(types=_TEXT),
    "code": Part(types=_TEXT),
    "expression": Part(types=("string", "boolean")),
    "name": Part(types=("string", "boolean"), texts=(NAME_PATTERN,)),
    "whole": Part(types=("string",), texts=(EXPRESSION,)),
    "boolean": Part(types=("boolean",), texts=()),
    "integer": Part(types=("integer",), texts=()),
    "number": Part(types=("number",), texts=()),
    "duration": Part(types=("string",), texts=(_DURATION,)),
    "size": Part(types=("string",), texts=(_SIZE,)),
    "octal": Part(
        types=("string", "integer"),
        texts=(_MODE,),
        keywords={"minimum": 0, "maximum": _LARGEST_MODE},
    ),
    "terminal": Part(types=("string",), texts=(_TERMINAL,)),
    "nothing": Part(types=("null",)),
    "list": Part(types=("array",), texts=()),
    "map": Part(types=("object",), texts=()),
    "free": Part(),
}
_NEVER_COMPUTED: Final = frozenset({"name", "whole", "nothing", "version", "free"})


def part_of(schema: Schema, keywords: Mapping[str, object]) -> Part:
    """What a fragment allows; `keywords` are those of its keys or items."""
    kind = kind_of(schema)
    words = words_of(schema, "enum")
    part = _words(words) if words else _KINDS.get(kind, Part())
    texts = part.texts
    if texts is None and "pattern" in schema and kind != "name":
        texts = (str(schema["pattern"]),)
    types = part.types
    if texts is not None and kind not in _NEVER_COMPUTED:
        texts = _more_texts(schema, texts)
        types = types if "string" in types or not texts else (*types, "string")
    limits = {key: schema[key] for key in ("minimum", "maximum") if key in schema}
    return Part(
        types=types,
        texts=texts,
        words=words,
        keywords={**part.keywords, **limits, **keywords},
        needed=needed(schema),
    )


def is_closed(schema: Schema) -> bool:
    """Whether there are just its words, and no expression in their place."""
    return "enum" in schema and bool(schema.get("x-static"))


def needed(schema: Schema) -> str:
    """What is wanted there, in words."""
    words = words_of(schema, "enum")
    found = " or ".join(words) if words else NEEDED.get(kind_of(schema), "a value")
    return f"{found} or none" if schema.get("x-none") else found


def _more_texts(schema: Schema, texts: tuple[str, ...]) -> tuple[str, ...]:
    if schema.get("x-none"):
        texts = (*texts, "^none$")
    return texts if schema.get("x-static") else (*texts, EXPRESSION)


def _words(words: Sequence[str]) -> Part:
    """Just these words, also where YAML 1.1 reads one of them as a boolean."""
    pattern = "^(" + "|".join(words) + ")$"
    read_otherwise = any(word.lower() in _OTHERWISE for word in words)
    types = ("string", "boolean") if read_otherwise else ("string",)
    return Part(types=types, texts=(pattern,))


def join(parts: Sequence[Part]) -> dict[str, object] | None:
    """One schema that allows what any of the parts does; None = there is none.

    A single schema with several types gives one precise message where `anyOf` would
    give one for each alternative.
    """
    if any(not part.types for part in parts):
        return {} if len(parts) == 1 else None
    keywords: dict[str, object] = {}
    for part in parts:
        if keywords.keys() & part.keywords.keys():
            return None
        keywords.update(part.keywords)
    types = _types(parts)
    texts = _texts(parts)
    # An editor would tell an unknown key in the same words as a wrong type.
    word = (
        "patternErrorMessage" if "additionalProperties" in keywords else "errorMessage"
    )
    tells = {word: _message(parts)} if texts or word == "errorMessage" else {}
    return {
        "type": types[0] if len(types) == 1 else list(types),
        **texts,
        **keywords,
        **tells,
    }


def _types(parts: Iterable[Part]) -> tuple[str, ...]:
    types = dict.fromkeys(one for part in parts for one in part.types)
    if "number" in types:
        types.pop("integer", None)
    return tuple(types)


def _texts(parts: Sequence[Part]) -> dict[str, object]:
    with_text = [part for part in parts if "string" in part.types]
    if not with_text or any(part.texts is None for part in with_text):
        return {}
    patterns = dict.fromkeys(one for part in with_text for one in part.texts or ())
    return {"pattern": "|".join(patterns)}


def _message(parts: Sequence[Part]) -> str:
    words = tuple(dict.fromkeys(part.needed for part in parts))
    *most, last = words
    return (f"{', '.join(most)} or {last}" if most else last) + " is needed here"
