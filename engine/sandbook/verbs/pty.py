"""`pty`: talk to a program in a terminal, line by line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

import anyio

from sandbook.api import (
    JSON,
    BoundShell,
    Capability,
    Failure,
    Outcome,
    Pty,
    PtyRequest,
    Sandbox,
    StepScope,
    VerbSpec,
)
from sandbook.errors import SandbookError, UsageError
from sandbook.verbs import _arguments as get
from sandbook.verbs._schemas import BOOLEAN, INTEGER, TEXT, TEXTS, any_of, described
from sandbook.verbs._script._schema import SCRIPT, TERMINAL

if TYPE_CHECKING:
    from sandbook.verbs._script._carry_out import Script
    from sandbook.verbs._script._lines import Line
    from sandbook.verbs._script._session import Session, Stopped

TERM: Final = "xterm-256color"
LANG: Final = "C.UTF-8"
_AS_COMMAND: Final = (
    'if command -v bash >/dev/null; then exec bash -eo pipefail -c "$1"; fi; '
    'exec sh -e -c "$1"'
)
SHELL: Final = ("/bin/sh", "-c", _AS_COMMAND, "sandbook")
"""Runs the text behind it as `command` would."""

_SETTLE_S: Final = 0.3
"""How long a program may take to end after the last line that it was told."""

_JOINED: Final = {
    "type": "object",
    "properties": {
        "pid": described(
            {**INTEGER, "minimum": 1},
            "The process of a program that was left by `disconnect`.",
            "${{ steps.start.pid }}",
            title="Process",
        )
    },
    "required": ["pid"],
    "additionalProperties": False,
}

SPEC = VerbSpec(
    name="pty",
    summary="talk to a program in a terminal",
    value=described(
        any_of({"type": "string", "x-kind": "shell"}, TEXTS, _JOINED),
        "A text is a shell script; a list is a program and its arguments, without a "
        "shell; `{pid: N}` joins a terminal that was left by `disconnect`.",
        "./install.sh",
        ["python3", "-q"],
    ),
    keys={
        "script": SCRIPT,
        "size": described(
            TERMINAL, "Columns and rows of the terminal.", "100x30", default="80x24"
        ),
        "user": described(
            TEXT, "Who runs it, where the provider can change that.", "root"
        ),
        "record": described(
            BOOLEAN,
            "Whether what is shown is recorded, for `sandbook play`.",
            False,
            default=True,
        ),
    },
    required=("script",),
    fields={
        "exit": "exit code; missing while the program runs",
        "pid": "process id in the sandbox",
        "text": "the last screen",
        "output": "all lines that were shown",
        "recording": "the recording, a path of this computer",
    },
    subjects=("exit", "output", "text", "values", "file"),
    own_timeout=True,
)


class PtyVerb:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """`pty`, and what joining another terminal or another user need."""
        needs = {"pty"}
        if "user" in args:
            needs.add("exec.user")
        if isinstance(args.get("pty"), Mapping) or _leaves(args.get("script")):
            needs.add("pty.attach")
        return frozenset(needs)

    async def run(self, step: StepScope) -> Outcome:
        """Start the program or join it, carry out the script, and judge its end."""
        # A run without terminals needs none of this.
        from sandbook.verbs._script._lines import parse_script

        lines = parse_script(step.args["script"])
        sandbox = await step.sandbox()
        pty = await _terminal(step, sandbox)
        step.attached("pty", pty.id)
        return await _talk(step, sandbox, pty, lines)


def _leaves(script: object) -> bool:
    """Whether a script leaves its terminal, in a line or in one below it."""
    if isinstance(script, Mapping):
        line = cast("Mapping[str, object]", script)
        return "disconnect" in line or any(map(_leaves, line.values()))
    if isinstance(script, Sequence) and not isinstance(script, str):
        return any(map(_leaves, cast("Sequence[object]", script)))
    return False


async def _terminal(step: StepScope, sandbox: Sandbox) -> Pty:
    value = step.args["pty"]
    if isinstance(value, Mapping):
        return await _joined(step, sandbox, int(get.number(value, "pid", 0)))
    cols, rows = _size(step)
    argv, env = _program(step)
    return await sandbox.pty(
        PtyRequest(
            argv=argv,
            key=step.key,
            cols=cols,
            rows=rows,
            env=_variables({"LANG": LANG, **step.env, **env}),
            cwd=step.cwd,
            user=get.optional_text(step.args, "user"),
            term=TERM,
        )
    )


async def _joined(step: StepScope, sandbox: Sandbox, pid: int) -> Pty:
    found = await sandbox.find_pty(pid)
    if found is None:
        raise UsageError(
            f"there is no terminal of the process {pid} in this sandbox",
            remedy="the step that left it must be in the same sandbox: see `in` and "
            "`reuse`",
        )
    cols, rows = _size(step)
    try:
        await found.resize(cols=cols, rows=rows)
    except UsageError:
        # It has ended: what it showed is still there.
        return found
    return found


def _size(step: StepScope) -> tuple[int, int]:
    from sandbook.verbs._script._lines import terminal_size

    return terminal_size(step.args, "size")


def _program(step: StepScope) -> tuple[tuple[str, ...], Mapping[str, str]]:
    value = step.args["pty"]
    if isinstance(value, BoundShell):
        return (*SHELL, get.argument(value.text, "pty")), value.env
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = enumerate(get.as_text(item, "pty") for item in value)
        return tuple(get.argument(item, f"pty[{i}]") for i, item in items), {}
    return (*SHELL, get.argument(get.as_text(value, "pty"), "pty")), {}


def _variables(env: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in env.items():
        # The limit counts `NAME=value`.
        get.argument(f"{name}={value}", f"env.{name}")
    return env


async def _talk(
    step: StepScope, sandbox: Sandbox, pty: Pty, lines: Sequence[Line]
) -> Outcome:
    from sandbook.terminal import Screen
    from sandbook.verbs._script._carry_out import Script
    from sandbook.verbs._script._session import Session

    recording = None
    if get.flag(step.args, "record", default=True):
        cols, rows = _size(step)
        recording = step.record(cols=cols, rows=rows, term=TERM, command=_told(step))
    outcome: Outcome | SandbookError = Outcome()
    try:
        async with anyio.create_task_group() as tasks:
            session = Session(
                step, sandbox, pty, Screen(*_size(step)), recording, tasks
            )
            session.open()
            outcome = await _carried_out(Script(session), session, lines)
            tasks.cancel_scope.cancel()
    finally:
        if recording is not None:
            recording.close()
    if isinstance(outcome, SandbookError):
        raise outcome
    return outcome


async def _carried_out(
    script: Script, session: Session, lines: Sequence[Line]
) -> Outcome | SandbookError:
    """The outcome, or what the sandbox raised: a task group would wrap that."""
    from sandbook.verbs._script._session import Stopped

    failure: Failure | None = None
    try:
        with anyio.move_on_after(session.step.timeout) as limit:
            await script.run(lines)
        if limit.cancelled_caught:
            failure = _out_of_time(session, script)
    except Stopped as stopped:
        failure = _failure(stopped)
    except SandbookError as error:
        return error
    try:
        return await _ended(session, script, failure)
    except SandbookError as error:
        return error


async def _ended(session: Session, script: Script, failure: Failure | None) -> Outcome:
    if failure is None:
        await session.settle(_SETTLE_S)
        failure = _judged(session, script)
    fields = _fields(session)
    await session.close()
    if session.recording is not None and session.result is not None:
        session.recording.exit(session.result.code)
    return Outcome(fields=fields, failure=failure)


def _judged(session: Session, script: Script) -> Failure | None:
    from sandbook.verbs._script._telling import screen_of

    result = session.result
    if result is None or script.expected_exit or session.is_left or result.code == 0:
        return None
    words = f"the program ended with code {result.code}"
    return Failure(cause=f"{words}\n{screen_of(session)}", kind="exit", subject="exit")


def _fields(session: Session) -> dict[str, JSON]:
    screen, recording = session.screen, session.recording
    fields: dict[str, JSON] = {
        "exit": session.result.code if session.result else None,
        "pid": session.pty.pid,
        "text": "\n".join(screen.lines()),
        "output": "\n".join(screen.output()),
    }
    if recording is not None:
        fields["recording"] = str(recording.path)
    return fields


def _failure(stopped: Stopped) -> Failure:
    return Failure(
        cause=stopped.cause, kind="exit" if stopped.kind == "exit" else "expect"
    )


def _out_of_time(session: Session, script: Script) -> Failure:
    from sandbook.verbs._script._telling import told_failure

    cause = f"it was not done after {session.step.timeout:g} s"
    if script.line is not None:
        cause = told_failure(session, script.line, f"{cause}, at {script.line.label!r}")
    return Failure(cause=cause, kind="timeout")


def _told(step: StepScope) -> str:
    value = step.args["pty"]
    if isinstance(value, BoundShell):
        return value.text
    if isinstance(value, Mapping):
        return f"process {value.get('pid')}"
    return " ".join(get.texts(step.args, "pty"))
