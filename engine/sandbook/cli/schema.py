"""`sandbook schema`: the JSON Schemas of what people and programs read and write."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import click

from sandbook.api import JSON
from sandbook.cli import _options as options

KINDS = ("runbook", "settings", "report", "event")


@click.command(short_help="Print a JSON Schema, for editors and other tools.")
@click.argument("kind", type=click.Choice(KINDS), default="runbook")
@click.option(
    "--write",
    "target",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to a file instead.",
)
@options.json_option
def schema(kind: str, *, target: options.FilePath | None, as_json: bool) -> None:
    """Print the JSON Schema of a runbook, with the verbs of every installed plugin.

    KIND is runbook, settings, report or event. An editor that speaks the YAML
    language server uses a schema that a runbook names in its first line:

    \b
      sandbook schema --write runbook.schema.json
      # yaml-language-server: $schema=runbook.schema.json
    """
    # Plugins are not needed for `--help`.
    from sandbook.cli._words import say, say_json
    from sandbook.errors import UsageError
    from sandbook.schema import schema_text

    found = _schema(kind)
    if target is not None:
        try:
            target.write_text(schema_text(found), encoding="utf-8")
        except OSError as error:
            raise UsageError(
                f"{str(target)!r} cannot be written: {error.strerror}",
                remedy="give the path of a file in a folder that exists",
            ) from error
    if as_json:
        say_json("schemas", [{"kind": kind, "schema": cast("JSON", found)}])
    elif target is None:
        say(schema_text(found).rstrip("\n"))
    else:
        say(f"{target}: the schema of a {kind}")


def _schema(kind: str) -> Mapping[str, object]:
    # As above.
    from sandbook.cli._opening import here
    from sandbook.schema import runbook_schema, shipped_schema

    if kind == "runbook":
        verbs = here().verbs
        return runbook_schema({name: verb.spec for name, verb in verbs.items()})
    return shipped_schema(kind)
