"""Inputs are what the runbook declares, or nothing runs."""

from __future__ import annotations

import pytest

from sandbook.api import JSON
from sandbook.errors import UsageError
from sandbook.inputs import resolve_inputs
from sandbook.runbook import Runbook
from tests.sandbook.reading import load
from tests.sandbook.verbs import VERBS


def declaring(lines: str) -> Runbook:
    """A runbook with these inputs."""
    return load(f"runbook: 1\ninputs:\n{lines}steps: [{{command: x}}]\n", VERBS)


ALL = declaring(
    "  who: {description: whom to greet}\n"
    "  count: {type: integer, default: 3, min: 1, max: 9}\n"
    "  share: {type: number, default: 0.5, max: 1}\n"
    "  loud: {type: boolean, default: false}\n"
    "  level: {type: choice, options: [3.9, 3.10], default: 3.10}\n"
    "  code: {pattern: '[A-Z]{3}', default: ABC}\n"
    "  file: {type: file, default: data.csv}\n"
)


def test_defaults_have_the_type_of_their_input() -> None:
    assert resolve_inputs(ALL, {"who": "x"}) == {
        "who": "x",
        "count": 3,
        "share": 0.5,
        "loud": False,
        "level": "3.10",
        "code": "ABC",
        "file": "data.csv",
    }


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("who", "3.10", "3.10"),
        ("who", "", ""),
        ("count", "9", 9),
        ("share", "1", 1),
        ("share", "-0.25", -0.25),
        ("loud", "true", True),
        ("level", "3.9", "3.9"),
        ("code", "XYZ", "XYZ"),
    ],
)
def test_a_text_that_is_given_becomes_the_type(
    name: str, text: str, value: JSON
) -> None:
    found = resolve_inputs(ALL, {"who": "x", name: text})[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "told", "remedy"),
    [
        ("count", "x", "must be a whole number, not 'x'", "-i count=1"),
        ("count", "1.0", "must be a whole number, not '1.0'", "-i count=1"),
        ("count", "0", "must be at least 1, not 0", "-i count=1"),
        ("count", "10", "must be at most 9, not 10", "-i count=1"),
        ("share", "nan", "must be a number, not 'nan'", "-i share=1"),
        ("share", "1e400", "must be a number, not '1e400'", "-i share=1"),
        ("loud", "yes", "must be true or false, not 'yes'", "-i loud=true"),
        ("level", "3.1", "must be one of 3.9, 3.10, not '3.1'", "-i level=3.9"),
        ("code", "ABCD", "must match the pattern [A-Z]{3}", "-i code=VALUE"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(
    name: str, text: str, told: str, remedy: str
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_inputs(ALL, {"who": "x", name: text})
    assert f"input {name!r}: {told}" in str(caught.value)
    assert caught.value.remedy == f"give it with {remedy}"
    assert caught.value.exit_code == 2


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_inputs(ALL, {"count": "x", "whoo": "y"})
    assert str(caught.value) == (
        "there is no input 'whoo'; input 'who': must be given (whom to greet); "
        "input 'count': must be a whole number, not 'x'"
    )
    assert caught.value.remedy == (
        "did you mean 'who'?; give it with -i who=VALUE; give it with -i count=1"
    )
