"""A verb of a third party extends the schema as those that come with Sandbook do."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from sandbook.api import VerbSpec
from sandbook.registry import Plugin, Registry
from sandbook.schema import runbook_schema
from tests.sandbook.exported import (
    REAL,
    definitions,
    errors_of,
)
from tests.sandbook.verbs import keys

GREETING = """
    from sandbook.api import Outcome, VerbSpec, hookimpl

    LINE = {"anyOf": [
        {"type": "object", "additionalProperties": False, "required": ["say"],
         "properties": {"say": {"type": "string", "x-kind": "line",
                                "description": "What to say."}}},
        {"type": "object", "additionalProperties": False, "required": ["sing"],
         "properties": {"sing": {"type": "string", "x-kind": "line"},
                        "verses": {"type": "array",
                                   "items": {"$ref": "#/$defs/line"}}}},
    ]}

    class Greet:
        spec = VerbSpec(
            name="greet",
            summary="greet somebody",
            value={"type": "string", "x-kind": "text"},
            keys={
                "loudness": {"type": "integer", "x-kind": "integer", "maximum": 11},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/line"},
                          "$defs": {"line": LINE}},
            },
            required=("lines",),
            fields={"text": "what was said"},
            subjects=("text", "values"),
            nested=("meanwhile",),
        )

        def requires(self, args):
            return frozenset()

        async def run(self, step):
            return Outcome(fields={"text": str(step.args["greet"])})

    @hookimpl
    def sandbook_verbs():
        return [Greet()]
"""


@pytest.fixture
def extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The schema where a plugin has brought a verb, through the hook."""
    name = f"greeting_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(dedent(GREETING))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    plugins = (
        Plugin(name="verbs", target="sandbook.verbs"),
        Plugin(name="greeting", target=name),
    )
    verbs = Registry(providers=(), hooks=plugins).verbs()
    return runbook_schema({name: verb.spec for name, verb in verbs.items()})


def _greeting(**more: object) -> dict[str, Any]:
    step = {"greet": "you", "lines": [{"say": "hello"}], **more}
    return {"runbook": 1, "steps": [step]}


def test_a_verb_of_a_third_party_extends_the_schema(extended: dict[str, Any]) -> None:
    right: tuple[dict[str, Any], ...] = (
        {},
        {"loudness": 11, "expect": {"text": "you"}, "save": {"a": "b"}},
        {"lines": [{"sing": "la", "verses": [{"say": "x"}, {"sing": "y"}]}]},
        {"meanwhile": [{"command": "make"}, {"greet": "me", "lines": []}]},
    )
    for more in right:
        assert errors_of(extended, _greeting(**more)) == [], more


@pytest.mark.parametrize(
    "wrong",
    [
        {"loudness": 12},
        {"loud": 1},
        {"lines": [{"shout": "x"}]},
        {"lines": [{"sing": "la", "verses": [{"shout": "x"}]}]},
        {"expect": {"stdout": "x"}},
        {"meanwhile": [{"gret": "x"}]},
        {"greet": {}},
    ],
)
def test_a_verb_of_a_third_party_is_checked_as_the_others(
    wrong: dict[str, object], extended: dict[str, Any]
) -> None:
    assert len(errors_of(extended, _greeting(**wrong))) == 1


def test_a_key_without_a_title_is_called_as_it_is_written(
    extended: dict[str, Any],
) -> None:
    own = definitions(extended)["greet_step"]["properties"]
    assert own["loudness"]["title"] == "Loudness"
    assert own["greet"]["description"] == "Greet somebody."


def test_a_verb_that_is_a_key_of_another_is_that_key_beside_it() -> None:
    outer = VerbSpec(
        name="zip", summary="", value={"type": "string"}, keys={"copy": {}}
    )
    schema = runbook_schema({**REAL, "zip": outer})
    steps = [{"zip": "a", "copy": ["b"]}, {"copy": "c"}]
    assert errors_of(schema, {"runbook": 1, "steps": steps}) == []


def test_what_cannot_be_told_apart_is_tried_one_by_one() -> None:
    either_map = {"anyOf": [keys(a={"type": "integer"}), keys(a={"type": "boolean"})]}
    spec = VerbSpec(name="odd", summary="", value=either_map)
    schema = runbook_schema({"odd": spec})
    book: dict[str, Any] = {"runbook": 1, "steps": [{"odd": {"a": 1}}]}
    assert errors_of(schema, book) == []
    book["steps"][0]["odd"] = {"a": "x"}
    assert errors_of(schema, book)
