"""`sandbook record`: a session at a real terminal becomes a runbook that runs."""

from __future__ import annotations

import signal
import termios
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.calls import DEADLINE, Cli, bare_plugin, wait_until
from tests.cli.person import Terminal

LOGIN = (
    "printf 'User: '; read user; stty -echo; printf 'Password: '; read word; "
    'stty echo; echo; test "$word" = "open"" sesame" && echo "wel""come $user"'
)
VALUE = "open sesame"
SHELL = 'pty: [bash, --norc]\n    size: 91x33\n    env:\n      PS1: "$ "\n'


@contextmanager
def recording(cli: Cli, *argv: str) -> Generator[Terminal]:
    """A person who records; afterwards their terminal is as it was."""
    made = Terminal(cli, "record", "--provider", "local", *argv)
    try:
        yield made
        wait_until(lambda: made.process.poll() is not None)
        assert termios.tcgetattr(made.slave) == made.settings
    finally:
        made.close()


def holders(folder: Path, text: str) -> list[Path]:
    """The files in which a text stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if text.encode() in path.read_bytes()]


def recorded(cli: Cli, name: str = "recorded.yaml") -> str:
    """The runbook that was written."""
    return (cli.folder / name).read_text("utf-8")


def script(cli: Cli, name: str = "recorded.yaml") -> list[str]:
    """The lines of its script."""
    _, _, lines = recorded(cli, name).partition("    script:\n")
    return [line.strip() for line in lines.splitlines()]


def test_a_session_becomes_a_runbook_that_does_the_same(cli: Cli) -> None:
    with recording(cli, "--size", "80x24", "--", "python3", "-q") as terminal:
        terminal.see(">>> ")
        terminal.type("print(6*8\x7f7)\r")
        terminal.see("42\r\n>>> ")
        terminal.type("exit(3)\r")
        assert terminal.process.wait(DEADLINE) == 0
        terminal.see("recorded.yaml is written: 5 lines of a script")
        terminal.see("it does the same again: sandbook run recorded.yaml")
    assert script(cli) == [
        '- see: ">>>"',
        "- enter: print(6*7)",
        '- see: ">>>"',
        "- enter: exit(3)",
        "- expect_exit: 3",
    ]
    assert "pty: [python3, -q]\n    size: 80x24\n" in recorded(cli)
    assert cli("check", "recorded.yaml").code == 0
    assert cli("fmt", "--check", "recorded.yaml").code == 0
    assert cli("run", "--provider", "local", "recorded.yaml").code == 0
    assert cli.sandboxes() == []


def test_what_was_typed_hidden_is_nowhere(cli: Cli) -> None:
    with recording(cli, "-o", "login.yaml", "--", "sh", "-c", LOGIN) as terminal:
        terminal.see("User: ")
        terminal.type("bob\r")
        terminal.see("Password: ")
        terminal.type(f"{VALUE}x\x7f\r")
        terminal.see("welcome bob")
        assert terminal.process.wait(DEADLINE) == 0
        terminal.see("it does the same again")
        assert VALUE not in terminal.shown
    assert "secrets: [PASSWORD]" in recorded(cli, "login.yaml")
    assert '- see: "Password:"' in script(cli, "login.yaml")
    assert "- secret: ${{ secrets.PASSWORD }}" in script(cli, "login.yaml")
    assert holders(cli.folder, "welcome") == []
    assert holders(cli.state, "welcome") != [], "the replay is in the state folder"
    for folder in (cli.folder, cli.state, cli.home):
        assert holders(folder, VALUE) == []
    flags = ("--provider", "local", "login.yaml")
    assert cli("run", *flags, env={"PASSWORD": VALUE}).code == 0
    assert cli("run", *flags, env={"PASSWORD": "something else"}).code == 1


def test_a_shell_is_recorded_when_no_program_is_named(cli: Cli) -> None:
    with recording(cli) as terminal:
        _at_prompt(terminal, 1)
        terminal.type("echo one''two >file\r")
        _at_prompt(terminal, 2)
        terminal.type("cat file\r")
        terminal.see("onetwo")
        _at_prompt(terminal, 3)
        terminal.type("sh -c 'echo be''gun; exec sleep 600'\r")
        terminal.see("begun")
        terminal.type("\x03")
        _at_prompt(terminal, 4)
        terminal.type("exit\r")
        assert terminal.process.wait(DEADLINE) == 0
    assert SHELL in recorded(cli)
    assert script(cli) == [
        "- see: $",
        "- enter: echo one''two >file",
        "- see: $",
        "- enter: cat file",
        "- see: $",
        "- enter: sh -c 'echo be''gun; exec sleep 600'",
        "- see: begun",
        "- press: Ctrl+C",
        "- see: $",
        "- enter: exit",
        "- expect_exit: 130",
    ]


MENU = """
import curses

def choose(screen):
    items, at = ["red", "green", "blue"], 0
    while True:
        screen.erase()
        for number, item in enumerate(items):
            screen.addstr(number, 0, ("> " if number == at else "  ") + item)
        screen.addstr(4, 0, "arrows move, Enter takes")
        key = screen.getch()
        if key in (10, 13):
            return items[at]
        at = (at + (key == curses.KEY_DOWN) - (key == curses.KEY_UP)) % 3

print("chosen:", curses.wrapper(choose))
input("done? ")
"""


def test_a_full_screen_program_is_replayed(cli: Cli) -> None:
    with recording(cli, "--", "python3", "-c", MENU) as terminal:
        terminal.see("Enter takes")
        terminal.type("\x1bOB\x1bOB\x1bOB\x1bOA\r")
        terminal.see("chosen: blue")
        terminal.see("done? ")
        terminal.type("yes\r")
        assert terminal.process.wait(DEADLINE) == 0
        terminal.see("it does the same again")
    assert script(cli) == [
        "- see: arrows move, Enter takes",
        "- press: [Down x3, Up, Enter]",
        "- see: done?",
        '- enter: "yes"',
        "- expect_exit: 0",
    ]


def _at_prompt(terminal: Terminal, number: int) -> None:
    """Wait for a prompt, as people do."""
    wait_until(lambda: terminal.shown.count("$ ") >= number)


def test_where_the_replay_differs_is_told(cli: Cli) -> None:
    cli.book("steps: [{command: echo here > state}]", "prepare.yaml")
    flags = ("--provider", "local")
    assert cli("run", *flags, "--keep", "prepare.yaml").code == 0
    (kept,) = cli.sandboxes()
    program = 'test -e state || { printf "New: "; exit; }; printf "Old: "; read x'
    with recording(cli, "--in", kept["id"], "--", "sh", "-c", program) as terminal:
        terminal.see("Old: ")
        terminal.type("yes\r")
        terminal.see("recorded.yaml is written")
        terminal.see("replaying it in a fresh sandbox")
        assert terminal.process.wait(DEADLINE) == 1
        terminal.see("'Old:'")
        terminal.see("New: ")
        terminal.see("mend recorded.yaml where the replay stopped")
    assert [row["id"] for row in cli.sandboxes()] == [kept["id"]]


def test_the_window_may_change_its_size(cli: Cli) -> None:
    text = "trap 'stty size' WINCH; echo up; until read x; do :; done; echo got $x"
    with recording(cli, "--no-replay", "--", "sh", "-c", text) as terminal:
        terminal.see("up")
        terminal.resize(cols=70, rows=20)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.see("20 70")
        terminal.type("it\r")
        terminal.see("got it")
        assert terminal.process.wait(DEADLINE) == 0
    assert "- resize: 70x20" in script(cli)
    assert "size: 91x33" in recorded(cli)


def test_a_size_of_ones_own_does_not_follow_the_window(cli: Cli) -> None:
    text = "stty size; read x; stty size; read x"
    argv = ("--no-replay", "--size", "60x10", "--", "sh", "-c", text)
    with recording(cli, *argv) as terminal:
        terminal.see("10 60")
        terminal.resize(cols=70, rows=20)
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.type("\r")
        terminal.see("10 60\r\n\r\n10 60")
        terminal.type("\r")
        assert terminal.process.wait(DEADLINE) == 0
    assert "resize" not in recorded(cli)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_session_and_keeps_what_was_done(
    cli: Cli, number: signal.Signals
) -> None:
    with recording(cli, "--no-replay", "--", "sh", "-c", "echo up; cat") as terminal:
        terminal.see("up")
        terminal.type("word\r")
        terminal.see("word\r\nword")
        terminal.process.send_signal(number)
        terminal.process.wait(DEADLINE)
    assert "- enter: word" in script(cli)
    assert cli.sandboxes() == []


def test_a_window_that_is_closed_ends_the_session_and_keeps_what_was_done(
    cli: Cli,
) -> None:
    argv = ("--provider", "local", "--", "sh", "-c", "echo up; cat")
    made = Terminal(cli, "record", *argv)
    try:
        made.see("up")
        made.type("word\r")
        made.see("word\r\nword")
        made.close_window()
        made.process.wait(DEADLINE)
    finally:
        made.close()
    assert "- enter: word" in script(cli)
    assert cli.sandboxes() == []


def test_what_cannot_be_recorded_is_refused_before_anything_runs(cli: Cli) -> None:
    called = cli("record", "--", "true")
    assert called.code == 2
    assert "a session needs a terminal" in called.err
    (cli.folder / "there.yaml").write_text("mine")
    with recording(cli, "-o", "there.yaml", "--", "true") as terminal:
        assert terminal.process.wait(DEADLINE) == 2
        terminal.see("error: there is a 'there.yaml' already")
    assert (cli.folder / "there.yaml").read_text() == "mine"
    assert not cli.state.exists() or cli.sandboxes() == []


def test_a_provider_without_terminals_is_passed_over(cli: Cli) -> None:
    bare_plugin(cli)
    made = Terminal(cli, "record", "--provider", "bare", "--", "true")
    try:
        assert made.process.wait(DEADLINE) == 3
        made.see("bare")
        made.see("pty")
    finally:
        made.close()


def test_a_program_that_is_not_there_is_recorded_as_it_is(cli: Cli) -> None:
    with recording(cli, "--no-replay", "--", "no-such-program") as terminal:
        assert terminal.process.wait(DEADLINE) == 0
    assert script(cli) == ["- expect_exit: 127"]
    assert [path.name for path in cli.folder.iterdir()] == ["recorded.yaml"]
