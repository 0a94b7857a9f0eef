"""No text of a step obeys or hides anything where it is shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbook.console._text import LineReader, clean, clean_coloured, duration, moment
from tests.sandbook.told_runs import (
    BEGIN,
    unhurried,
)


@unhurried
@given(st.text(alphabet="\x1b[]0;8m\x07\\?hPc:31\x9b\r\n\x00ab"))
def test_no_text_brings_a_control_character_through(text: str) -> None:
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", clean(text))
    coloured = clean_coloured(text)
    rest = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", rest)
    assert "\x1b" not in coloured or coloured.endswith("\x1b[0m")


@pytest.mark.parametrize(
    ("sequence", "kept"),
    [
        ("\x1b[31m", True),
        ("\x1b[m", True),
        ("\x1b[1;38;5;208;48;2;1;2;3m", True),
        ("\x1b[8m", False),
        ("\x1b[5;31m", False),
        ("\x1b[>4;2m", False),
        ("\x1b[38;5m", False),
        ("\x1b[2K", False),
    ],
)
def test_only_colours_and_emphasis_are_kept(sequence: str, *, kept: bool) -> None:
    assert (sequence in clean_coloured(f"{sequence}x")) == kept
    assert clean_coloured(f"{sequence}x").endswith("\x1b[0m") == kept
    assert clean(f"{sequence}x") == "x"


@unhurried
@given(
    lines=st.lists(st.text(alphabet="aé€😀"), max_size=5),
    cuts=st.lists(st.integers(0, 60), max_size=9),
)
def test_characters_and_lines_cut_by_chunks_are_put_together(
    lines: list[str], cuts: list[int]
) -> None:
    data = "\n".join(lines).encode()
    reader = LineReader()
    got: list[str] = []
    start = 0
    for cut in (*sorted(cuts), len(data)):
        got += reader.feed(data[start:cut])
        start = max(start, cut)
    assert [*got, *reader.flush()] == (lines if lines and lines[-1] else lines[:-1])


def test_a_line_without_end_is_shown_in_pieces() -> None:
    reader = LineReader()
    assert [len(line) for line in reader.feed(b"x" * 10000)] == [4096, 4096]
    assert [len(line) for line in reader.flush()] == [10000 - 8192]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0s"),
        (0.04, "0.0s"),
        (59.94, "59.9s"),
        (59.96, "1m00s"),
        (125, "2m05s"),
        (3599.9, "1h00m"),
        (7325, "2h02m"),
    ],
)
def test_durations_are_short(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


def test_moments_of_another_day_have_their_date() -> None:
    assert (
        moment(BEGIN.replace(day=23), BEGIN) == "2026-11-23 21:04 UTC (24h00m from now)"
    )
    assert moment(BEGIN, BEGIN) == "21:04 UTC (now over)"
