"""How a program of a machine is run so that its output is read to its very end.

A local sandbox stops reading where the leader ends. Where a vendor reads on for as long
as anybody holds the output open, the program writes into two pipes with names, and a
reader beside it passes on what comes out of them.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

import anyio

from sandbook.api import Chunk, ExecRequest, Process, Sandbox
from sandbook.errors import ProviderError

_END_TIMEOUT = 5.0

_READER = """\
umask 077
mkdir "$1" && mkfifo "$1/1" "$1/2" && echo || exit 1
exec 3<"$1/1" 4<"$1/2"
rm -r "$1"
cat <&3 & cat <&4 >&2 & wait
"""
_WRITER = 'at=$1; shift; exec "$@" >"$at/1" 2>"$at/2"'


class NoOutlet(Exception):  # noqa: N818 (a state, never shown)
    """The pipes for its output cannot be made."""


@dataclass(slots=True, kw_only=True)
class Running:
    """A program, and what comes out of it."""

    leader: Process
    output: AsyncIterator[Chunk]


@asynccontextmanager
async def run_to_exit(
    sandbox: Sandbox, request: ExecRequest
) -> AsyncGenerator[Running]:
    """Run a program whose output ends with its leader."""
    leader = await sandbox.start(request)
    async with _reading(leader) as output:
        yield Running(leader=leader, output=output)


@asynccontextmanager
async def run_to_end_of_output(
    sandbox: Sandbox, request: ExecRequest
) -> AsyncGenerator[Running]:
    """Run a program whose output ends when nobody holds it open any more."""
    place = f"/tmp/.output-{secrets.token_hex(6)}"
    reader = await sandbox.start(
        ExecRequest(
            program=("/bin/sh", "-c", _READER, "sh", place),
            key=f"{request.key}-output",
            head=0,
            tail=0,
        )
    )
    try:
        async with _reading(reader) as output:
            if await anext(output, None) is None:
                raise NoOutlet
            try:
                leader = await sandbox.start(_writing(request, place))
            except ProviderError:
                # The reader waits for it, and would have cleared this away.
                await sandbox.files.remove(place, recursive=True)
                raise
            yield Running(leader=leader, output=output)
    finally:
        with (
            anyio.move_on_after(_END_TIMEOUT, shield=True),
            suppress(ProviderError),
        ):
            await reader.signal("KILL")


def _writing(request: ExecRequest, place: str) -> ExecRequest:
    assert isinstance(request.program, tuple)
    program = ("/bin/sh", "-c", _WRITER, "sh", place, *request.program)
    return replace(request, program=program, head=0, tail=0)


@asynccontextmanager
async def _reading(process: Process) -> AsyncGenerator[AsyncIterator[Chunk]]:
    output = process.output()
    try:
        yield output
    finally:
        if isinstance(output, AsyncGenerator):
            await output.aclose()
