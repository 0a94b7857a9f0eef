"""Keys by name."""

from __future__ import annotations

import curses
import os

import pytest

from sandbook.terminal import KEY_NAMES, UnknownKey, parse_key


def sent(text: str, *, cursor_keys: bool = False) -> str:
    """What one press sends."""
    return parse_key(text).sent(cursor_keys=cursor_keys)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("Enter", "\r"),
        ("Tab", "\t"),
        ("Esc", "\x1b"),
        ("Escape", "\x1b"),
        ("Space", " "),
        ("Backspace", "\x7f"),
        ("Up", "\x1b[A"),
        ("ctrl+c", "\x03"),
        ("Ctrl+Z", "\x1a"),
        ("Ctrl+Space", "\0"),
        ("Ctrl+]", "\x1d"),
        ("Ctrl+Left", "\x1b[1;5D"),
        ("Shift+Ctrl+F5", "\x1b[15;6~"),
        ("Alt+x", "\x1bx"),
        ("Alt+Enter", "\x1b\r"),
        ("Ctrl+Alt+a", "\x1b\x01"),
        ("Shift+Tab", "\x1b[Z"),
        ("Shift+a", "A"),
        ("Delete", "\x1b[3~"),
        ("PageDown", "\x1b[6~"),
        ("PgDn", "\x1b[6~"),
        ("F1", "\x1bOP"),
        ("F12", "\x1b[24~"),
        ("q", "q"),
        ("+", "+"),
        ("Alt++", "\x1b+"),
        ("é", "é"),
    ],
)
def test_a_key_sends_what_a_terminal_sends(name: str, data: str) -> None:
    assert sent(name) == data


def test_arrows_differ_where_a_program_asks_for_it() -> None:
    assert sent("Up", cursor_keys=True) == "\x1bOA"
    assert sent("Home", cursor_keys=True) == "\x1bOH"
    assert sent("Ctrl+Up", cursor_keys=True) == "\x1b[1;5A"


def test_a_key_is_pressed_several_times() -> None:
    assert parse_key("Down x3").times == 3
    assert parse_key("x").times == 1
    assert parse_key("x x2") == parse_key("x x2")
    assert (parse_key("x x2").name, parse_key("x x2").times) == ("x", 2)


@pytest.mark.parametrize(
    "name", ["Entr", "Hyper+x", "", "Up x0", "Up x1001", "Ctrl+", "F13", "ab"]
)
def test_what_is_no_key_is_refused(name: str) -> None:
    with pytest.raises(UnknownKey):
        parse_key(name)


def test_every_name_is_that_of_a_key() -> None:
    assert len({sent(name) for name in KEY_NAMES}) == len(KEY_NAMES)


_TERMINFO = {
    "Up": "kcuu1",
    "Down": "kcud1",
    "Left": "kcub1",
    "Right": "kcuf1",
    "Home": "khome",
    "End": "kend",
    "Insert": "kich1",
    "Delete": "kdch1",
    "PageUp": "kpp",
    "PageDown": "knp",
    "Shift+Tab": "kcbt",
    "Shift+Right": "kRIT",
    **{f"F{number}": f"kf{number}" for number in range(1, 13)},
}


def test_keys_are_those_of_the_terminal_that_we_say_we_are() -> None:
    try:
        curses.setupterm("xterm-256color", os.open(os.devnull, os.O_WRONLY))
    except curses.error:
        pytest.skip("this computer does not describe xterm-256color")
    # What it describes are the keys of a program that asked for cursor keys.
    for name, capability in _TERMINFO.items():
        known = curses.tigetstr(capability)
        assert known == sent(name, cursor_keys=True).encode(), name
