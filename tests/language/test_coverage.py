"""Every row of the language is proven by a test that names it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from sandbook.registry import Registry
from tests.language.rows import LATER, ROWS

TESTS = Path(__file__).parents[1]


LATER_ROWS = tuple(row for rows in LATER.values() for row in rows)


def test_every_row_of_the_language_is_named_by_a_test() -> None:
    assert set(ROWS) - set(_named()) == set()


def test_every_row_of_a_verb_that_is_there_is_named_by_a_test() -> None:
    verbs = Registry.from_environment({}).verbs()
    rows = {row for verb in LATER if verb in verbs for row in LATER[verb]}
    assert rows - set(_named()) == set()


def test_every_row_that_a_test_names_exists() -> None:
    assert set(_named()) - {*ROWS, *LATER_ROWS} == set()


def test_the_rows_are_listed_once() -> None:
    assert len({*ROWS, *LATER_ROWS}) == len(ROWS) + len(LATER_ROWS)


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
