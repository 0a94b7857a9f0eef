"""Terminals and the log of GitHub get what they can show, and obey no step."""

from __future__ import annotations

import os
import pty
import re
from dataclasses import replace

import pytest

from sandbook.console import ActionsConsole, PlainConsole, choose
from tests.sandbook.told_consoles import FAILED, HOSTILE, printed, said, stream, tell
from tests.sandbook.told_runs import (
    PLAN,
    Teller,
    failed_run,
)

FORGED = (
    b"::error file=x::forged\n  ::set-output name=a::b\n##[error]old\n##[add-path]x\n"
)


def groups(text: str) -> list[str]:
    """The log as GitHub reads it: commands, and text where they are switched off."""
    told: list[str] = []
    stopped: str | None = None
    for line in text.splitlines():
        command = re.match(r"\s*::([\w-]+)(?: [^:]*)?::(.*)", line)
        if stopped is not None:
            if command and command[1] == stopped:
                stopped = None
            continue
        if command and command[1] == "stop-commands":
            stopped = command[2]
        elif command or "##[" in line:
            told.append(line.strip())
    assert stopped is None
    return told


def test_github_gets_a_group_per_step() -> None:
    out = stream()
    tell(ActionsConsole(out, PLAN, colour=False), failed_run())
    assert groups(said(out)) == [
        "::group::→ [1/5] Install",
        "::endgroup::",
        "::group::→ [2/5] Start all",
        "::endgroup::",
        "::group::→ [3/5] Server answers",
        "::endgroup::",
        "::group::→ [3/5] Server answers  (try 2)",
        "::endgroup::",
        "::group::→ [5/5] Clean up",
        "::endgroup::",
    ]
    plain = [line for line in said(out).splitlines() if not line.startswith("::")]
    started = re.compile(r"^→ .*\n", re.MULTILINE)
    assert plain == started.sub("", FAILED).splitlines()


def test_a_step_cannot_forge_commands_of_github() -> None:
    text = printed(FORGED, ActionsConsole)
    assert groups(text) == ["::group::→ steps[0]", "::endgroup::"]
    assert "##[" not in text
    token = re.search("::stop-commands::(.+)", text)
    assert token
    assert len(token[1]) == 32
    assert token[1] not in printed(FORGED, ActionsConsole)


def test_a_cause_or_a_name_cannot_forge_commands_of_github() -> None:
    out = stream()
    teller = Teller()
    cause = "::error::first\n::error::second\n##[error]third"
    tell(
        ActionsConsole(out, replace(PLAN, name="::warning::name"), colour=False),
        [
            teller("run.started"),
            *teller.step("steps[0]", status="failed", cause=cause),
            teller("run.finished", status="failed", exit=1),
        ],
    )
    assert groups(said(out)) == ["::group::→ [1/5] Install", "::endgroup::"]


def test_a_github_log_is_left_with_commands_switched_on() -> None:
    out = stream()
    console = ActionsConsole(out, PLAN)
    teller = Teller()
    console.on_event(teller("run.started"))
    console.on_event(teller("step.started"))
    console.on_output("steps[0]", "stdout", b"half a li")
    console.close()
    assert groups(said(out)) == ["::group::→ [1/5] Install", "::endgroup::"]
    assert "half a li\x1b" not in said(out)
    assert "half a li\n" in said(out)


class Terminal:
    """A real terminal, and what was written to it."""

    def __init__(self) -> None:
        self._ours, theirs = pty.openpty()
        self.stream = os.fdopen(theirs, "w", encoding="utf-8")

    def read(self) -> str:
        self.stream.close()
        data = b""
        try:
            while chunk := os.read(self._ours, 65536):
                data += chunk
        except OSError:
            # Linux answers so once nobody has the terminal open.
            pass
        os.close(self._ours)
        return data.decode()


def on_terminal(environ: dict[str, str]) -> str:
    terminal = Terminal()
    console = choose(terminal.stream, {"TERM": "xterm", **environ}, PLAN)
    assert type(console).__name__ == "LiveConsole"
    tell(console, failed_run())
    return terminal.read()


def test_a_terminal_gets_the_same_lines_in_colour_and_its_cursor_back() -> None:
    shown = on_terminal({})
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "\x1b[31m✗ " in shown
    assert "\x1b[32mflask\x1b[0m" in shown
    told = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n").splitlines()
    lines = [line for line in FAILED.splitlines() if line]
    # A step that says nothing has no line of its own for its start.
    quiet = "  → web"
    assert [line for line in lines if line not in told] == [quiet]


def test_no_color_takes_the_colours_of_the_steps_away_too() -> None:
    shown = on_terminal({"NO_COLOR": "1"})
    assert "✗ Smoke test failed after" in re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown)


def test_markup_of_a_step_is_text_on_a_terminal() -> None:
    terminal = Terminal()
    console = choose(terminal.stream, {"TERM": "xterm"}, PLAN)
    teller = Teller()
    console.on_event(teller("run.started"))
    console.on_event(teller("step.started"))
    console.on_output("steps[0]", "stdout", b"[bold]no[/bold] :smile: " + HOSTILE)
    console.close()
    shown = terminal.read()
    assert "[bold]no[/bold] :smile: link^G^Hhidden" in shown
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, PlainConsole),
        ({"CI": "true", "TERM": "xterm"}, PlainConsole),
        ({"GITHUB_ACTIONS": "true"}, ActionsConsole),
        ({"GITHUB_ACTIONS": "false"}, PlainConsole),
    ],
    ids=["pipe", "ci", "github", "not github"],
)
def test_a_stream_that_is_no_terminal_gets_plain_lines(
    environ: dict[str, str], expected: type
) -> None:
    assert type(choose(stream(), environ)) is expected


def test_a_dumb_terminal_gets_plain_lines() -> None:
    terminal = Terminal()
    assert type(choose(terminal.stream, {"TERM": "dumb"})) is PlainConsole
    terminal.read()
