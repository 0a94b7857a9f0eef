"""Every row of the language is proven by a test that names it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from sandbook.registry import Registry
from tests.language.rows import LATER, ROWS, WAITING

TESTS = Path(__file__).parents[1]


def test_every_row_of_the_language_is_named_by_a_test_or_waits() -> None:
    named = set(_named())
    assert {row for row in ROWS if row not in named} == WAITING


def test_every_row_that_a_test_names_exists() -> None:
    assert set(_named()) - {*ROWS, *LATER} == set()


def test_the_rows_are_listed_once() -> None:
    assert len({*ROWS, *LATER}) == len(ROWS) + len(LATER)


def test_a_row_waits_only_for_a_verb_that_is_not_there() -> None:
    verbs = Registry.from_environment({}).verbs()
    assert {"run_code", "pty", "watch"}.isdisjoint(verbs)


def _named() -> Iterator[str]:
    """The arguments of each `language(…)` mark, read without importing the tests."""
    for path in sorted(TESTS.rglob("*.py")):
        if "language(" in (text := path.read_text(encoding="utf-8")):
            yield from _in(ast.parse(text))


def _in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "language":
            for argument in node.args:
                if isinstance(argument, ast.Constant):
                    yield str(argument.value)
