"""Matchers, one by one, on good and on bad values."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbook.api import JSON
from sandbook.errors import UsageError
from sandbook.expectations import unmet

FIELDS: dict[str, JSON] = {
    "exit": 0,
    "stdout": "one\ntwo 2\n",
    "stderr": "",
    "text": "one\ntwo 2",
    "json": {"a": {"b": [1, {"c": True}]}, "n": 3.5},
    "values": {"size": "12"},
    "status": 200,
}


def _unmet(subjects: dict[str, JSON]) -> tuple[str, ...]:
    async def call() -> tuple[str, ...]:
        return await unmet(subjects, FIELDS, None)

    return anyio.run(call)


@pytest.mark.parametrize(
    "subjects",
    [
        {"exit": 0},
        {"exit": "any"},
        {"stdout": "two"},
        {"stdout": {"equals": "one\ntwo 2\n"}},
        {"stdout": {"contains": ["one", "two"]}},
        {"stdout": {"not_contains": ["three", "four"]}},
        {"stdout": {"matches": "^two"}},
        {"stdout": {"matches": "one$", "contains": "2"}},
        {"text": {"one_of": ["x", "one\ntwo 2"]}},
        {"json": {"a.b[0]": 1}},
        {"json": {"a.b[1].c": True}},
        {"json": {"n": {"more_than": 3, "less_than": 4}}},
        {"values": {"size": {"more_than": 11}}},
        {"status": 200},
        {"status": {"one_of": [200, 204]}},
    ],
)
def test_what_holds_is_not_told(subjects: dict[str, JSON]) -> None:
    assert _unmet(subjects) == ()


@pytest.mark.parametrize(
    ("subjects", "words"),
    [
        ({"exit": 1}, "exit should equal 1, it is 0"),
        ({"stdout": "three"}, "stdout should contain 'three'"),
        ({"stdout": {"equals": "one"}}, "stdout should equal 'one'"),
        ({"stdout": {"not_contains": "two"}}, "stdout should not contain 'two'"),
        ({"stdout": {"matches": "^2"}}, "stdout should match '^2'"),
        ({"json": {"a.b[0]": True}}, "json a.b[0] should equal true, it is 1"),
        ({"json": {"a.b[7]": 1}}, "json has no 'a.b[7]'"),
        ({"json": {"a.x.y": 1}}, "json has no 'a.x.y'"),
        ({"values": {"other": 1}}, "values has no 'other'"),
        ({"values": {"size": {"less_than": 12}}}, "should be less than 12"),
        ({"status": {"one_of": [404]}}, "status should be one of [404]"),
        ({"error": "any thing"}, "an exception was expected and none came"),
    ],
)
def test_what_does_not_hold_is_told_with_what_there_is(
    subjects: dict[str, JSON], words: str
) -> None:
    (told,) = _unmet(subjects)
    assert words in told


def test_every_expectation_that_does_not_hold_is_told() -> None:
    assert len(_unmet({"exit": 3, "stdout": "x", "stderr": "y"})) == 3


def test_a_missing_json_is_told() -> None:
    async def call() -> tuple[str, ...]:
        return await unmet({"json": {"a": 1}}, {"stdout": "no json"}, None)

    assert anyio.run(call) == (
        "stdout is not JSON (Expecting value in line 1 column 1), it is 'no json'",
    )


@pytest.mark.parametrize("rule", [{"nope": 1}, {"matches": "("}])
def test_a_rule_that_is_none_is_the_authors_fault(rule: dict[str, JSON]) -> None:
    with pytest.raises(UsageError):
        _unmet({"stdout": rule})


def test_a_long_value_is_cut_in_the_message() -> None:
    async def call() -> tuple[str, ...]:
        return await unmet({"stdout": "y"}, {"stdout": "x" * 10_000}, None)

    (told,) = anyio.run(call)
    assert len(told) < 300
    assert "10000 characters" in told


@given(st.text(), st.text())
def test_contains_means_what_python_means(whole: str, part: str) -> None:
    async def call() -> tuple[str, ...]:
        return await unmet({"stdout": {"contains": part}}, {"stdout": whole}, None)

    assert (anyio.run(call) == ()) is (part in whole)


@pytest.mark.parametrize(
    ("subjects", "fields", "told"),
    [
        (
            {"stdout": {"equals": "a\nb\n"}},
            {"stdout": "a\nb \n"},
            "line 2 should be 'b\\n' and is 'b \\n'",
        ),
        (
            {"stdout": {"equals": "a\n"}},
            {"stdout": "a"},
            "line 1 should be 'a\\n' and is 'a'",
        ),
        (
            {"stdout": "listening on 80"},
            {"stdout": "start\nlistening on 81\nend"},
            "the nearest line is 'listening on 81'",
        ),
        ({"json": {"a.x": 1}}, {"json": {"a": {"b": 1}}}, "'a' has 'b'"),
        ({"json": {"a[3]": 1}}, {"json": {"a": [1]}}, "'a' has 1 items"),
        ({"json": {"a.b": 1}}, {"json": {"a": 3}}, "'a' is a number"),
        ({"json": {"a": 1}}, {"json": {"a": None}}, "should equal 1, it is null"),
        ({"values": {"p": 80}}, {"values": {"p": "80"}}, "quote what you expect"),
        ({"text": {"more_than": 3}}, {"text": "many"}, "and is no number"),
        ({"exit": 0}, {"exit": None}, "the program has not ended"),
        ({"stdout": {"not_contains": "x"}}, {}, "it is missing"),
    ],
)
def test_a_failure_says_what_would_help(
    subjects: dict[str, JSON], fields: dict[str, JSON], told: str
) -> None:
    async def call() -> tuple[str, ...]:
        return await unmet(subjects, fields, None)

    (said,) = anyio.run(call)
    assert told in said


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ('["a.b"]', 1),
        ("['a.b']", 1),
        ("$.c[0][1]", 3),
        (".c[0][0]", 2),
        ("c[-1].d", 4),
        ("e", None),
    ],
)
def test_a_path_leads_to_a_value(path: str, value: JSON) -> None:
    data: JSON = {"a.b": 1, "c": [[2, 3], {"d": 4}], "e": None}

    async def call() -> tuple[str, ...]:
        return await unmet({"json": {path: value}}, {"json": data}, None)

    assert anyio.run(call) == ()


@pytest.mark.parametrize("path", ["a..b", "a[x]", "a[", "a]b", "[0]x"])
def test_a_path_that_is_none_is_the_authors_fault(path: str) -> None:
    with pytest.raises(UsageError, match="cannot be read from"):
        _unmet({"json": {path: 1}})
