"""Files that are too large, too deep or hostile are refused, soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sandbook.errors import RunbookError
from sandbook.loader import load_runbook
from tests.sandbook.reading import problems_of, told
from tests.sandbook.verbs import VERBS

HEAD = "runbook: 1\nsteps: [{command: x}]\n"
BOMB = "".join(
    f"- &{one} [{', '.join([f'*{two}'] * 9)}]\n"
    for two, one in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# " + "x" * (1 << 20), "SB107 1:1 the file has 1,048,578 bytes"),
        ("[" * 200, "SB107 1:101 more than 100 levels"),
        ("a: " + "[" * 1_000_000, "SB107 1:103 more than 100 levels"),
        ("- &a [1]\n" + BOMB, "SB107 6:35 more than 100,000 values after aliases"),
        ("a: &a [*a]\n", "SB106 1:8 the alias *a stands inside its own value"),
        ("[" + "x," * 100_001 + "]", "SB107 1:200000 more than 100,000 values"),
        ("? [a]\n: b\n", "SB101 1:3 a key must be a plain text"),
    ],
    ids=["bytes", "levels", "many levels", "bomb", "cycle", "values", "key"],
)
@pytest.mark.language("§2 refused: 1 MiB", "§2 refused: 100,000 values")
def test_what_is_too_large_or_goes_round_is_refused(text: str, expected: str) -> None:
    begun = time.process_time()
    assert any(one.startswith(expected) for one in problems_of(text, VERBS))
    assert time.process_time() - begun < 20


@pytest.mark.parametrize(
    "text",
    [
        "runbook: 1\nsteps:\n" + "  - command: a: b # c\n" * 20_000,
        "runbook: 1\nsteps:\n" + "  - rum: x\n" * 80_000,
        "runbook: 1\n" + "a:\tb\n" * 100_000,
        "runbook: 1\nsteps: [{write: x, content: '" + "${{x}}" * 100_000 + "'}]\n",
        "runbook: 1\nname: " + "${{" * 300_000,
    ],
    ids=["lines", "problems", "tabs", "expressions", "openings"],
)
def test_a_large_file_takes_time_in_proportion(text: str) -> None:
    begun = time.process_time()
    problems_of(text, VERBS)
    assert time.process_time() - begun < 60


def test_a_file_that_cannot_be_read_is_told_with_its_path(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    with pytest.raises(RunbookError) as caught:
        load_runbook(missing, VERBS)
    assert str(caught.value) == (
        f"{missing}:1:1: the file cannot be read: No such file or directory"
    )
    with pytest.raises(RunbookError, match="Is a directory"):
        load_runbook(tmp_path, VERBS)


def test_a_long_line_is_shown_around_its_mark() -> None:
    shown = told(
        f"{HEAD}outputs: {{a: '{'x' * 500}', b: 007, c: '{'y' * 500}'}}\n", VERBS
    )
    line, caret = shown.splitlines()[1:3]
    assert len(line) < 200
    assert line[caret.index("^") :].startswith("007, c:")


def test_wide_characters_do_not_move_the_mark() -> None:
    shown = told(f"{HEAD}outputs: {{a: 鍵e\u0301, b: 007}}\n", VERBS)
    line, caret = shown.splitlines()[1:3]
    # The wide character takes two columns and the accent none: nothing is moved.
    assert line.index("007") == caret.index("^")


def test_what_cannot_be_printed_does_not_reach_the_terminal() -> None:
    shown = told(f"{HEAD}\x85outputs: {{a: 007}}\n", VERBS)
    assert "\x85" not in shown
