"""`sandbook sandboxes`: what lives, the way to its ports, and the end of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from sandbook.cli import _options as options
from sandbook.errors import SandbookError, UsageError

if TYPE_CHECKING:
    from sandbook.cli._live import LiveList, LiveSandbox
    from sandbook.installation import Installation

TEARDOWN_FAILED = 5


@click.group(
    short_help="List the sandboxes that live, or end them.",
    invoke_without_command=True,
)
@options.json_option
@click.option("--all", "every", is_flag=True, help="Those of other installations too.")
@click.pass_context
def sandboxes(context: click.Context, *, as_json: bool, every: bool) -> None:
    """List the sandboxes that live, newest first."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json, every=every)


@sandboxes.command("ls", short_help="List the sandboxes that live.")
@options.json_option
@click.option("--all", "every", is_flag=True, help="Those of other installations too.")
def list_sandboxes(*, as_json: bool, every: bool) -> None:
    """List the sandboxes that live, newest first."""
    _list(as_json=as_json, every=every)


def _list(*, as_json: bool, every: bool) -> None:
    # Asking providers is not needed for `--help`.
    import anyio

    from sandbook.cli._live import HEADINGS, find_live
    from sandbook.cli._opening import here
    from sandbook.cli._words import say, say_json, table

    async def find() -> LiveList:
        async with here() as installation:
            return await find_live(installation, every_installation=every)

    found = anyio.run(find)
    _tell_silent(found.silent)
    if as_json:
        say_json("sandboxes", [each.as_json() for each in found.sandboxes])
    elif found.sandboxes:
        say(*table(HEADINGS, [each.cells() for each in found.sandboxes]))
    else:
        say("no sandbox lives")


def _tell_silent(silent: Sequence[tuple[str, str]]) -> None:
    # As above.
    from sandbook.cli._words import warn

    for name, reason in silent:
        warn(f"warning: {name} could not be asked: {reason}")


@sandboxes.command(short_help="End sandboxes.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All of this installation.")
@click.option("--yes", is_flag=True, help="With --all: do it.")
def kill(ids: tuple[str, ...], *, every: bool, yes: bool) -> int:
    """End the sandboxes with these IDs; the beginning of an id is enough."""
    if bool(ids) == every:
        raise UsageError(
            "say which sandboxes to end",
            remedy="give their ids, or --all; list them: sandbook sandboxes",
        )
    # As above.
    import anyio

    return anyio.run(_kill, ids, yes or not every)


@sandboxes.command(short_help="Reach a port of a sandbox from here.")
@click.argument("start", metavar="ID")
@click.argument("port", type=click.IntRange(1, 65535))
@click.option(
    "--to",
    "local",
    metavar="LOCALPORT",
    type=click.IntRange(1, 65535),
    help="On this port of this computer.",
)
def forward(start: str, port: int, local: int | None) -> int:
    """Print where PORT of the sandbox is reached, and keep it open until Ctrl-C.

    The beginning of an id is enough. The sandbox lives on meanwhile.
    """
    # As above.
    import anyio

    from sandbook.cli._forward import open_forward

    return anyio.run(open_forward, start, port, local)


async def _kill(ids: Sequence[str], really: bool) -> int:  # noqa: FBT001 (anyio.run)
    # As above.
    from sandbook.cli._live import find_live, pick
    from sandbook.cli._opening import here
    from sandbook.cli._words import counted, say

    async with here() as installation:
        found = await find_live(installation)
        _tell_silent(found.silent)
        chosen = [pick(found.sandboxes, start) for start in ids] or list(
            found.sandboxes
        )
        if not chosen:
            say("no sandbox lives")
        elif not really:
            say(f"would end {counted(len(chosen), 'sandbox', 'sandboxes')}; add --yes")
            return 0
        failed = [not await _end(installation, each) for each in chosen]
        return TEARDOWN_FAILED if any(failed) else 0


async def _end(installation: Installation, chosen: LiveSandbox) -> bool:
    # As above.
    from sandbook.cli._words import say, warn
    from sandbook.sweep import end_sandbox

    try:
        how = await end_sandbox(installation, chosen.ref)
    except SandbookError as error:
        warn(f"error: sandbox {chosen.ref.id} lives on: {error}")
        return False
    say(f"sandbox {chosen.ref.id}: {how.replace('_', ' ')}")
    return True
