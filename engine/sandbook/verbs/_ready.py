"""When a background program counts as started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import uuid4

import anyio

from sandbook.api import (
    BoundShell,
    ExecRequest,
    ExecResult,
    Failure,
    Program,
    Shell,
    StepScope,
)
from sandbook.verbs import _arguments as get
from sandbook.verbs._output import Transcript
from sandbook.verbs._probes import http_status, port_is_open

WITHIN = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.25

Look = Callable[[], Awaitable[bool]]


async def wait_until_ready(
    step: StepScope, transcript: Transcript, ended: Sequence[ExecResult]
) -> Failure | None:
    """Wait for what `ready` names; fail at once when the program ends before it."""
    if step.args.get("ready") is None:
        return None
    ready = get.mapping(step.args["ready"], "ready")
    within = get.number(ready, "within", WITHIN)
    looks, waited_for = _look(step, transcript)
    pause = FIRST_PAUSE
    with anyio.move_on_after(within):
        while True:
            if await _looked(looks, ended):
                return None
            if ended:
                return _ended_early(ended[0], waited_for, transcript)
            await anyio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
    return Failure(
        cause=f"it was not ready within {within:g} s, waiting for {waited_for}"
        + transcript.last_words(),
        kind="timeout",
    )


async def _looked(looks: Look, ended: Sequence[ExecResult]) -> bool:
    """One look, given up when the program ends: a look may take many seconds."""
    found = False

    async def watch(scope: anyio.CancelScope) -> None:
        while not ended:  # noqa: ASYNC110 - the list is the only sign there is
            await anyio.sleep(FIRST_PAUSE)
        # One that is answered at once still counts, as of a program that goes away.
        await anyio.sleep(LONGEST_PAUSE)
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, tasks.cancel_scope)
        found = await looks()
        tasks.cancel_scope.cancel()
    return found


def _ended_early(
    result: ExecResult, waited_for: str, transcript: Transcript
) -> Failure:
    return Failure(
        cause=f"it ended with code {result.code} before it was ready, waiting for "
        f"{waited_for}{transcript.last_words()}",
        kind="exit",
    )


def _look(step: StepScope, transcript: Transcript) -> tuple[Look, str]:
    ready = get.mapping(step.args["ready"], "ready")
    if "output" in ready:
        wanted = get.text(ready, "output")
        return _says(transcript, wanted), f"the output {wanted!r}"
    if "command" in ready:
        return _command_passes(step), "the command of `ready`"
    if "port" in ready:
        number = int(get.number(ready, "port", 0))
        return lambda: port_is_open(step, number), f"port {number}"
    url = get.text(ready, "http")
    return _answers(step, url), f"an answer from {url}"


def _says(transcript: Transcript, wanted: str) -> Look:
    async def look() -> bool:
        return wanted in transcript.output()

    return look


def _answers(step: StepScope, url: str) -> Look:
    async def look() -> bool:
        status = await http_status(step, url)
        return status is not None and 200 <= status < 400  # noqa: PLR2004 (language.md §6)

    return look


def _command_passes(step: StepScope) -> Look:
    async def look() -> bool:
        sandbox = await step.sandbox()
        program, env = _shell(get.mapping(step.args["ready"], "ready")["command"])
        process = await sandbox.start(
            ExecRequest(
                program=program,
                key=f"{step.key}/ready/{uuid4().hex[:12]}",
                env={**step.env, **env},
                cwd=step.cwd,
                timeout=WITHIN,
            )
        )
        return (await process.wait()).code == 0

    return look


def _shell(value: object) -> tuple[Program, dict[str, str]]:
    if isinstance(value, BoundShell):
        return Shell(text=value.text), dict(value.env)
    return Shell(text=str(value)), {}
