"""How a supervisor is started: executed afresh, told everything through a socket."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import anyio
from anyio import to_thread

from sandbook_local.connection import Connection
from sandbook_local.inside import frames
from sandbook_local.inside.frames import Message
from sandbook_local.layout import base_executable

_MAIN = Path(__file__).parent / "inside" / "main.py"
_TIMEOUT = 60.0
_LONG_TIMEOUT = 600.0


class Refused(Exception):  # noqa: N818 (an answer, put in words by `causes`)
    """This computer refused a part of the set-up: where, what, and its errno."""

    def __init__(self, stage: str, cause: str, code: int) -> None:
        super().__init__(f"{stage}: {cause}")
        self.stage = stage
        self.cause = cause
        self.code = code


async def launch(
    plan: Message, *, lock: int, log: Path, files: int | None = None
) -> None:
    """Start a supervisor and wait until it serves. It ends if we do before that.

    `lock` is a locked descriptor that it keeps as long as it lives, `files` one of a
    snapshot to begin with.

    Raises:
        Refused: The set-up is not possible here.
        Ended: It ended without a word; the log may say why.
        TimeoutError: It took too long.
    """
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    try:
        with theirs:
            await to_thread.run_sync(_start, theirs, log)
        with anyio.fail_after(_TIMEOUT if files is None else _LONG_TIMEOUT):
            passed = [lock] if files is None else [lock, files]
            await connection.send(plan, descriptors=passed)
            answer = (await connection.receive()).message
        if "refused" in answer:
            refused = frames.child(answer, "refused")
            stage, cause = frames.text(refused, "stage"), frames.text(refused, "cause")
            raise Refused(stage, cause, frames.whole(refused, "errno"))
        connection.send_byte(b"!")
    finally:
        connection.close()


def _start(channel: socket.socket, log: Path) -> None:
    """Start it; it leaves us at once, so there is nothing to wait for later."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing: dict[str, str] = {}
    try:
        subprocess.run(  # noqa: S603 (our own interpreter and file)
            [base_executable(), "-I", "-S", str(_MAIN)],
            stdin=channel.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=descriptor,
            env=nothing,
            start_new_session=True,
            check=True,
        )
    finally:
        os.close(descriptor)
