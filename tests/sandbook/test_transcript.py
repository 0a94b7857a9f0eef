"""A session at a terminal becomes the lines of a script."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbook.api import EchoState
from sandbook.terminal import KEY_NAMES, parse_key
from sandbook.transcript import (
    Ended,
    Line,
    LogEvent,
    Resized,
    Shown,
    Typed,
)
from tests.sandbook.sessions import draft, script, shown, typed


def test_what_is_asked_typed_and_entered() -> None:
    assert script(
        shown("Welcome\nName: "),
        *typed("Bob\r"),
        shown("Hello Bob\nAge: "),
        *typed("7\r"),
        shown("Bye\n"),
        Ended(3),
    ) == [
        Line("see", "Name:"),
        Line("enter", "Bob"),
        Line("see", "Age:"),
        Line("enter", "7"),
        Line("exit", "3"),
    ]


def test_what_was_corrected_is_not_told() -> None:
    assert script(shown("> "), *typed("lx\x7fs -q\x7fl\r")) == [
        Line("see", ">"),
        Line("enter", "ls -l"),
    ]
    kept = script(shown("> "), *typed("one two\x17three\r"))
    assert kept[-1] == Line("enter", "one three")
    assert script(shown("> "), *typed("wrong\x15right\r"))[-1] == Line("enter", "right")
    assert script(shown("> "), *typed("ab\x7f\x7f\x7f\r"))[-1] == Line("enter", "")


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ("helo\x1b[Dl", "hello"),
        ("ello\x01h\x05!", "hello!"),
        ("hello\x1b[H\x1b[3~H", "Hello"),
        ("hello world\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x0bme", "hello me"),
        ("ab\x1b[D\x1b[D\x1b[D\x1b[Cx", "axb"),
        ("ab\x1bOD\x1bOCc", "abc"),
    ],
)
def test_a_line_editor_has_ways_to_correct(keys: str, text: str) -> None:
    log = (shown("$ "), Typed(keys.encode(), "program"), *typed("\r", "program"))
    assert script(*log) == [Line("see", "$"), Line("enter", text)]


def test_what_the_program_completes_is_left_to_it() -> None:
    log = (
        shown("$ "),
        *typed("ls /us", "program"),
        Typed(b"\t", "program"),
        Shown(b"r/"),
        *typed("bin\r", "program"),
        shown("a b c\n$ "),
        Typed(b"\x1b[A", "program"),
        Shown(b"ls /usr/bin"),
        Typed(b"\r", "program"),
    )
    assert script(*log) == [
        Line("see", "$"),
        Line("type", "ls /us"),
        Line("press", ("Tab",)),
        Line("enter", "bin"),
        Line("see", "$"),
        Line("press", ("Up", "Enter")),
    ]


def test_the_cursor_is_where_it_was_when_the_program_takes_a_line() -> None:
    log = (shown("$ "), Typed(b"ab\x1b[D\t", "program"))
    assert script(*log)[1:] == [
        Line("type", "ab"),
        Line("press", ("Left", "Tab")),
    ]


def test_a_key_that_a_slow_line_cut_in_two_is_one() -> None:
    begin = (shown("$ "), Typed(b"\x1b", "program", 5.0))
    at_once = script(*begin, Typed(b"[A", "program", 5.01))
    assert at_once[1:] == [Line("press", ("Up",))]
    later = script(*begin, Typed(b"[A", "program", 6.0), Ended(None))
    assert later[1:] == [Line("press", ("Esc",)), Line("type", "[A")]
    last = script(*begin, Ended(0))
    assert last[-2:] == [Line("press", ("Esc",)), Line("exit", "0")]


def test_a_menu_is_keys_that_are_counted() -> None:
    log: list[LogEvent] = [shown("Colour?\n> red\n  blue\n  green\n")]
    for key in (b"\x1b[B", b"\x1b[B", b"\x1b[A", b"\x1b[B"):
        log += [Typed(key, "program"), shown("\x1b[3A  red\n> blue\n  green\n")]
    log += [Typed(b"\r", "program")]
    assert script(*log) == [
        Line("see", "green"),
        Line("press", ("Down x2", "Up", "Down", "Enter")),
    ]


def test_an_answer_that_needs_no_enter_stands_alone() -> None:
    log = (
        shown("Go on? [y/n] "),
        *typed("y", "program"),
        shown("\nSure? [y/n] "),
        *typed("n", "program"),
        shown("\n"),
        Ended(0),
    )
    assert script(*log) == [
        Line("see", "Go on? [y/n]"),
        Line("type", "y"),
        Line("see", "Sure? [y/n]"),
        Line("type", "n"),
        Line("exit", "0"),
    ]


def test_a_paste_is_one() -> None:
    data = b"\x1b[200~one\rtwo\n\x1b[201~"
    log = (shown(">>> "), Typed(data[:9], "program"), Typed(data[9:], "program"))
    assert script(*log, Typed(b"\r", "program"))[1:] == [
        Line("paste", "one\ntwo\n"),
        Line("press", ("Enter",)),
    ]


def test_lines_that_are_typed_at_once_do_not_wait_for_each_other() -> None:
    log = (shown("$ "), Typed(b"one\rtwo\rthree", "shown"), Typed(b"\r", "shown"))
    assert script(*log) == [
        Line("see", "$"),
        Line("enter", "one"),
        Line("enter", "two"),
        Line("enter", "three"),
    ]


def test_control_c_forgets_the_line() -> None:
    log = (shown("$ "), *typed("sleep 9"), Typed(b"\x03", "shown"), shown("^C\n$ "))
    assert script(*log, Typed(b"\x04", "shown"), Ended(0)) == [
        Line("see", "$"),
        Line("press", ("Ctrl+C",)),
        Line("see", "$"),
        Line("press", ("Ctrl+D",)),
        Line("exit", "0"),
    ]


def test_a_prompt_that_was_answered_ahead_is_not_waited_for() -> None:
    log = (
        Shown(b"\x1b[?2004h$ "),
        *typed("one\r", "program"),
        Shown(b"\x1b[?2004l\r"),
        *typed("two\r", "shown"),
        Shown(b"\x1b[?2004h$ two\r\n\x1b[?2004l\r"),
        Typed(b"\x04", "shown"),
    )
    assert [line.name for line in script(*log)] == ["see", "enter", "enter", "press"]


def test_what_is_interrupted_after_a_while_has_begun_by_then() -> None:
    begin = (shown("$ "), Typed(b"sleep 9\r", "shown", 5.0), Shown(b"sleep 9\r\n"))
    late = script(*begin, Typed(b"\x03", "shown", 7.0))
    assert late[2:] == [Line("wait_idle", "500ms"), Line("press", ("Ctrl+C",))]
    soon = script(*begin, Typed(b"\x03", "shown", 5.1))
    assert soon[2:] == [Line("press", ("Ctrl+C",))]
    other = script(*begin, Typed(b"\x04", "shown", 7.0))
    assert other[2:] == [Line("press", ("Ctrl+D",))]


def test_in_a_full_screen_keys_are_told_as_they_were_pressed() -> None:
    log = (
        shown("$ "),
        *typed("vi a\r"),
        Shown(b'\x1b[?1049h\x1b[2J\x1b[24;1H"a" [New]\x1b[1;1H'),
        Typed(b"ihelo\x7f", "program"),
        Typed(b"\x7fo", "program"),
        Typed(b"\x1b", "program"),
        Typed(b":wq\r", "program"),
        Shown(b"\x1b[?1049l\r\n$ "),
        *typed("exit\r"),
    )
    assert script(*log)[2:] == [
        Line("wait_idle", "1s"),
        Line("type", "ihelo"),
        Line("press", ("Backspace x2",)),
        Line("type", "o"),
        Line("press", ("Esc",)),
        Line("type", ":wq"),
        Line("press", ("Enter",)),
        Line("see", "$"),
        Line("enter", "exit"),
    ]


def test_a_full_screen_is_known_by_new_words_without_numbers() -> None:
    page = "\x1b[2J\x1b[HWelcome to Setup {}\r\nPress Enter to {}\r\n\x1b[24;1H12% done"
    log = (
        Shown(b"\x1b[?1049h" + page.format(1, "continue").encode()),
        Typed(b"\r", "program"),
        Shown(page.format(2, "finish the setup").encode()),
        Typed(b"\r", "program"),
        Shown(page.format(3, "finish the setup").encode()),
        Typed(b"\r", "program"),
        Shown(b"\x1b[?1049l"),
        Ended(0),
    )
    assert script(*log) == [
        Line("see", "Press Enter to continue"),
        Line("press", ("Enter",)),
        Line("see", "Press Enter to finish the setup"),
        Line("press", ("Enter",)),
        Line("wait_idle", "1s"),
        Line("press", ("Enter",)),
        Line("exit", "0"),
    ]


def test_a_blank_full_screen_is_waited_for() -> None:
    log = (Shown(b"\x1b[?1049h\x1b[2J"), Typed(b"q", "program"), Ended(0))
    assert script(*log)[:2] == [Line("wait_idle", "1s"), Line("type", "q")]


def test_another_size_is_told_where_it_happened() -> None:
    log = (shown("$ "), Resized(132, 50), *typed("ls\r"))
    assert script(*log)[0] == Line("resize", "132x50")


def test_what_the_terminal_answers_is_not_typed() -> None:
    answers = b"\x1b[12;1R\x1b[?62;22c\x1b[>0;276;0c\x1b[I\x1b[O\x1b[?2026;2$y"
    answers += b"\x1b]11;rgb:0000/0000/0000\x1b\\\x1bP1+r\x1b\\\x1b[?1u"
    assert (
        script(shown("$ "), Typed(answers, "program"), Typed(b"q", "program"))
        == [
            Line("see", "$"),
            Line("type", "q"),
        ]
        or script(shown("$ "), Typed(answers, "program")) == []
    )


def test_the_mouse_is_said_to_be_missing() -> None:
    log = (shown("$ "), Typed(b"\x1b[<0;5;5M\x1b[<0;5;5m", "program"))
    lines = script(*log, Typed(b"q", "program"), Ended(0))
    assert "mouse" in lines[0].comment
    assert [line.name for line in lines] == ["see", "type", "exit"]


@pytest.mark.parametrize(
    ("prompt", "seen"),
    [
        ("root@3f2a9c1d7e4b:/work# ", ":/work#"),
        ("me@box-one:~$ ", ":~$"),
        ("[12:30:59] ready> ", "] ready>"),
        ("build 1234567 done", "done"),
        ("took 3.2s", "took"),
        ("wrote /tmp/x8s7f ok? ", "ok?"),
        (f"{'long ' * 40}end? ", f"{'long ' * 15}end?"),
        ("12:30", None),
    ],
)
def test_what_changes_from_session_to_session_is_not_waited_for(
    prompt: str, seen: str | None
) -> None:
    lines = script(shown(prompt), *typed("x\r"), changing=("me@box-one",))
    waits = [line.value for line in lines if line.name == "see"]
    assert waits == ([] if seen is None else [seen])


KEYS = [
    f"{modifier}{key}"
    for modifier in ("", "Shift+", "Alt+", "Ctrl+")
    for key in KEY_NAMES
    if key != "Space"
]


@pytest.mark.parametrize("key", [*KEYS, "Ctrl+A", "Ctrl+Space", "Alt+x", "Alt+X"])
@pytest.mark.parametrize("cursor_keys", [False, True], ids=["plain", "application"])
def test_every_key_becomes_one_that_sends_the_same(
    key: str,
    cursor_keys: bool,  # noqa: FBT001
) -> None:
    sent = parse_key(key).sent(cursor_keys=cursor_keys)
    lines = script(Typed(sent.encode(), "program"), Ended(None))
    assert sent_by(lines, cursor_keys=cursor_keys) == sent


def sent_by(lines: list[Line], *, cursor_keys: bool = False) -> str:
    """What the lines type, byte by byte."""
    text = ""
    for line in lines:
        if line.name in ("enter", "type"):
            text += str(line.value) + "\r" * (line.name == "enter")
        elif line.name == "press" and not isinstance(line.value, str):
            for told in line.value:
                key = parse_key(told)
                text += key.sent(cursor_keys=cursor_keys) * key.times
    return text


@given(
    st.lists(
        st.one_of(
            st.text(alphabet="abc #:'\"{}é", min_size=1, max_size=6),
            st.sampled_from(
                ["\r", "\t", "\x1b[A", "\x1b[B", "\x1b[15~", "\x04", "\x12"]
            ),
        ),
        max_size=20,
    ),
    st.data(),
)
def test_what_needs_no_correction_is_sent_again_to_the_byte(
    keys: list[str], data: st.DataObject
) -> None:
    sent = "".join(keys)
    raw = sent.encode()
    cuts = data.draw(st.sets(st.integers(0, len(raw)), max_size=8))
    places = [0, *sorted(_outside_sequences(raw, cuts)), len(raw)]
    log = [
        Typed(raw[start:end], "program")
        for start, end in pairwise(places)
        if end > start
    ]
    assert sent_by(script(*log, Ended(None))) == sent


def _outside_sequences(raw: bytes, cuts: set[int]) -> set[int]:
    """A terminal sends the sequence of a key in one piece after its ESC."""
    return {cut for cut in cuts if raw[cut - 1 : cut] != b"\x1b"}


@given(st.lists(st.binary(max_size=12), max_size=30))
def test_no_bytes_are_an_error(pieces: list[bytes]) -> None:
    log: list[LogEvent] = []
    states: list[EchoState | None] = ["shown", "program", None]
    for number, piece in enumerate(pieces):
        log += [Shown(piece), Typed(piece, states[number % 3])]
    draft(*log, Ended(0))
