"""The exported schema is sound, and allows what the loader allows."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from sandbook.schema import runbook_schema, write_schema
from sandbook.verbs import sandbook_verbs
from tests.sandbook.test_loader import HELLO
from tests.sandbook.test_loader_names import TOP
from tests.sandbook.verbs import VERBS

REAL = {verb.spec.name: verb.spec for verb in sandbook_verbs()}


@pytest.mark.parametrize("verbs", [VERBS, REAL], ids=["test verbs", "real verbs"])
def test_the_schema_is_a_json_schema(verbs: dict[str, object]) -> None:
    schema = runbook_schema(verbs)  # type: ignore[arg-type]  # two sets of one type
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "x-kind" not in json.dumps(schema)


@pytest.mark.parametrize(
    "text",
    [
        HELLO,
        TOP,
        "runbook: 1\nsteps: [{create: }, {teardown: }]\n",
        "runbook: 1\nenv: {A: 3.10, B: on}\nsteps: [{command: [ls, 7]}]\n",
        "runbook: 1\nsteps: [{command: x, background: '${{ inputs.b }}'}]\n",
        "runbook: 1\nsteps: [{watch: x, during: [{parallel: [{command: a}]}]}]\n",
        "runbook: 1\nsteps: [{pty: x, script: [{see: a}, {enter: b}]}]\n",
    ],
)
def test_editors_accept_what_the_loader_accepts(text: str) -> None:
    jsonschema.validate(yaml.safe_load(text), runbook_schema(VERBS))


@pytest.mark.parametrize(
    "text",
    [
        "steps: [{command: x}]",
        "runbook: 1\nsteps: [{rum: x}]",
        "runbook: 1\nsteps: [{command: x, timout: 1m}]",
        "runbook: 1\nsteps: [{watch: x, during: [{rum: a}]}]",
        "runbook: 1\nsteps: []",
        "runbook: 2\nsteps: [{command: x}]",
    ],
)
def test_editors_refuse_what_the_loader_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text), runbook_schema(VERBS))


def test_the_schema_is_written_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "runbook.schema.json"
    write_schema(path, VERBS)
    assert json.loads(path.read_text(encoding="utf-8")) == runbook_schema(VERBS)
