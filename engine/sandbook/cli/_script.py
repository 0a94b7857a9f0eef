"""A script from stdin, run in a sandbox, its streams passed on as they come."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator

import anyio
from anyio import to_thread

from sandbook.api import ExecRequest, ExecResult, Process, Sandbox
from sandbook.errors import SandboxLost

# A login shell would read the profile; bash where there is one.
SHELL = ("/bin/sh", "-c", "if command -v bash >/dev/null; then exec bash; fi; exec sh")
_PIECE = 1 << 16


async def run_script(sandbox: Sandbox, key: str) -> int:
    """Run what stdin says; the exit code. Ctrl-C goes to the script."""
    request = ExecRequest(program=SHELL, key=key, stdin=_stdin())
    process = await sandbox.start(request)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_pass_on_signals, process)
        async for chunk in process.output():
            stream = sys.stdout if chunk.stream == "stdout" else sys.stderr
            stream.buffer.write(chunk.data)
            stream.buffer.flush()
        tasks.cancel_scope.cancel()
    return code_of(await process.wait(), sandbox)


def code_of(result: ExecResult, sandbox: Sandbox) -> int:
    """The exit code to pass on; raises `SandboxLost` when nobody knows it."""
    if result.code is None:
        raise SandboxLost(
            f"the sandbox {sandbox.ref.id!r} was lost while the shell ran",
            provider=sandbox.ref.provider,
            operation="wait",
            ref=sandbox.ref,
            remedy="list what lives: sandbook sandboxes",
        )
    return result.code


async def _stdin() -> AsyncIterator[bytes]:
    while True:
        # Abandoned at the end: a shell that has exited reads no further line.
        data = await to_thread.run_sync(
            os.read, sys.stdin.fileno(), _PIECE, abandon_on_cancel=True
        )
        if not data:
            return
        yield data


async def _pass_on_signals(process: Process) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            await process.signal("INT" if number == signal.SIGINT else "TERM")
