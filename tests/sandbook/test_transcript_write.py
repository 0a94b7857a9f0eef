"""A draft is written as a runbook that says the same, in canonical form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbook.expressions import Scope, evaluate
from sandbook.formatting import format_text
from sandbook.loader import load_text
from sandbook.runbook import Runbook
from sandbook.transcript import Draft, Line, Setting, write
from sandbook.verbs import sandbook_verbs

HERE = Path("recorded.yaml")
SETTING = Setting(argv=("python3", "-q"), cols=100, rows=30)


@pytest.fixture(scope="module")
def verbs() -> Mapping[str, Any]:
    """The verbs that are built in."""
    return {verb.spec.name: verb.spec for verb in sandbook_verbs()}


def test_a_draft_is_written_for_people(verbs: Mapping[str, Any]) -> None:
    lines = (
        Line("see", ">>>"),
        Line("enter", "print('a')"),
        Line("see", "Password:"),
        Line("secret", "PASSWORD"),
        Line("press", ("Down x2", "Enter"), "the mouse was used here"),
        Line("paste", "if x:\n    y\n"),
        Line("enter", ""),
        Line("resize", "132x50"),
        Line("exit", "3"),
    )
    draft = Draft(lines=lines, secrets={"PASSWORD": "not to be seen"})
    text = write(draft, SETTING, path=HERE, verbs=verbs)
    assert text == WRITTEN


WRITTEN = """\
# Recorded by `sandbook record`, and yours to edit.
#
# `see` waits until a text is shown, `enter` types a text and presses Enter.
# Only what is waited for is checked: add a `see` for each result that matters.
runbook: 1
name: Recorded python3 -q

# What was typed hidden is not in this file. `sandbook run` asks for it, or takes it
# from variables of these names.
secrets: [PASSWORD]

steps:
  - name: python3 -q
    pty: [python3, -q]
    size: 100x30
    script:
      - see: ">>>"
      - enter: print('a')
      - see: "Password:"
      - secret: ${{ secrets.PASSWORD }}
      # the mouse was used here
      - press: [Down x2, Enter]
      - paste: |
          if x:
              y
      - enter: ""
      - resize: 132x50
      - expect_exit: 3
"""


def loaded(text: str, verbs: Mapping[str, Any]) -> Runbook:
    """The runbook, without a problem."""
    return load_text(text, HERE, verbs)


def script_of(book: Runbook) -> Sequence[Mapping[str, Any]]:
    """What the lines of its only step are when it runs."""
    scope = Scope(names={}, secrets={"A": "value"})
    bound: Any = evaluate(book.steps[0].args["script"], scope)
    return list(bound)


TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="ab #:'\"{}[]\\$|>-\n\t%@`!&*,?é\x1b\x7f\x85\u2028", max_size=20),
    st.sampled_from(
        ["", " ", "yes", "null", "1", "0x1", "~", "- a", "a: b", "a #b", "${{ x }}"]
    ),
)


def _is_typable(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text and "\0" not in text


@settings(deadline=None)
@given(texts=st.lists(TEXTS.filter(_is_typable), min_size=1, max_size=6))
def test_every_text_is_typed_as_it_was(
    verbs: Mapping[str, Any], texts: list[str]
) -> None:
    names = ("enter", "type", "paste")
    lines = [Line(names[n % 3], text) for n, text in enumerate(texts)]  # type: ignore[arg-type]  # three of them
    text = write(Draft(lines=tuple(lines)), SETTING, path=HERE, verbs=verbs)
    found = [dict(line) for line in script_of(loaded(text, verbs))]
    assert found == [{line.name: line.value} for line in lines]
    assert format_text(text, HERE, verbs) == text


@settings(deadline=None)
@given(
    argv=st.lists(TEXTS.filter(_is_typable), min_size=1, max_size=4),
    value=TEXTS.filter(_is_typable),
)
def test_every_program_and_variable_is_written_as_it_is(
    verbs: Mapping[str, Any], argv: list[str], value: str
) -> None:
    setting = Setting(argv=tuple(argv), cols=80, rows=24, env={"PS1": value})
    book = loaded(write(Draft(lines=()), setting, path=HERE, verbs=verbs), verbs)
    scope = Scope(names={}, secrets={})
    step = book.steps[0]
    assert list(evaluate(step.args["pty"], scope)) == argv  # type: ignore[arg-type]  # a list was written
    assert evaluate(step.env["PS1"], scope) == value
