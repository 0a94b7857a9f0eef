"""`sandbook steps`: which verbs there are, and what one of them takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

import click

from sandbook.api import JSON
from sandbook.cli import _options as options

if TYPE_CHECKING:
    from sandbook.api import VerbSpec
    from sandbook.schema.reference import KeyEntry, VerbEntry

_WIDTH = 78
_INDENT = "  "


@click.command(short_help="List the verbs of steps, or explain one.")
@click.argument("verb", required=False)
@options.json_option
def steps(verb: str | None, *, as_json: bool) -> None:
    """List the verbs of steps, or explain VERB with its keys and results."""
    # Plugins are not needed for `--help`.
    from sandbook.cli._words import say, say_json, table
    from sandbook.schema.reference import verb_entry

    every = {name: verb_entry(spec) for name, spec in _specs().items()}
    chosen = [_chosen(every, verb)] if verb else list(every.values())
    if as_json:
        say_json("steps", [_row(each) for each in chosen])
    elif verb:
        say(*_page(chosen[0]))
    else:
        rows = [(each.name, each.summary) for each in chosen]
        say(*table(("VERB", "DOES"), rows), "", "sandbook steps VERB explains one.")


def _specs() -> Mapping[str, VerbSpec]:
    # As above.
    from sandbook.cli._opening import here

    return {name: verb.spec for name, verb in here().verbs.items()}


def _chosen(every: Mapping[str, VerbEntry], verb: str) -> VerbEntry:
    # Only who mistyped needs them.
    from sandbook.errors import UsageError
    from sandbook.problems import suggest

    if verb not in every:
        raise UsageError(
            f"there is no verb {verb!r}", remedy=suggest(verb, every, kind="verbs")
        )
    return every[verb]


def _page(entry: VerbEntry) -> Iterator[str]:
    # As above.
    from sandbook.schema import COMMON_RESULTS, yaml_of

    yield f"{entry.name}: {entry.summary}"
    yield from ("", "Keys")
    for key in entry.keys:
        yield from _key_lines(key)
    yield from _listed("Keys of every step", ", ".join(entry.common))
    if "timeout" in entry.common:
        yield f"{_INDENT}timeout is {entry.timeout} without it"
    yield from _listed("Expectations", ", ".join(entry.subjects))
    yield from ("", "Results")
    for name, meaning in {**entry.fields, **COMMON_RESULTS}.items():
        yield f"{_INDENT}{name}: {meaning}"
    yield from ("", "Example")
    for line in yaml_of([entry.example]).splitlines():
        yield f"{_INDENT}{line}"


def _key_lines(key: KeyEntry) -> Iterator[str]:
    # As above.
    from sandbook.schema import value_words

    told = [key.type.replace("`", "")]
    if key.required:
        told.append("required")
    if key.has_default:
        told.append(f"default {value_words(key.default)}")
    yield f"{_INDENT}{key.path} ({', '.join(told)})"
    yield from _wrapped(key.description.replace("`", ""), _INDENT * 3)
    if key.examples:
        yield f"{_INDENT * 3}as {value_words(key.examples[0])}"


def _listed(heading: str, text: str) -> Iterator[str]:
    if text:
        yield from ("", heading)
        yield from _wrapped(text, _INDENT)


def _wrapped(text: str, indent: str) -> list[str]:
    # As above.
    from textwrap import wrap

    return wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)


def _row(entry: VerbEntry) -> JSON:
    return {
        "name": entry.name,
        "summary": entry.summary,
        "keys": [_key_row(key) for key in entry.keys],
        "common": list(entry.common),
        "expect": list(entry.subjects),
        "fields": dict(entry.fields),
        "timeout": entry.timeout,
        "example": cast("JSON", entry.example),
    }


def _key_row(key: KeyEntry) -> JSON:
    return {
        "path": key.path,
        "type": key.type.replace("`", ""),
        "required": key.required,
        "default": cast("JSON", key.default),
        "description": key.description,
        "examples": cast("JSON", key.examples),
    }
