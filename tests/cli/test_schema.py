"""`sandbook schema`: the schemas of what people and programs read and write."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from sandbook.api import ISOLATIONS
from sandbook.errors import UsageError
from sandbook.ledger import limits_for
from sandbook.settings import load_preferences
from tests.cli.calls import ROOT, Cli
from tests.cli.test_steps import PLUGIN
from tests.sandbook.exported import errors_of


@pytest.mark.parametrize("kind", ["runbook", "settings", "report", "event"])
def test_a_schema_is_printed_as_its_file_is(cli: Cli, kind: str) -> None:
    called = cli("schema", kind)
    assert (called.code, called.err) == (0, "")
    written = json.loads((ROOT / f"schemas/{kind}.schema.json").read_text())
    assert called.json() == written
    jsonschema.Draft202012Validator.check_schema(written)


def test_the_schema_of_a_runbook_is_printed_unless_another_is_named(cli: Cli) -> None:
    assert cli("schema").json()["title"] == "Sandbook runbook"
    (row,) = cli("schema", "--json").rows("schemas")
    assert (row["kind"], row["schema"]["title"]) == ("runbook", "Sandbook runbook")


def test_the_verb_of_a_plugin_extends_the_schema(cli: Cli) -> None:
    cli.plugin("greeting", code=PLUGIN, group="sandbook")
    schema = cli("schema").json()
    book: dict[str, Any] = {"runbook": 1, "steps": [{"greet": "you", "loud": True}]}
    jsonschema.validate(book, schema)
    book["steps"][0]["lout"] = True
    with pytest.raises(jsonschema.ValidationError, match="'lout' was unexpected"):
        jsonschema.validate(book, schema)


def test_a_schema_is_written_to_a_file(cli: Cli) -> None:
    called = cli("schema", "--write", "book.schema.json")
    assert (called.code, called.out) == (
        0,
        "book.schema.json: the schema of a runbook\n",
    )
    written = (cli.folder / "book.schema.json").read_text(encoding="utf-8")
    assert written == cli("schema").out


@pytest.mark.parametrize("file", ["none/book.json", "."])
def test_a_file_that_cannot_be_written_is_told(cli: Cli, file: str) -> None:
    called = cli("schema", "--write", file)
    assert (called.code, called.out) == (2, "")
    assert repr(file) in called.err


SETTINGS = {
    "providers: local": False,
    "": True,
    "{providers: [e2b, local], isolation: container}": True,
    "{quotas: {e2b: {sessions: 10, concurrent: unlimited}}}": True,
    "{quotas: {e2b: {sessions: '10'}}}": True,
    "{settings: {local: {allow_host_network: true}}}": True,
    "{isolation: none}": False,
    "{isolation: vm}": False,
    "{providers: [1]}": False,
    "{provider: [local]}": False,
    "{quotas: {e2b: {sessions: -1}}}": False,
    "{quotas: {e2b: {sesions: 1}}}": False,
    "{quotas: {e2b: 5}}": False,
    "{settings: {local: 5}}": False,
}


@pytest.mark.parametrize("text", SETTINGS)
def test_the_schema_of_settings_agrees_with_what_reads_them(
    cli: Cli, text: str
) -> None:
    file = cli.folder / "sandbook.yaml"
    file.write_text(text)
    try:
        read = load_preferences(environ={}, project=cli.folder, user_file=file)
        limits_for("e2b", {}, read.quotas)
        is_read = True
    except UsageError:
        is_read = False
    schema = json.loads((ROOT / "schemas/settings.schema.json").read_text())
    value: object = yaml.safe_load(text) or {}
    fits = not errors_of(schema, value)
    assert (is_read, fits) == (SETTINGS[text], SETTINGS[text])


def test_the_schema_of_settings_has_each_isolation_that_may_be_asked_for() -> None:
    schema = json.loads((ROOT / "schemas/settings.schema.json").read_text())
    assert schema["properties"]["isolation"]["enum"] == list(ISOLATIONS[1:])
