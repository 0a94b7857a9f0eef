"""`sandbook sandboxes`: what lives, the ways into it, more life, and the end of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from sandbook.cli import _options as options
from sandbook.errors import SandbookError, UsageError

if TYPE_CHECKING:
    from sandbook.cli._live import LiveList, LiveSandbox
    from sandbook.installation import Installation

TEARDOWN_FAILED = 5


def _list_options(command: options.Command) -> options.Command:
    """What both ways to list have."""
    every = click.option(
        "--all", "every", is_flag=True, help="Those of other installations too."
    )
    with_json = options.json_option(every(options.within_option(command)))
    return options.metadata_option(with_json)


@click.group(
    short_help="List the sandboxes that live, or end them.",
    invoke_without_command=True,
)
@_list_options
@click.pass_context
def sandboxes(
    context: click.Context,
    *,
    as_json: bool,
    every: bool,
    metadata: Mapping[str, str],
    within: float | None,
) -> None:
    """List the sandboxes that live, newest first."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json, every=every, metadata=metadata, within=within)


@sandboxes.command("ls", short_help="List the sandboxes that live.")
@_list_options
def list_sandboxes(
    *,
    as_json: bool,
    every: bool,
    metadata: Mapping[str, str],
    within: float | None,
) -> None:
    """List the sandboxes that live, newest first.

    Every provider with credentials is asked; one that does not answer is told.
    """
    _list(as_json=as_json, every=every, metadata=metadata, within=within)


def _list(
    *, as_json: bool, every: bool, metadata: Mapping[str, str], within: float | None
) -> None:
    # Asking providers is not needed for `--help`.
    import anyio

    from sandbook.cli._live import HEADINGS, find_live, tell_silent
    from sandbook.cli._opening import here
    from sandbook.cli._words import say, say_json, table
    from sandbook.listing import ASK_S

    async def find() -> LiveList:
        async with here() as installation:
            return await find_live(
                installation,
                metadata=metadata,
                every_installation=every,
                within=ASK_S if within is None else within,
            )

    found = anyio.run(find)
    tell_silent(found.silent)
    if as_json:
        rows = [each.as_json() for each in found.sandboxes]
        silent = [{"name": name, "reason": why} for name, why in found.silent]
        say_json("sandboxes", rows, silent=silent)
    elif found.sandboxes:
        say(*table(HEADINGS, [each.cells() for each in found.sandboxes]))
    else:
        say("no sandbox lives")


@sandboxes.command(short_help="Open a terminal in a sandbox that lives.")
@click.argument("start", metavar="[ID]", required=False)
@options.metadata_option
def attach(start: str | None, *, metadata: Mapping[str, str]) -> int:
    """Open a terminal in a sandbox, as `sandbook shell` does.

    The beginning of an id is enough; without one it is the newest. One that is paused
    goes on.
    """
    # As above.
    import anyio

    from sandbook.cli._shell import open_shell

    return anyio.run(open_shell, start, metadata, sys.stdin.isatty())


@sandboxes.command(short_help="Let sandboxes live longer.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@options.metadata_option
@click.option(
    "--for",
    "lifetime",
    metavar="TIME",
    type=options.duration,
    required=True,
    help="So long from now on, as 2h; it never shortens a life.",
)
def extend(
    ids: tuple[str, ...], *, metadata: Mapping[str, str], lifetime: float
) -> int:
    """Let the sandboxes with these IDs, or with this metadata, live longer.

    The beginning of an id is enough.
    """
    if bool(ids) == bool(metadata):
        raise _unclear("to extend", "give their ids, or --metadata")
    # As above.
    import anyio

    from sandbook.cli._extending import extend_all

    return anyio.run(extend_all, ids, metadata, lifetime)


@sandboxes.command(short_help="End sandboxes.")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@options.metadata_option
@click.option("--all", "every", is_flag=True, help="All of this installation.")
@click.option("--yes", is_flag=True, help="With --all or --metadata: do it.")
def kill(
    ids: tuple[str, ...], *, metadata: Mapping[str, str], every: bool, yes: bool
) -> int:
    """End the sandboxes with these IDs; the beginning of an id is enough."""
    if [bool(ids), bool(metadata), every].count(True) != 1:
        raise _unclear("to end", "give their ids, --metadata or --all")
    # As above.
    import anyio

    return anyio.run(_kill, ids, metadata, yes or bool(ids))


def _unclear(what: str, remedy: str) -> UsageError:
    return UsageError(
        f"say which sandboxes {what}",
        remedy=f"{remedy}; list them: sandbook sandboxes",
    )


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


async def _kill(
    ids: Sequence[str],
    metadata: Mapping[str, str],
    really: bool,  # noqa: FBT001 (anyio.run)
) -> int:
    # As above.
    from sandbook.cli._live import find_live, pick, tell_silent
    from sandbook.cli._opening import here
    from sandbook.cli._words import counted, say

    async with here() as installation:
        found = await find_live(installation, metadata=metadata)
        tell_silent(found.silent)
        chosen = [pick(found.sandboxes, start) for start in ids] or list(
            found.sandboxes
        )
        if not chosen:
            say("no sandbox lives" + (" with this metadata" if metadata else ""))
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
