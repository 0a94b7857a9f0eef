"""A recording shows what it shows, and does nothing else to a terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbook.recording import Tame
from sandbook.terminal import Screen

HARMLESS = re.compile(
    r"[\x08\t\n\x0b\x0c\r\x07\x0e\x0f]|[^\x00-\x1f\x7f-\x9f]"
    r"|\x1b[78DEM]|\x1b[()*+][0AB12<>]|\x1b#[34568]"
    r"|\x1b\[[0-9;:]*[@A-HIJKLMPSTXZ`abdefmrsu]|\x1b\[[0-9;]* q|\x1b\[!p"
    r"|\x1b\[\?[0-9;]*[JK]|\x1b\[4[hl]"
    r"|\x1b\[\?(?:5|6|7|12|25|47|1047|1048|1049|2026)[hl]"
)
SHOWN = [
    "plain text, €𝄞 and wide 漢字",
    "\x1b[1;31mred\x1b[0m \x1b[38;2;1;2;3mexact\x1b[38:5:1m",
    "\x1b[2J\x1b[H\x1b[10;5Hplaced\x1b[K\x1b[1@\x1b[2P\x1b[3X",
    "\x1b7\x1b8\x1bM\x1bD\x1bE\x1b[s\x1b[u\x1b[3;9r\x1b[2L\x1b[1M",
    "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?2026h",
    "\x1b(0lqqk\x1b(B\x0e\x0f\x1b#8",
    "\x1b[5 q\x1b[!p\x1b[20b\a\b\t",
]
HIDDEN = [
    "\x1b]0;a title\x07",
    "\x1b]2;a title\x1b\\",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]8;;https://example.org\x1b\\",
    "\x1b]1337;File=:AAAA\x07",
    '\x1bP$q"p\x1b\\',
    "\x1b_Ga=T;AAAA\x1b\\",
    "\x1b^private\x1b\\",
    "\x1bXstring\x1b\\",
    "\x1b[c",
    "\x1b[>c",
    "\x1b[=c",
    "\x1b[6n",
    "\x1b[?6n",
    "\x1b[x",
    "\x1bZ",
    "\x05",
    "\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h\x1b[?1004h",
    "\x1b[?2004h\x1b[?1h\x1b[?3h\x1b[?9h",
    "\x1b=\x1b>",
    "\x1b[>4;2m\x1b[>1u\x1b[=1u\x1b[<u",
    "\x1b[21t\x1b[8;10;10t\x1b[22;0t",
    "\x1b[3J",
    "\x1b[5i\x1b[4i\x1b[?5i",
    "\x1b[2h\x1b[20h\x1b[12h",
    "\x1b%@\x1b%G",
    "\x1bH\x1b[g\x1b[3g",
    "\x1b[1;2;3;4;5T",
    "\x1b[?s\x1b[?r",
    "\x1b[18;5u",
    "\x1b[1$}\x1b[0\"q\x1b['z",
    "\x9b6n",
    "\x9d0;title\x9c",
    "\x90q\x9c",
    "\x1b[" + "1;" * 500 + "m",
]


def _tamed(text: str) -> str:
    return Tame().feed(text)


@pytest.mark.parametrize("text", SHOWN, ids=ascii)
def test_what_is_shown_passes(text: str) -> None:
    assert _tamed(text) == text


@pytest.mark.parametrize("text", HIDDEN, ids=lambda text: ascii(text)[:40])
def test_what_asks_or_changes_the_terminal_does_not_pass(text: str) -> None:
    assert _tamed(f"a{text}b") == "ab"
    by_character = Tame()
    assert "".join(by_character.feed(char) for char in f"a{text}b") == "ab"


def test_of_several_modes_only_the_harmless_pass() -> None:
    assert _tamed("\x1b[?1000;25;2004h") == "\x1b[?25h"


def test_the_short_form_of_a_sequence_is_written_long() -> None:
    assert _tamed("\x9b31mred\x9b0m") == "\x1b[31mred\x1b[0m"
    assert _tamed("\x84\x8d") == "\x1bD\x1bM"


def test_nothing_moves_or_repeats_without_end() -> None:
    assert _tamed("x\x1b[1000000000b\x1b[00099999C") == "x\x1b[9999b\x1b[9999C"


def test_a_full_reset_keeps_what_scrolled_by() -> None:
    assert _tamed("\x1bc") == "\x1b[!p\x1b[2J\x1b[H"


def test_a_control_inside_a_sequence_is_obeyed_first() -> None:
    assert _tamed("\x1b[3\n1mx") == "\n\x1b[31mx"


def test_a_sequence_that_is_broken_off_does_nothing() -> None:
    assert _tamed("\x1b[31\x18m") == "m"
    assert _tamed("\x1b[31\x1b[1mx") == "\x1b[1mx"
    assert _tamed("\x1b]0;title\x1b[1mx") == "\x1b[1mx"


TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from([*SHOWN, *HIDDEN]),
    st.text(
        alphabet="\x1b[]()?>;:0123456789hlmnctPX^_\\ $!\"'q\x07\x9b\x9c\x18",
        max_size=12,
    ),
)


@given(st.lists(TEXTS, max_size=20))
def test_whatever_comes_only_the_harmless_leaves(texts: list[str]) -> None:
    tame = Tame()
    told = "".join(map(tame.feed, texts)) + tame.undo()
    rest = HARMLESS.sub("", told.replace("\x1b[0 q", ""))
    assert rest == ""


@given(st.lists(TEXTS, max_size=20), st.data())
def test_where_it_is_cut_makes_no_difference(
    texts: list[str], data: st.DataObject
) -> None:
    whole = "".join(texts)
    at = data.draw(st.integers(0, len(whole)))
    tame = Tame()
    assert tame.feed(whole[:at]) + tame.feed(whole[at:]) == _tamed(whole)


@given(st.lists(TEXTS, max_size=20))
def test_afterwards_the_terminal_is_as_it_was(texts: list[str]) -> None:
    tame = Tame()
    screen = Screen(80, 24)
    screen.feed(b"prompt")
    screen.feed("".join(map(tame.feed, texts)).encode("utf-8", "replace"))
    screen.feed(tame.undo().encode())
    assert not screen.is_full
    assert not screen.brackets_paste
    assert not screen.has_cursor_keys


def test_a_full_screen_is_left_and_margins_go_without_moving_the_cursor() -> None:
    tame = Tame()
    assert "\x1b[?1049h" in tame.feed("\x1b[?1049h\x1b[2;5r")
    assert tame.undo().startswith("\x1b[?1049l\x1b7\x1b[?6l\x1b[r\x1b8")
    assert "\x1b7" not in Tame().undo()


def test_a_recording_cannot_make_the_terminal_answer() -> None:
    screen = Screen(80, 24)
    assert screen.feed(b"\x1b[6n\x1b[c") != b""
    told = "".join(map(_tamed, HIDDEN))
    assert screen.feed(told.encode()) == b""
