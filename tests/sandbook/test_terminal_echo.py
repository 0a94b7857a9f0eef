"""The echo of what was typed is not what the program drew."""

from __future__ import annotations

import pytest

from sandbook.api import EchoState
from sandbook.terminal import Screen

PROMPT = "\x1b[?2004h$ "
"""As bash does: it says that a line editor reads now, and shows its prompt."""


def typed(
    text: str, state: EchoState | None, *, before: str = "Name: ", cols: int = 20
) -> Screen:
    """A screen on which a text was typed behind a prompt."""
    screen = Screen(cols, 6)
    screen.feed(before.encode())
    screen.typed(text, state)
    return screen


def seen(screen: Screen, data: str) -> list[str]:
    """What was drawn, without empty lines."""
    screen.feed(data.encode())
    return [line.strip() for line in screen.seen() if line.strip()]


@pytest.mark.parametrize("state", ["shown", "program", None])
def test_an_echo_is_not_seen(state: EchoState | None) -> None:
    screen = typed("Bob\r", state)
    assert seen(screen, "Bob\r\n") == []
    assert screen.lines() == ["Name: Bob"]
    assert seen(screen, "Hello Bob\r\n") == ["Hello Bob"]


def test_what_was_there_before_is_not_seen_either() -> None:
    assert seen(typed("Bob\r", "shown"), "Bob\r\nAge: ") == ["Age:"]


@pytest.mark.parametrize("state", ["shown", "program", None])
def test_the_same_text_printed_by_the_program_is_seen(state: EchoState | None) -> None:
    assert seen(typed("hello\r", state), "hello\r\nhello\r\n") == ["hello"]


def test_where_the_terminal_hides_what_is_typed_nothing_is_an_echo() -> None:
    assert seen(typed("hello\r", "hidden"), "hello\r\n") == ["hello"]


def test_a_program_that_shows_no_keys_is_heard() -> None:
    assert seen(typed("y", "program"), "\r\nyes, going on\r\n") == ["yes, going on"]
    assert seen(typed("y", "program"), "yes, going on\r\n") == ["yes, going on"]
    assert seen(typed("secret", "program"), "******") == ["******"]


def test_an_echo_may_come_in_pieces() -> None:
    screen = typed("hello\r", "program")
    for char in "hello":
        screen.feed(char.encode())
    assert seen(screen, "\r\ndone") == ["done"]


def test_an_echo_may_be_wrapped() -> None:
    for state in ("shown", "program"):
        screen = typed("a" * 30 + "\r", state)
        assert seen(screen, "a" * 30 + "\r\nend") == ["end"]


def test_an_echo_of_wide_characters_may_be_wrapped() -> None:
    screen = typed("漢字漢字漢字漢字漢\r", "program", cols=10)
    assert seen(screen, "漢字漢字漢字漢字漢\r\nend") == ["end"]


def test_an_echo_with_tabs_is_one() -> None:
    assert seen(typed("a\tb\r", "shown"), "a\tb\r\nend") == ["end"]


def test_the_program_may_write_before_the_echo_comes() -> None:
    screen = typed("go\r", "shown")
    assert seen(screen, "working\r\ngo\r\nend") == ["working", "end"]


def test_a_word_that_begins_as_the_echo_does_is_the_programs() -> None:
    screen = typed("going\r", "shown")
    assert seen(screen, "good\r\ngoing\r\nend") == ["good", "end"]


def test_keys_are_shown_as_signs() -> None:
    screen = Screen(20, 5)
    screen.feed(b"sleeping")
    screen.pressed(b"\x03")
    assert seen(screen, "^C\r\nstopped") == ["stopped"]
    screen.pressed(b"\x1b[A")
    assert seen(screen, "^[[A") == []
    screen.pressed(b"\x03")
    assert seen(screen, "\r\nno sign") == ["no sign"]


def test_what_a_line_editor_shows_again_in_another_colour_stays_an_echo() -> None:
    screen = typed("ls -l", "program", before=PROMPT)
    assert seen(screen, "\x1b[7mls -l\x1b[27m") == []
    screen.pressed(b"\r")
    assert seen(screen, "\r\x1b[C\x1b[Cls -l\r\n\x1b[?2004ltotal 0\r\n") == ["total 0"]


def test_what_was_typed_ahead_is_shown_twice_and_is_still_an_echo() -> None:
    screen = Screen(40, 6)
    screen.typed("echo DONE\r", "shown")
    assert seen(screen, "echo DONE\r\n") == []
    assert seen(screen, PROMPT + "echo DONE\r\n\x1b[?2004l") == ["$"]
    assert seen(screen, "DONE\r\n") == ["$", "DONE"]


def test_lines_typed_ahead_come_one_by_one() -> None:
    screen = Screen(40, 9)
    screen.typed("echo 1\r", "shown")
    screen.typed("echo 2\r", "shown")
    screen.feed(b"echo 2\r\n")
    assert seen(screen, PROMPT + "echo 1\r\n\x1b[?2004l1\r\n") == ["$", "1"]
    assert seen(screen, PROMPT + "echo 2\r\n\x1b[?2004l2\r\n") == ["$", "1", "$", "2"]


def test_an_answer_that_a_prompt_begins_with_is_no_echo_of_it() -> None:
    screen = typed("my\r", "shown", cols=40)
    screen.feed(b"my\r\n")
    assert seen(screen, "\x1b[?2004hmy-host$ ") == ["my-host$"]


def test_what_is_drawn_over_was_drawn() -> None:
    screen = Screen(20, 5)
    assert seen(screen, "Loading...\rDone\x1b[K\r\n") == ["Loading...", "Done"]
    assert seen(screen, "\x1b[2J\x1b[Hnew") == ["Loading...", "Done", "new"]
    assert screen.lines() == ["new"]


def test_a_full_screen_is_seen_as_it_is_now() -> None:
    screen = Screen(20, 5)
    screen.feed(b"\x1b[?1049h\x1b[Hone\r\ntwo")
    screen.pressed(b"j")
    assert screen.seen() == ["one", "two"]
    screen.feed(b"\x1b[H\x1b[Kthree")
    assert screen.seen() == ["three", "two"]


def test_in_a_full_screen_the_last_typed_text_is_an_echo_until_more_is_typed() -> None:
    screen = Screen(20, 5)
    screen.feed(b"\x1b[?1049h\x1b[H")
    screen.typed("hello", "program")
    screen.feed(b"hello")
    assert screen.seen() == []
    screen.pressed(b"\x1b")
    assert screen.seen() == ["hello"]


def test_what_a_full_screen_showed_last_was_drawn() -> None:
    screen = Screen(20, 5)
    screen.feed(b"\x1b[?1049h\x1b[Hthat is all\x1b[?1049l")
    assert screen.seen() == ["that is all"]
    assert screen.lines() == []


def test_the_stream_has_all_that_came_without_the_echo() -> None:
    screen = typed("go\r", "shown")
    screen.feed(b"go\r\n\x1b[31m10%\x1b[0m\r20%\r\n\x1b[2J\x1b]0;title\x07end\ttab")
    assert screen.stream_text() == "\n10%\n20%\nend\ttab"
    screen.pressed(b"x")
    assert screen.stream_text() == ""


def test_the_plain_text_has_the_echo_too() -> None:
    screen = typed("go\r", "shown")
    screen.feed(b"go\r\nwent\r\n")
    assert screen.take_plain() == "Name: go\nwent\n"
    assert screen.take_plain() == ""
