"""`sandbook show`: one run told again, from its journal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from sandbook.cli import _options as options
from sandbook.errors import UsageError

if TYPE_CHECKING:
    from sandbook.state import RunFolder


@click.command(short_help="Tell a run again.")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--output", "with_output", is_flag=True, help="With what steps printed.")
@click.option("--events", is_flag=True, help="Print the lines of the journal.")
@options.json_option
def show(run: str | None, *, with_output: bool, events: bool, as_json: bool) -> None:
    """Tell RUN again (the newest; the beginning of an id is enough)."""
    if events and as_json:
        raise UsageError(
            "--events and --json exclude each other",
            remedy="the lines of --events are JSON already",
        )
    # Reading journals is not needed for `--help`.
    from sandbook.cli._runs import find_run
    from sandbook.state import State

    folder = find_run(State.open(os.environ), run)
    if events:
        _copy_journal(folder)
    elif as_json:
        _say_report(folder)
    else:
        # As above.
        from sandbook.cli._retelling import retell

        retell(folder, sys.stdout, with_output=with_output)


def _copy_journal(folder: RunFolder) -> None:
    # As above.
    from sandbook.journal import read_journal

    for event in read_journal(folder.journal):
        sys.stdout.write(event.to_line().decode())


def _say_report(folder: RunFolder) -> None:
    # As above.
    from sandbook.cli._words import say_object
    from sandbook.report import Report

    say_object(Report.from_journal(folder.journal, folder.output).to_json())
