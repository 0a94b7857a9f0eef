"""`sandbook runs`: what ran on this computer."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from sandbook.cli import _options as options
from sandbook.errors import UsageError

if TYPE_CHECKING:
    from sandbook.state import ProcessIdentity, RunFolder

_PAUSE_S = 0.05


@click.group(
    short_help="List the runs of this computer, cancel or remove them.",
    invoke_without_command=True,
)
@options.json_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many, at most.",
)
@click.pass_context
def runs(context: click.Context, *, as_json: bool, limit: int) -> None:
    """List the runs of this computer, newest first."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json, limit=limit)


@runs.command("ls", short_help="List the runs, newest first.")
@options.json_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many, at most.",
)
def list_runs(*, as_json: bool, limit: int) -> None:
    """List the runs of this computer, newest first."""
    _list(as_json=as_json, limit=limit)


def _list(*, as_json: bool, limit: int) -> None:
    # Reading journals is not needed for `--help`.
    from sandbook.cli._runs import HEADINGS, newest_first, rows
    from sandbook.cli._words import say, say_json, table
    from sandbook.state import State

    folders = newest_first(State.open(os.environ))
    shown = list(rows(folders[:limit]))
    if as_json:
        say_json("runs", [row.as_json() for row in shown])
    elif not shown:
        say("no runs yet: sandbook run FILE")
    else:
        say(*table(HEADINGS, [row.cells() for row in shown]))
        if len(folders) > limit:
            say(f"{len(folders) - limit} more: sandbook runs --limit {len(folders)}")


@runs.command(short_help="Stop a run; its clean-up is waited for.")
@click.argument("run", metavar="RUN")
@click.option("--yes", is_flag=True, help="Do it; without, say what would be done.")
def cancel(run: str, *, yes: bool) -> int:
    """Stop RUN as Ctrl-C would, and wait until its clean-up is done."""
    # As above.
    from sandbook.cli._runs import find_run, row
    from sandbook.cli._words import say
    from sandbook.state import State, is_alive, owner_alive

    folder = find_run(State.open(os.environ), run)
    owner = folder.last_owner()
    if not owner_alive(folder) or owner is None:
        raise UsageError(
            f"run {folder.run!r} is not running: it is {row(folder).verdict}",
            remedy=f"see it: sandbook show {folder.run}",
        )
    if not is_alive(owner):
        raise UsageError(
            f"run {folder.run!r} belongs to process {owner.pid} on {owner.host!r}, "
            "which cannot be reached from here",
            remedy="cancel it there",
        )
    if not yes:
        say(f"would stop run {folder.run}, process {owner.pid}; do it: add --yes")
        return 0
    _stop(folder, owner)
    say(f"run {folder.run}: {row(folder).verdict}")
    return 0


def _stop(folder: RunFolder, owner: ProcessIdentity) -> None:
    """Signal the owner once; a second signal would cut its clean-up short."""
    # As above.
    from sandbook.state import owner_alive

    os.kill(owner.pid, signal.SIGINT)
    while owner_alive(folder):
        time.sleep(_PAUSE_S)


@runs.command(short_help="Remove the folders of old runs.")
@click.option(
    "--older-than",
    metavar="DURATION",
    type=options.duration,
    default="30d",
    show_default=True,
    help="Since their end.",
)
@click.option("--yes", is_flag=True, help="Do it; without, say what would be done.")
def prune(*, older_than: float, yes: bool) -> None:
    """Remove finished runs with their journals, output and artifacts."""
    # As above.
    from sandbook.cli._runs import is_prunable, newest_first, now, remove, rows
    from sandbook.cli._words import counted, say
    from sandbook.state import State

    folders = newest_first(State.open(os.environ))
    before = now() - timedelta(seconds=older_than)
    old = [
        folder
        for folder, row in zip(folders, rows(folders), strict=True)
        if is_prunable(row, before=before)
    ]
    if not old:
        say("nothing to remove")
    elif not yes:
        say(f"would remove {counted(len(old), 'run')}; do it: add --yes")
    else:
        removed = sum(remove(folder) for folder in old)
        say(f"removed {counted(removed, 'run')}")
