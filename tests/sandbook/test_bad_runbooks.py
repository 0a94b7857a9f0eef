"""Each broken runbook in tests/bad is told exactly as in the text beside it.

`python -m tests.sandbook.test_bad_runbooks` writes the texts anew; read the difference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from sandbook.api import VerbSpec
from sandbook.errors import Problem, RunbookError
from sandbook.explanations import Example, examples
from sandbook.loader import load_runbook, load_text
from sandbook.problems import CODES, render
from sandbook.verbs import sandbook_verbs
from tests.sandbook.bad_rules import RULES, WAITING

BAD: Final = Path(__file__).parent.parent / "bad"
FILES: Final = sorted(BAD.glob("*.yaml"))
VERBS: Final[Mapping[str, VerbSpec]] = {
    one.spec.name: one.spec for one in sandbook_verbs()
}
EXAMPLES: Final = examples()
_CODE: Final = re.compile(r"\((SB\d+)\)$", re.MULTILINE)
_NO_FILE: Final[Mapping[str, str]] = {}
"""Codes that no file can show yet, and why."""


def problems_in(path: Path) -> tuple[Problem, ...]:
    """The problems of a file; of one that loads, its warnings."""
    try:
        return load_runbook(path, VERBS).warnings
    except RunbookError as error:
        return tuple(error.problems)


def told(path: Path) -> str:
    """What a person is shown; the path is the name alone, wherever the tests are."""
    shown = "\n\n".join(render(problem) for problem in problems_in(path))
    shown = shown.replace(f"{path.parent}/", "")
    # Which folder is the project depends on where the tests are.
    return re.sub(r"outside the project \(/.*?\)", "outside the project", shown) + "\n"


def codes_of(name: str) -> set[str]:
    """The codes in the text of a file."""
    return set(_CODE.findall((BAD / f"{name}.txt").read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_broken_runbook_is_told_word_for_word(path: Path) -> None:
    assert told(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_file_that_only_warns_loads(path: Path) -> None:
    warns = all(problem.severity == "warning" for problem in problems_in(path))
    assert problems_in(path)
    assert warns == path.stem.startswith("warn_")


def test_there_is_a_text_for_each_file_and_no_other() -> None:
    assert {path.stem for path in BAD.glob("*.txt")} == {path.stem for path in FILES}


def test_every_code_is_told_somewhere() -> None:
    codes = {code for path in FILES for code in codes_of(path.stem)}
    assert codes | _NO_FILE.keys() == CODES.keys()
    assert not codes & _NO_FILE.keys()


def test_every_rule_has_a_file_and_every_file_a_rule() -> None:
    named = [name for files in RULES.values() for name in files]
    assert [rule for rule, files in RULES.items() if not files] == []
    assert set(named) == {path.stem for path in FILES}


def test_a_rule_without_a_file_waits_for_a_verb_that_is_not_there_yet() -> None:
    assert [rule for rule, verb in WAITING.items() if verb in VERBS] == []


def test_every_code_is_explained_with_an_example() -> None:
    assert EXAMPLES.keys() == CODES.keys()


def _whole(piece: str) -> str:
    """A runbook around a piece of one: steps, keys of the top, or a whole file."""
    if piece.startswith("runbook:"):
        return piece
    if piece.startswith(("- ", "#")):
        return f"runbook: 1\nsteps:\n{piece}"
    rest = "" if "steps:" in piece else "steps:\n  - command: make\n"
    return f"runbook: 1\n{piece}{rest}"


def _found(example: str) -> set[str]:
    """The codes that a piece of a runbook gives where it is the only thing wrong."""
    try:
        found = load_text(example, BAD / "example.yaml", VERBS).warnings
    except RunbookError as error:
        found = tuple(error.problems)
    return {problem.code for problem in found}


@pytest.mark.parametrize(("code", "example"), EXAMPLES.items(), ids=list(EXAMPLES))
def test_the_wrong_example_of_a_code_has_it_and_the_right_one_is_right(
    code: str, example: Example
) -> None:
    if code in _NO_FILE:
        pytest.skip(_NO_FILE[code])
    if example.wrong:
        assert code in _found(_whole(example.wrong))
    assert _found(_whole(example.right)) == set()


if __name__ == "__main__":
    for each in FILES:
        each.with_suffix(".txt").write_text(told(each), encoding="utf-8")
