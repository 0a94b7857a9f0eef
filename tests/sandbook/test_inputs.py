"""Inputs are what the runbook declares, or nothing runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sandbook.api import JSON
from sandbook.errors import UsageError
from sandbook.inputs import Given, InputValue, resolve_inputs
from sandbook.runbook import Runbook
from tests.sandbook.reading import load
from tests.sandbook.verbs import VERBS


def declaring(lines: str) -> Runbook:
    """A runbook with these inputs, in the folder of this file."""
    book = load(f"runbook: 1\ninputs:\n{lines}steps: [{{command: x}}]\n", VERBS)
    return replace(book, folder=Path(__file__).parent, project=Path(__file__).parent)


ALL = declaring(
    "  who: {description: whom to greet}\n"
    "  count: {type: integer, default: 3, min: 1, max: 9}\n"
    "  share: {type: number, default: 0.5, max: 1}\n"
    "  loud: {type: boolean, default: false}\n"
    "  level: {type: choice, options: [3.9, 3.10], default: 3.10}\n"
    "  code: {pattern: '[A-Z]{3}', default: ABC}\n"
    "  file: {type: file, default: reading.py}\n"
)


@pytest.mark.language("§1 inputs")
def test_defaults_have_the_type_of_their_input() -> None:
    assert resolve_inputs(ALL, {"who": "x"}) == {
        "who": "x",
        "count": 3,
        "share": 0.5,
        "loud": False,
        "level": "3.10",
        "code": "ABC",
        "file": "reading.py",
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
@pytest.mark.language(
    "§1 inputs: string",
    "§1 inputs: integer",
    "§1 inputs: number",
    "§1 inputs: boolean",
    "§1 inputs: choice",
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
@pytest.mark.language(
    "§1 inputs: integer",
    "§1 inputs: number",
    "§1 inputs: boolean",
    "§1 inputs: choice",
    "§1 inputs: string",
)
def test_a_text_that_does_not_fit_is_refused(
    name: str, text: str, told: str, remedy: str
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_inputs(ALL, {"who": "x", name: text})
    assert f"input {name!r}: {told}" in str(caught.value)
    assert caught.value.remedy == f"give it with {remedy}"
    assert caught.value.exit_code == 2


@pytest.mark.language("§1 inputs")
def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_inputs(ALL, {"count": "x", "whoo": "y"})
    assert str(caught.value) == (
        "there is no input 'whoo'; input 'who': must be given (whom to greet); "
        "input 'count': must be a whole number, not 'x'"
    )
    assert caught.value.remedy == (
        "did you mean 'who'?\ngive it with -i who=VALUE\ngive it with -i count=1"
    )


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("count", 4, 4),
        ("share", 0.25, 0.25),
        ("share", 1, 1),
        ("loud", True, True),
        ("who", Path("x"), "x"),
        ("who", 3, "3"),
        ("level", 3.9, "3.9"),
    ],
)
def test_a_python_value_is_checked_like_its_text(
    name: str, given: InputValue, value: JSON
) -> None:
    found = resolve_inputs(ALL, {"who": "x", name: given})[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("count", True, "must be a whole number, not 'true'"),
        ("count", 3.0, "must be a whole number, not '3.0'"),
        ("count", 10, "must be at most 9, not 10"),
        ("loud", 1, "must be true or false, not '1'"),
        ("share", float("inf"), "must be a number, not 'inf'"),
        ("who", None, "a boolean or a path, not nothing"),
        ("who", ["x"], "a boolean or a path, not a list"),
    ],
)
def test_a_python_value_of_another_type_is_refused(
    name: str, given: InputValue, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_inputs(ALL, {"who": "x", name: given})
    assert told in str(caught.value)


@pytest.mark.language("§1 inputs: file")
def test_a_file_that_is_given_becomes_absolute_and_may_be_anywhere(
    tmp_path: Path,
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "its.csv").write_text("")
    given = {"who": "x", "file": "its.csv"}
    found = resolve_inputs(ALL, given, here=elsewhere)["file"]
    assert found == str(elsewhere / "its.csv")
    with pytest.raises(UsageError, match=r"there is no file 'its\.csv'"):
        resolve_inputs(ALL, given)
    with pytest.raises(UsageError, match="there is no file ''"):
        resolve_inputs(ALL, {"who": "x", "file": ""})


@pytest.mark.language("§1 inputs: file")
def test_a_default_file_must_be_there_and_inside_the_project(tmp_path: Path) -> None:
    inside = replace(ALL, folder=tmp_path, project=tmp_path)
    (tmp_path / "reading.py").touch()
    assert resolve_inputs(inside, {"who": "x"})["file"] == "reading.py"
    sub = tmp_path / "sub"
    sub.mkdir()
    (sub / "reading.py").symlink_to(tmp_path / "reading.py")
    outside = replace(ALL, folder=sub, project=sub)
    with pytest.raises(UsageError, match="is outside the project"):
        resolve_inputs(outside, {"who": "x"})
    (tmp_path / "reading.py").unlink()
    with pytest.raises(UsageError, match=r"no file 'reading\.py' beside"):
        resolve_inputs(inside, {"who": "x"})


def test_a_problem_says_where_its_value_was_given() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_inputs(
            ALL,
            {
                "who": "x",
                "count": Given(text="x", place="in.yaml:2:3"),
                "cuont": Given(text="1", place="in.yaml:3:3"),
            },
        )
    assert str(caught.value) == (
        "in.yaml:3:3: there is no input 'cuont'; "
        "in.yaml:2:3: input 'count': must be a whole number, not 'x'"
    )


@pytest.mark.parametrize(
    ("declared", "example"),
    [
        ("{type: integer}", "1"),
        ("{type: integer, max: -5}", "-5"),
        ("{type: integer, min: 1234567}", "1234567"),
        ("{type: number, min: 0.5}", "0.5"),
        ("{type: choice, options: ['two words', b]}", "'two words'"),
        ("{type: file}", "PATH"),
        ("{type: boolean}", "true"),
    ],
)
def test_a_remedy_shows_a_value_that_fits(declared: str, example: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_inputs(declaring(f"  n: {declared}\n"), {})
    assert caught.value.remedy == f"give it with -i n={example}"


def test_a_pattern_that_would_search_for_ever_is_stopped() -> None:
    book = declaring("  n: {pattern: '(a+)+b'}\n")
    with pytest.raises(UsageError, match="takes too long"):
        resolve_inputs(book, {"n": "a" * 60})
    assert resolve_inputs(book, {"n": "aab"}) == {"n": "aab"}
