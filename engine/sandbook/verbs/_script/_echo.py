"""Asks a sandbox what its terminal does with typed text, where no provider can tell."""

from __future__ import annotations

from uuid import uuid4

from sandbook.api import EchoState, ExecRequest, Pty, Sandbox, Shell, StepScope
from sandbook.verbs import _arguments as get

_ASK = 'stty -a <"/proc/$1/fd/0"'
_LIMIT_S = 10.0


async def ask_echo(step: StepScope, sandbox: Sandbox, pty: Pty) -> EchoState | None:
    """What `stty` says of the terminal of the program; None = it says nothing."""
    if pty.pid is None:
        return None
    process = await sandbox.start(
        ExecRequest(
            program=Shell(text=f"set -- {pty.pid}; {_ASK}", dialect="sh"),
            key=f"{step.key}/echo/{uuid4().hex[:12]}",
            user=get.optional_text(step.args, "user"),
            timeout=_LIMIT_S,
        )
    )
    result = await process.wait()
    words = result.stdout.data().decode(errors="replace").replace(";", " ").split()
    if result.code != 0 or not {"echo", "-echo"} & set(words):
        return None
    if "echo" in words:
        return "shown"
    return "hidden" if "icanon" in words else "program"
