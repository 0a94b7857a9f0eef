"""`sandbook show`: one run told again, from its journal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from sandbook.cli import _options as options
from sandbook.cli._reports import report_option
from sandbook.errors import UsageError

if TYPE_CHECKING:
    from sandbook.state import RunFolder


class Flags(TypedDict):
    """The options of `show`, by the names click gives them."""

    with_output: bool
    events: bool
    as_json: bool
    reports: tuple[str, ...]


@click.command(short_help="Tell a run again.")
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--output", "with_output", is_flag=True, help="With what steps printed.")
@click.option("--events", is_flag=True, help="Print the lines of the journal.")
@report_option
@options.json_option
def show(run: str | None, **flags: Unpack[Flags]) -> int:
    """Tell RUN again (the newest; the beginning of an id is enough)."""
    ways = (("--events", flags["events"]), ("--json", flags["as_json"]))
    given = [
        way for way, is_given in (*ways, ("--report", flags["reports"])) if is_given
    ]
    if len(given) > 1:
        raise UsageError(
            f"{given[0]} and {given[1]} exclude each other",
            remedy="a run is told in one way: leave one of them out",
        )
    # Reading journals is not needed for `--help`.
    from sandbook.cli._runs import find_run
    from sandbook.state import State

    folder = find_run(State.open(os.environ), run)
    if flags["reports"]:
        return _report(folder, flags["reports"])
    if flags["events"]:
        _copy_journal(folder)
    elif flags["as_json"]:
        _say_report(folder)
    else:
        # As above.
        from sandbook.cli._retelling import retell

        retell(folder, sys.stdout, with_output=flags["with_output"])
    return 0


def _report(folder: RunFolder, reports: Sequence[str]) -> int:
    # As above.
    from sandbook.api import RunEnd
    from sandbook.cli._opening import here
    from sandbook.cli._reports import wanted_reports, write_reports
    from sandbook.report import Report

    wanted = wanted_reports(reports, here().registry)
    report = Report.from_journal(folder.journal, folder.output)
    end = RunEnd(
        file=report.file, exit=report.exit, cause=report.cause or "", report=report
    )
    return write_reports(wanted, [end], os.environ)


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
