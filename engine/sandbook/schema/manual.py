"""The written reference of the language, made from the schemas and the verbs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbook.api import Schema, VerbSpec
from sandbook.schema._fragments import properties_of
from sandbook.schema._keys import COMMON_RESULTS, INPUT, STEP_KEYS, top_keys
from sandbook.schema._subjects import FILE, SUBJECTS, TEXT_MATCHERS
from sandbook.schema._words import sentence, value_words, yaml_of
from sandbook.schema.reference import KeyEntry, VerbEntry, entries, verb_entry

FILTERS: Final[Mapping[str, str]] = {
    "default(v)": "`v` where anything along the path is missing",
    "length": "how many characters, items or keys",
    "lower": "in small letters",
    "upper": "in capital letters",
    "trim": "without white space at both ends",
    "replace(a, b)": "with `b` for each `a`",
    "split(s)": "a list of what stands between `s`; without it, between white space",
    "join(s)": "the items as one text, with `s` between them",
    "first": "the first item",
    "last": "the last item",
    "min": "the smallest item",
    "max": "the largest item",
    "sum": "the sum of the items",
    "sort": "the items in order",
    "unique": "each item once",
    "reverse": "the items from the last to the first",
    "int": "as a whole number",
    "float": "as a number with decimals",
    "string": "as a text",
    "round(n)": "rounded to `n` decimals; without it, to a whole number",
    "abs": "without its sign",
    "tojson": "as JSON",
    "fromjson": "what a JSON text means",
    "basename": "the last name of a path",
    "dirname": "the folder of a path",
}
"""What a filter gives, by how it is written."""


def manual(verbs: Mapping[str, VerbSpec]) -> str:
    """The page, as Markdown: `manual.md`, with a table in the place of each comment."""
    filters = [(f"`{name}`", gives) for name, gives in FILTERS.items()]
    parts = {
        "top keys": _table(
            entries(top_keys(verbs), required=("runbook", "steps"), deepest=0)
        ),
        "input keys": _table(entries(properties_of(INPUT))),
        "step keys": _table(entries(STEP_KEYS)),
        "common fields": _fields(COMMON_RESULTS),
        "verbs": "\n".join(_verb(verb_entry(verb)) for verb in verbs.values()),
        "subjects": _table(entries(SUBJECTS, deepest=0)),
        "file keys": _table(entries(_own(FILE), required=("path",), deepest=0)),
        "matchers": _table(entries(TEXT_MATCHERS)),
        "filters": _rows(("filter", "gives"), filters),
    }
    text = Path(__file__).with_suffix(".md").read_text(encoding="utf-8")
    for name, part in parts.items():
        text = text.replace(f"<!-- {name} -->\n", part)
    return text


def _own(schema: Schema) -> Mapping[str, Schema]:
    """Its keys without the matchers, which have a table of their own."""
    keys = properties_of(schema)
    return {k: v for k, v in keys.items() if TEXT_MATCHERS.get(k) is not v}


def _verb(entry: VerbEntry) -> str:
    told = [f"### {entry.name}\n", f"{entry.summary}\n"]
    told += [f"```yaml\n{yaml_of([entry.example])}```\n", _table(entry.keys)]
    common = f"Keys of every step that fit: {_listed(entry.common)}."
    if "timeout" in entry.common:
        common += f" Without a `timeout` it is `{entry.timeout}`."
    told.append(f"{common}\n")
    if entry.subjects:
        told.append(f"Expectations: {_listed(entry.subjects)}.\n")
    if entry.fields:
        told += ["Fields of the result:\n", _fields(entry.fields)]
    return "\n".join(told)


def _table(found: Iterable[KeyEntry]) -> str:
    rows = [
        (f"`{one.path}`", one.type, _default(one), one.description, _example(one))
        for one in found
    ]
    return _rows(("key", "value", "default", "meaning", "example"), rows)


def _default(entry: KeyEntry) -> str:
    if entry.required:
        return "required"
    return f"`{value_words(entry.default)}`" if entry.has_default else ""


def _example(entry: KeyEntry) -> str:
    return f"`{value_words(entry.examples[0])}`" if entry.examples else ""


def _fields(fields: Mapping[str, str]) -> str:
    return _rows(
        ("field", "is"), [(f"`{name}`", sentence(m)) for name, m in fields.items()]
    )


def _rows(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)
