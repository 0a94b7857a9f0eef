"""What a supervisor is asked for a program, and the input that goes with it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import BinaryIO

from anyio import to_thread

from sandbook.api import ExecRequest, Shell
from sandbook_local.inside.frames import Message


def words(request: ExecRequest) -> tuple[str, ...]:
    """The arguments, or the shell text as one."""
    program = request.program
    return (program.text,) if isinstance(program, Shell) else program


def order(request: ExecRequest) -> Message:
    """The order to start it."""
    program = request.program
    shell: Mapping[str, object] = {"argv": words(request), "shell": None}
    if isinstance(program, Shell):
        bash = program.dialect == "bash"
        shell = {
            "argv": (),
            "shell": program.text,
            "strict": program.strict,
            "bash": bash,
        }
    return {
        **shell,
        "do": "start",
        "key": request.key,
        "env": dict(request.env),
        "cwd": request.cwd,
        "pipe": request.stdin == "pipe",
        "timeout": request.timeout,
        "grace": request.grace,
        "head": request.head,
        "tail": request.tail,
    }


async def take_stdin(request: ExecRequest) -> int | None:
    """A descriptor that reads the whole input, None for no input or a pipe."""
    source = request.stdin
    if source is None or isinstance(source, str):
        return None
    if isinstance(source, bytes):
        with os.fdopen(os.memfd_create("stdin"), "w+b") as file:
            file.write(source)
            return _read_only(file)
    with tempfile.TemporaryFile() as spool:
        async for data in source:
            await to_thread.run_sync(spool.write, data)
        return _read_only(spool)


def _read_only(file: BinaryIO) -> int:
    """Another descriptor of this file, at its start, that cannot write to it."""
    file.flush()
    # Programs may open /dev/stdin anew, as the sandbox's user.
    os.fchmod(file.fileno(), 0o444)
    return os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
