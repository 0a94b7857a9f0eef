"""What holds for any text: it is a runbook, or it is told well what is wrong with it.

Each promise fails with an `AssertionError`; any other exception breaks it as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from sandbook.api import VerbSpec
from sandbook.errors import Problem, RunbookError
from sandbook.formatting import format_text
from sandbook.loader import load_text
from sandbook.loader._shape import runbook_shape
from sandbook.loader._source import Source
from sandbook.loader._tree import read_tree
from sandbook.problems import render
from sandbook.runbook import Runbook
from sandbook.verbs import sandbook_verbs

ROOT: Final = Path(__file__).parents[2]
VERBS: Final[dict[str, VerbSpec]] = {
    one.spec.name: one.spec for one in sandbook_verbs()
}
# `use` and `copy` in a mutant look at files beside it.
PATH: Final = ROOT / "tests" / "bad" / "mutant.yaml"
_SHAPE: Final = runbook_shape(VERBS)
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_PLACE: Final = re.compile(r"Location\([^)]*\)")


def is_told_well(text: str) -> None:
    """Every problem stands in the text and can be shown with its place."""
    lines = _LINE_END.split(text.removeprefix("\ufeff"))
    for problem in _problems_of(text):
        at = problem.at
        if at.path == str(PATH) and problem.source:
            assert problem.source == lines[at.line - 1]
        if at.path == str(PATH):
            assert 1 <= at.line <= len(lines)
            assert 1 <= at.column <= len(lines[at.line - 1]) + 1
        shown = render(problem)
        assert shown.startswith(f"{at.path}:{at.line}:{at.column}: ")
        assert all(line.isprintable() for line in shown.split("\n"))


def is_read_alike(text: str) -> None:
    """With libyaml and without: the same tree, the same problems."""
    fast, slow = Source("f", text), Source("f", text)
    tree = read_tree(fast, _SHAPE)
    assert tree == read_tree(slow, _SHAPE, fast=False)
    assert fast.problems == slow.problems
    assert fast.is_partial == slow.is_partial


def is_read_without_libyaml(text: str) -> None:
    """The reader in Python alone comes to its end."""
    read_tree(Source("f", text), _SHAPE, fast=False)


def is_formatted_well(text: str) -> None:
    """A text that loads means the same in its canonical form, which is final."""
    try:
        before = load_text(text, PATH, VERBS)
    except RunbookError:
        return
    once = format_text(text, PATH, VERBS)
    assert _meaning(load_text(once, PATH, VERBS)) == _meaning(before)
    assert format_text(once, PATH, VERBS) == once


def _never_ends(_: str) -> None:
    while True:
        pass


def _takes_as_much_as_told(text: str) -> None:
    bytearray(int(text))


PROMISES: Final[Mapping[str, Callable[[str], None]]] = {
    "told": is_told_well,
    "alike": is_read_alike,
    "slow": is_read_without_libyaml,
    "formatted": is_formatted_well,
    # What proves that the limits hold.
    "endless": _never_ends,
    "greedy": _takes_as_much_as_told,
}


def loads(text: str) -> bool:
    """Whether the text is a runbook without errors."""
    try:
        load_text(text, PATH, VERBS)
    except RunbookError:
        return False
    return True


def _problems_of(text: str) -> tuple[Problem, ...]:
    """Errors or warnings; anything but a runbook and its errors breaks the promise."""
    try:
        return load_text(text, PATH, VERBS).warnings
    except RunbookError as error:
        return tuple(error.problems)


def _meaning(book: Runbook) -> str:
    """All that a runbook says, without the places of the file."""
    return _PLACE.sub("", repr(replace(book, hash="", warnings=())))
