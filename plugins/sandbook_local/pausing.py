"""Pausing a local sandbox, from its client's side; init answers when it is done."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Literal

import anyio

from sandbook.api import SandboxRef
from sandbook.errors import SpecRejected
from sandbook_local.connection import Connection, Ended, request

_UNDO_TIMEOUT = 5.0


async def pause(folder: Path) -> None:
    """Stop all that runs in it; undone when the wait is cancelled. Raises `Ended`."""
    try:
        await _order(folder, "pause")
    except anyio.get_cancelled_exc_class():
        with anyio.move_on_after(_UNDO_TIMEOUT, shield=True):
            await resume(folder)
        raise


async def resume(folder: Path) -> None:
    """Let it go on; nothing where it is not paused. Raises `Ended`."""
    await _order(folder, "resume")


def refused(ref: SandboxRef, operation: str) -> SpecRejected:
    """The error for what cannot be done while a sandbox is paused."""
    return SpecRejected(
        f"sandbox {ref.id!r} is paused",
        provider=ref.provider,
        operation=operation,
        ref=ref,
        sent="no",
        remedy="let it go on: `attach` with `resume_paused=True`, or `sandbook shell "
        f"{ref.id}`",
    )


async def _order(folder: Path, do: Literal["pause", "resume"]) -> None:
    frame = await request(folder, {"do": do})
    if not frame.descriptors:
        raise Ended(frame.message.get("text"))
    way = Connection(socket.socket(fileno=frame.descriptors.pop()))
    try:
        await way.receive()
    finally:
        way.close()
