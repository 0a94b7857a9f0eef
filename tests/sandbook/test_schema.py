"""The exported schema is complete, says one thing at a time, allows what may be run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbook.api import VerbSpec
from sandbook.errors import RunbookError
from sandbook.loader import load_text
from sandbook.schema import runbook_schema, schema_text, write_schema
from tests.sandbook.exported import (
    REAL,
    ROOT,
    SCHEMA,
    Read,
    definitions,
    either,
    errors_of,
    every_key,
)
from tests.sandbook.test_loader import HELLO
from tests.sandbook.test_loader_names import TOP
from tests.sandbook.verbs import VERBS


@pytest.mark.parametrize("verbs", [VERBS, REAL], ids=["test verbs", "real verbs"])
@pytest.mark.parametrize(
    "draft", [jsonschema.Draft202012Validator, jsonschema.Draft7Validator]
)
def test_the_schema_is_a_json_schema_of_both_drafts_that_editors_know(
    verbs: Mapping[str, VerbSpec], draft: Any
) -> None:
    schema = runbook_schema(verbs)
    draft.check_schema(schema)
    assert not re.search(r'"x-[a-z]+":', json.dumps(schema))


def test_every_reference_leads_somewhere_and_every_definition_is_used() -> None:
    text = schema_text(SCHEMA)
    used = {ref.split("/")[0] for ref in re.findall(r'"#/\$defs/([^"]+)"', text)}
    assert used == set(definitions(SCHEMA))


def test_the_schema_is_small_enough_to_be_read() -> None:
    assert len(schema_text(SCHEMA)) < 150_000


def test_every_key_tells_what_it_is_called_what_it_means_and_gives_an_example() -> None:
    found = dict(every_key(SCHEMA, "", SCHEMA))
    assert len(found) > 150
    lacking = {
        path: missing
        for path, one in found.items()
        if (missing := {"title", "description", "examples"} - set(one))
        # A condition and a prohibition stand beside the key they are about.
        and one not in ({}, {"not": {}})
    }
    assert lacking == {}


def test_a_description_is_a_sentence() -> None:
    for path, one in every_key(SCHEMA, "", SCHEMA):
        said = one["description"]
        assert said[0].isupper() or said[0] == "`", path
        assert said.endswith("."), path


DEFAULTS = {
    "step.if": True,
    "step.limit": 1,
    "step.retry": 0,
    "step.timeout": "10m",
    "step.allow_failure": False,
    "create.provider": "auto",
    "create.timeout": "10m",
    "create.network": True,
    "create.as": "main",
    "create.if_missing": "create",
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_key_tells_its_default(name: str) -> None:
    assert definitions(SCHEMA)[name]["default"] == DEFAULTS[name]


def test_keys_within_keys_tell_their_defaults() -> None:
    found = dict(every_key(SCHEMA, "", SCHEMA))
    by_key = {path.split(".")[-1]: one for path, one in found.items()}
    told = {key: by_key[key]["default"] for key in ("wait", "backoff", "max_wait")}
    assert told == {"wait": "1s", "backoff": 1, "max_wait": "1m"}
    assert by_key["shell"]["default"] == "bash"
    assert by_key["background"]["default"] is False
    assert by_key["mode"]["default"] == "0644"
    assert by_key["fail_fast"]["default"] is True


def test_a_verb_tells_the_time_limit_of_its_own() -> None:
    teardown = definitions(SCHEMA)["teardown_step"]["properties"]["timeout"]
    assert teardown["default"] == "1m"
    assert definitions(SCHEMA)["use_step"]["properties"]["timeout"]["default"] == "none"


def test_every_example_and_default_fits_its_own_key() -> None:
    for path, one in every_key(SCHEMA, "", SCHEMA):
        alone = {**one, "$defs": SCHEMA["$defs"]}
        shown = list(one["examples"])
        if "default" in one:
            shown.append(one["default"])
        for example in shown:
            assert errors_of(alone, example) == [], (path, example)


ACCEPTED = {
    "empty values": "runbook: 1\nsteps: [{create: }, {teardown: }]\n",
    "texts that look otherwise": """
runbook: 1
env: {A: 3.10, B: on, C: ~, D: 2026-09-01}
steps: [{command: [ls, 7]}, {command: 'true', cwd: ~}]
""",
    "expressions": """
runbook: 1
inputs: {b: {type: boolean, default: true}}
steps: [{command: true, background: '${{ inputs.b }}'}]
""",
    "retries": """
runbook: 1
steps: [{command: a, retry: {times: 2, on: [exit]}, timeout: none}]
""",
    "file modes": """
runbook: 1
steps:
  - {write: a, content: 7, mode: 0644}
  - {write: b, base64: aGk=, mode: '0755'}
""",
    "expectations": """
runbook: 1
steps:
  - command: a
    shell: ${{ 'sh' }}
    retry: 3
    expect: {exit: any, json: {a: 1, b: {contains: x}}}
""",
    "names": """
runbook: 1
steps: [{id: on, command: a, if: true}, {check: {step: on, exit: 0}}]
""",
}


@either
@pytest.mark.parametrize("text", [HELLO, TOP, *ACCEPTED.values()])
def test_editors_accept_what_the_loader_accepts(text: str, read: Read) -> None:
    verbs = VERBS if text in (HELLO, TOP) else REAL
    load_text(text, Path("f.yaml"), verbs)
    assert errors_of(runbook_schema(verbs), read(text)) == []


@either
@pytest.mark.parametrize(
    "path", sorted((ROOT / "runbooks").rglob("*.yaml")), ids=lambda path: path.stem
)
def test_editors_accept_every_example(path: Path, read: Read) -> None:
    assert errors_of(SCHEMA, read(path.read_text(encoding="utf-8"))) == []


WRITTEN = (
    *("a", "3.10", "0644", "on", "NO", "true", "False", "~", "null", "1", "0", "1e3"),
    *("22:22", "2026-09-01", "30s", "1h30m", "none", "512MiB", "'quoted'", '"7"'),
    *("${{ run.id }}", "x ${{ run.id }}", "'${{ run.id }}'", "any", "sh", ".inf"),
    *("[]", "[a, 3.10]", "{}", "{a: 1}", "{contains: a}", "[exit]", "{times: 1}"),
    *("{path: a}", "[{path: a, size: 1KB}]", "{port: 1}", "bash", "0x10", "1.50"),
)


LINES = frozenset({"name", "command", "run_code", "if"})
NAMES = frozenset({"id", "in", "check", "as", "teardown", "language", "context"})


def _is_read_otherwise(key: str, written: str) -> bool:
    """What says nothing, or something else, to whoever knows only YAML.

    The loader takes the whole rest of a line where the key takes one.
    """
    if written[0] in "{[":
        return key in LINES
    return written in ("~", "null") and key in LINES | NAMES


@st.composite
def _runbooks(draw: st.DrawFn) -> str:
    verb = draw(st.sampled_from(sorted(set(REAL) - {"use", "parallel"})))
    known = list(definitions(SCHEMA)[f"{verb}_step"]["properties"])
    chosen = draw(st.lists(st.sampled_from(known), unique=True, max_size=3))
    lines = ["runbook: 1", "steps:", "  - id: first", "    command: x"]
    for index, key in enumerate(dict.fromkeys((verb, *REAL[verb].one_of[:1], *chosen))):
        written = draw(st.sampled_from(WRITTEN))
        if _is_read_otherwise(key, written):
            written = "a"
        lines.append(f"  {'  ' if index else '- '}{key}: {written}")
    return "\n".join(lines) + "\n"


@either
@settings(max_examples=400, deadline=None)
@given(text=_runbooks())
def test_whatever_the_loader_accepts_editors_accept(text: str, read: Read) -> None:
    try:
        load_text(text, Path("f.yaml"), REAL)
    except RunbookError:
        return
    assert errors_of(SCHEMA, read(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "steps: [{command: x}]",
        "runbook: 1\nsteps: [{rum: x}]",
        "runbook: 1\nsteps: [{name: x}]",
        "runbook: 1\nsteps: [x]",
        "runbook: 1\nsteps: [{command: x, timout: 1m}]",
        "runbook: 1\nsteps: [{command: x, timeout: 30}]",
        "runbook: 1\nsteps: [{command: x, write: a}]",
        "runbook: 1\nsteps: [{command: }]",
        "runbook: 1\nsteps: [{write: x}]",
        "runbook: 1\nsteps: [{write: x, content: a, base64: b}]",
        "runbook: 1\nsteps: [{parallel: [{rum: a}]}]",
        "runbook: 1\nenv: {my-name: x}\nsteps: [{command: x}]",
        "runbook: 1\nenv: {SANDBOOK_X: x}\nsteps: [{command: x}]",
        "runbook: 1\nsteps: []",
        "runbook: 2\nsteps: [{command: x}]",
    ],
)
@either
def test_editors_refuse_with_one_error_what_is_wrong_once(
    text: str, read: Read
) -> None:
    assert len(errors_of(SCHEMA, read(text))) == 1
    with pytest.raises(RunbookError):
        load_text(text, Path("f.yaml"), REAL)


def test_the_schema_is_written_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "runbook.schema.json"
    write_schema(path, VERBS)
    assert json.loads(path.read_text(encoding="utf-8")) == runbook_schema(VERBS)
