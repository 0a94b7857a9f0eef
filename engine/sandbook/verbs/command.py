"""`command`: run a shell text, or a program with its arguments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal

from sandbook.api import (
    JSON,
    Arguments,
    Background,
    BoundShell,
    Capability,
    ExecRequest,
    ExecResult,
    Failure,
    Outcome,
    Process,
    Program,
    Shell,
    StepScope,
    VerbSpec,
)
from sandbook.verbs import _arguments as get
from sandbook.verbs import _shells
from sandbook.verbs._output import Transcript
from sandbook.verbs._ready import wait_until_ready
from sandbook.verbs._schemas import (
    BOOLEAN,
    DURATION,
    INTEGER,
    TEXT,
    TEXTS,
    a_map,
    any_of,
    described,
    one_of,
    only,
)

SHELL_TEXT = {"type": "string", "x-kind": "shell"}
_READY = {
    "port": described(INTEGER, "A port of the sandbox that accepts.", 8080),
    "http": described(
        TEXT,
        "A URL that answers with a status of 200 to 399.",
        "http://127.0.0.1:8080/",
        title="HTTP",
    ),
    "output": described(TEXT, "A text that the program writes.", "listening on"),
    "command": described(SHELL_TEXT, "A shell text that passes.", "pg_isready"),
    "within": described(DURATION, "How long to wait for it.", "30s", default="60s"),
}

SPEC = VerbSpec(
    name="command",
    summary="run a shell text, or a program with its arguments",
    value=described(
        any_of(SHELL_TEXT, TEXTS),
        "A text is a shell script; a list is a program and its arguments, without a "
        "shell.",
        "make test",
        ["git", "clone", "${{ inputs.url }}"],
    ),
    keys={
        "stdin": described(
            TEXT, "What the program reads; nothing without it.", "yes", title="Input"
        ),
        "shell": described(
            one_of("bash", "sh"), "Which shell reads the text.", "sh", default="bash"
        ),
        "user": described(
            TEXT, "Who runs it, where the provider can change that.", "root"
        ),
        "background": described(
            BOOLEAN,
            "Go on once it is ready, or started; it is ended at teardown.",
            True,
            default=False,
        ),
        "ready": described(
            only({**a_map(_READY), "minProperties": 1}),
            "When a background command counts as started: one of `port`, `http`, "
            "`output` and `command`.",
            {"port": 8080},
            {"http": "http://127.0.0.1:8080/", "within": "30s"},
        ),
    },
    fields={
        "exit": "exit code",
        "stdout": "what it wrote to stdout",
        "stderr": "what it wrote to stderr",
        "output": "both, as they came",
        "text": "stdout without line ends at its end",
        "json": "stdout parsed, missing if it is not JSON",
        "pid": "process id in the sandbox",
    },
    subjects=("exit", "stdout", "stderr", "output", "text", "json", "values", "file"),
    own_timeout=True,
)


class Command:
    """The verb."""

    spec = SPEC

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """`exec`, and what the keys add to it."""
        extra = {"stdin": "exec.stdin", "user": "exec.user"}
        return frozenset(
            {"exec"} | {need for key, need in extra.items() if key in args}
        )

    async def run(self, step: StepScope) -> Outcome:
        """Start the program and wait for its end, or until it is ready."""
        sandbox = await step.sandbox()
        # Not before: a sandbox adds to the environment of its steps.
        request = _request(step)
        failure = await _shells.refused(step, sandbox, request.program)
        if failure is not None:
            return Outcome(failure=failure)
        process = await sandbox.start(request)
        step.attached("process", process.key)
        if get.flag(step.args, "background"):
            return await self._background(step, process)
        transcript = Transcript(step.show)
        async for chunk in process.output():
            transcript.add(chunk)
        result = await process.wait()
        return Outcome(
            fields=_fields(transcript, process, result),
            failure=failure_of(result, step.timeout, transcript),
        )

    async def _background(self, step: StepScope, process: Process) -> Outcome:
        transcript = Transcript(step.show)
        ended: list[ExecResult] = []

        def fields() -> Mapping[str, JSON]:
            return _fields(transcript, process, ended[0] if ended else None)

        step.keep_running(
            Background(
                process=process,
                on_chunk=transcript.add,
                on_end=ended.append,
                fields=fields,
            )
        )
        failure = await wait_until_ready(step, transcript, ended)
        return Outcome(fields=fields(), failure=failure)


def _request(step: StepScope) -> ExecRequest:
    program, env = _program(step.args)
    background = get.flag(step.args, "background")
    stdin = get.optional_text(step.args, "stdin")
    return ExecRequest(
        program=program,
        key=step.key,
        stdin=None if stdin is None else get.as_bytes(stdin, "stdin"),
        env=_variables({**step.env, **env}),
        cwd=step.cwd,
        user=get.optional_text(step.args, "user"),
        timeout=None if background else step.timeout,
        background=background,
    )


def _program(args: Arguments) -> tuple[Program, Mapping[str, str]]:
    value = args["command"]
    if isinstance(value, BoundShell):
        return _shell(value.text, args), value.env
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = enumerate(get.as_text(item, "command") for item in value)
        return tuple(get.argument(item, f"command[{i}]") for i, item in items), {}
    return _shell(get.as_text(value, "command"), args), {}


def _shell(text: str, args: Arguments) -> Shell:
    return Shell(text=get.argument(text, "command"), dialect=_dialect(args))


def _variables(env: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in env.items():
        # The limit counts `NAME=value`.
        get.argument(f"{name}={value}", f"env.{name}")
    return env


def _dialect(args: Arguments) -> Literal["bash", "sh"]:
    return "sh" if get.text(args, "shell") == "sh" else "bash"


def _fields(
    transcript: Transcript, process: Process, result: ExecResult | None
) -> dict[str, JSON]:
    fields: dict[str, JSON] = {
        **transcript.fields(),
        "exit": result.code if result else None,
        "pid": process.pid,
    }
    try:
        fields["json"] = json.loads(transcript.text("stdout"))
    except (ValueError, RecursionError):
        return fields
    return fields


def failure_of(
    result: ExecResult, timeout: float | None, transcript: Transcript
) -> Failure | None:
    """Why an ended program counts as failed; `transcript` has its last words."""
    if result.end == "timed_out":
        return Failure(
            cause=f"it was still running after {timeout:g} s", kind="timeout"
        )
    if result.end == "lost":
        return Failure(cause="the sandbox was lost while it ran", kind="lost")
    if result.code == 0:
        return None
    return Failure(
        cause=_words_for(result) + transcript.last_words(), kind="exit", subject="exit"
    )


def _words_for(result: ExecResult) -> str:
    if result.limit is not None:
        return f"exit code {result.code}, {result.limit}"
    if result.end == "signalled" and result.code is not None:
        return f"it was ended by signal {result.code - 128} (exit code {result.code})"
    known = {126: "not executable", 127: "command not found"}
    why = known.get(result.code or 0)
    return f"exit code {result.code}" + (f" ({why})" if why else "")
