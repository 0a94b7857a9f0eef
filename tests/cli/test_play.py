"""`sandbook play`: recordings on a terminal, in a pipe, in other forms."""

from __future__ import annotations

import json
import signal
import termios
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import pytest

from tests.cli.calls import DEADLINE, Cli, wait_until
from tests.cli.person import Terminal

Events = Sequence[tuple[float, str, str]]
HOSTILE = "\x1b]0;owned\x07\x1b[6n\x1b[?1000h\x1b]52;c;AAAA\x07"
LONG: Events = (
    (0.1, "o", "begin\r\n"),
    (1000, "m", "middle"),
    (0, "o", "midway\r\n"),
    (1000, "m", "end"),
    (0, "o", "over\r\n"),
    (0, "x", "0"),
)


def record(cli: Cli, events: Events, name: str = "a.cast", **more: object) -> str:
    """Write a recording of 80x24; its name."""
    header = {"version": 3, "term": {"cols": 80, "rows": 24}, **more}
    lines = "".join(f"{json.dumps(line)}\n" for line in (header, *map(list, events)))
    (cli.folder / name).write_text(lines, encoding="utf-8")
    return name


@contextmanager
def watching(cli: Cli, *argv: str) -> Generator[Terminal]:
    """A person who plays something; afterwards the terminal is as it was."""
    made = Terminal(cli, "play", *argv)
    try:
        yield made
        wait_until(lambda: made.process.poll() is not None)
        assert termios.tcgetattr(made.slave) == made.settings
    finally:
        made.close()


def is_raw(terminal: Terminal) -> bool:
    """Whether the player has the keys."""
    modes: int = termios.tcgetattr(terminal.slave)[3]
    return not modes & termios.ICANON


def test_a_recording_is_played_to_its_end(cli: Cli) -> None:
    events = [(0.05, "o", f"line {number}\r\n") for number in range(4)]
    with watching(cli, record(cli, events)) as terminal:
        terminal.see("line 0\r\nline 1\r\nline 2\r\nline 3\r\n")
        assert terminal.process.wait(DEADLINE) == 0


def test_time_is_kept(cli: Cli) -> None:
    with watching(cli, record(cli, LONG)) as terminal:
        terminal.see("begin")
        time.sleep(0.5)
        assert "midway" not in terminal.shown
        terminal.type("q")


@pytest.mark.parametrize("options", [("--speed", "1000"), ("--idle", "100ms"), ()])
def test_time_is_shortened_as_asked(cli: Cli, options: tuple[str, ...]) -> None:
    limit = None if options else 0.1
    with watching(cli, record(cli, LONG, idle_time_limit=limit), *options) as terminal:
        terminal.see("over")


def test_what_is_asked_for_wins_over_what_the_recording_says(cli: Cli) -> None:
    name = record(cli, LONG, idle_time_limit=0.1)
    with watching(cli, name, "--idle", "1h") as terminal:
        terminal.see("begin")
        time.sleep(0.5)
        assert "midway" not in terminal.shown
        terminal.type("q")


def test_space_pauses_a_dot_steps_and_space_goes_on(cli: Cli) -> None:
    events = [(0.0, "o", "begin "), *((1000, "o", f"n{n} ") for n in range(4))]
    with watching(cli, record(cli, events)) as terminal:
        terminal.see("begin")
        terminal.type(".")
        time.sleep(0.3)
        assert "n0" not in terminal.shown, "it is not paused"
        terminal.type(" .")
        terminal.see("n0")
        terminal.type(".")
        terminal.see("n1")
        terminal.type(" .")
        time.sleep(0.3)
        assert "n2" not in terminal.shown, "it goes on by itself"
        terminal.type("q")


def test_a_bracket_goes_to_the_next_marker(cli: Cli) -> None:
    with watching(cli, record(cli, LONG)) as terminal:
        terminal.see("begin")
        terminal.type("]")
        terminal.see("midway")
        assert "over" not in terminal.shown
        terminal.type("]")
        terminal.see("over")


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x03", 130)])
def test_a_key_ends_it_and_the_terminal_is_given_back(
    cli: Cli, key: str, code: int
) -> None:
    events = [(0.0, "o", "\x1b[?1049h\x1b[?25lhello"), *LONG]
    with watching(cli, record(cli, events)) as terminal:
        terminal.see("hello")
        assert is_raw(terminal)
        terminal.type(key)
        assert terminal.process.wait(DEADLINE) == code
        terminal.see("\x1b[?1049l")
        assert "\x1b[?25h" in terminal.shown.split("hello")[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_the_terminal_is_given_back(
    cli: Cli, number: signal.Signals
) -> None:
    with watching(cli, record(cli, LONG)) as terminal:
        terminal.see("begin")
        assert is_raw(terminal)
        terminal.process.send_signal(number)
        assert terminal.process.wait(DEADLINE) == 128 + number


def test_arrows_are_no_keys(cli: Cli) -> None:
    with watching(cli, record(cli, LONG)) as terminal:
        terminal.see("begin")
        terminal.type("\x1b]q")
        time.sleep(0.3)
        assert terminal.process.poll() is None
        terminal.type("q")


@pytest.mark.parametrize("start", ["middle", "1000", "16:40"])
def test_it_begins_where_it_is_told(cli: Cli, start: str) -> None:
    with watching(cli, record(cli, LONG), "--at", start) as terminal:
        terminal.see("begin\r\n")
        if start == "middle":
            terminal.see("midway")
        terminal.type("q")


def test_it_waits_at_markers_when_asked(cli: Cli) -> None:
    events = [(0.0, "m", "one"), (0.0, "o", "first"), (0.0, "m", "two")]
    name = record(cli, [*events, (0.0, "o", "second")])
    with watching(cli, name, "--pause-on-markers") as terminal:
        wait_until(lambda: is_raw(terminal))
        time.sleep(0.3)
        assert "first" not in terminal.shown
        terminal.type(" ")
        terminal.see("first")
        time.sleep(0.3)
        assert "second" not in terminal.shown
        terminal.type(" ")
        terminal.see("second")


def test_nothing_but_what_is_shown_reaches_the_terminal(cli: Cli) -> None:
    with watching(cli, record(cli, [(0.0, "o", f"a{HOSTILE}b")])) as terminal:
        terminal.see("ab")
        assert terminal.process.wait(DEADLINE) == 0
        for piece in ("owned", "\x1b[6n", "\x1b[?1000h", "AAAA"):
            assert piece not in terminal.shown


def test_a_terminal_that_is_too_small_is_told(cli: Cli) -> None:
    name = record(cli, LONG, term={"cols": 132, "rows": 50})
    with watching(cli, name) as terminal:
        terminal.see("warning: this terminal is 91x33, the recording 132x50")
        terminal.see("begin")
        terminal.type("q")


def test_a_recording_from_stdin_is_played_without_keys(cli: Cli) -> None:
    name = record(cli, LONG)
    called = cli("play", "-", stdin=(cli.folder / name).read_bytes())
    assert (called.code, called.out) == (0, "begin\nmidway\nover\n")


def test_in_a_pipe_the_lines_are_printed_as_text(cli: Cli) -> None:
    events = [(9.0, "o", f"\x1b[31mone{HOSTILE}\x1b[0m\r\n"), (9.0, "o", "two")]
    called = cli("play", record(cli, events))
    assert (called.code, called.out, called.err) == (0, "one\ntwo\n", "")


def test_markers_are_listed(cli: Cli) -> None:
    name = record(cli, LONG)
    assert cli("play", name, "--markers").out.splitlines() == [
        "TIME      MARKER",
        "1000.10s  middle",
        "2000.10s  end",
    ]
    record(cli, [])
    assert cli("play", name, "--markers").out == "it has no markers\n"


def test_json_tells_the_header_and_what_is_in_it(cli: Cli) -> None:
    name = record(cli, LONG, title="demo", command="vi", timestamp=1_700_000_000)
    assert cli("play", name, "--json").rows("recordings") == [
        {
            "name": name,
            "version": 3,
            "cols": 80,
            "rows": 24,
            "term": None,
            "title": "demo",
            "command": "vi",
            "timestamp": 1_700_000_000,
            "idle_limit": None,
            "seconds": 2000.1,
            "characters": 21,
            "exit": "0",
            "events": {
                "output": 3,
                "input": 0,
                "resize": 0,
                "marker": 2,
                "exit": 1,
                "other": 0,
            },
            "markers": [
                {"at": 1000.1, "text": "middle"},
                {"at": 2000.1, "text": "end"},
            ],
        }
    ]


def test_it_is_exported_for_older_players(cli: Cli) -> None:
    called = cli("play", record(cli, LONG), "--export", "old.cast")
    assert called.out == "old.cast is written as asciicast-v2\n"
    header, *events = (cli.folder / "old.cast").read_text().splitlines()
    assert json.loads(header) == {"version": 2, "width": 80, "height": 24}
    assert json.loads(events[-1]) == [2000.1, "o", "over\r\n"]
    assert cli("play", "old.cast").out == "begin\nmidway\nover\n"


def test_it_is_exported_as_text_and_as_it_was_shown(cli: Cli) -> None:
    name = record(cli, [(0.0, "o", "a\x1b[1mb\r\n")])
    assert cli("play", name, "--export", "a.txt").code == 0
    assert (cli.folder / "a.txt").read_text() == "ab\n"
    shown = cli("play", name, "--export", "-", "--format", "raw").out
    assert shown == "a\x1b[1mb\r\n"


def test_no_file_is_written_over_and_none_by_halves(cli: Cli) -> None:
    name = record(cli, LONG)
    called = cli("play", name, "--export", name)
    assert called.code == 2
    assert called.err.splitlines()[0] == "error: there is a 'a.cast' already"
    (cli.folder / name).write_text((cli.folder / name).read_text() + "oops\n[]\n")
    called = cli("play", name, "--export", "new.cast")
    assert called.code == 2
    assert "a.cast:8: this is no recording: it is not JSON" in called.err
    assert not (cli.folder / "new.cast").exists()


def test_a_broken_recording_is_told_with_its_line_and_gives_the_terminal_back(
    cli: Cli,
) -> None:
    name = record(cli, [(0.0, "o", "good")])
    (cli.folder / name).write_text((cli.folder / name).read_text() + "oops\n[]\n")
    with watching(cli, name) as terminal:
        terminal.see("good")
        terminal.see("error: a.cast:3: this is no recording: it is not JSON")
        assert terminal.process.wait(DEADLINE) == 2


def test_ways_that_exclude_each_other_are_refused(cli: Cli) -> None:
    name = record(cli, LONG)
    called = cli("play", name, "--json", "--export", "b.cast")
    assert "error: --json and --export exclude each other" in called.err
    called = cli("play", name, "--format", "txt")
    assert "--export OUT --format txt" in called.err
    called = cli("play", name, "--at", "midle")
    assert called.code == 0, "in a pipe nothing is skipped"
