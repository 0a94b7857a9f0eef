"""The options that choose steps of a runbook, and what is said of those left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

import click

from sandbook.errors import UsageError

if TYPE_CHECKING:
    from sandbook.cli._opening import Opened
    from sandbook.runbook import Step


class Choice(TypedDict):
    """The options by the names click gives them."""

    only: tuple[str, ...]
    first: str | None
    last: str | None


step_option = click.option(
    "--step",
    "only",
    metavar="STEP",
    multiple=True,
    help="Run this step only: an id, its number in the file, or its name. Repeatable.",
)
from_option = click.option(
    "--from", "first", metavar="STEP", help="Leave out the steps above this one."
)
until_option = click.option(
    "--until", "last", metavar="STEP", help="Leave out the steps below this one."
)


def narrowed(opened: Sequence[Opened], choice: Choice) -> Sequence[Opened]:
    """The runbooks with the chosen steps.

    Raises:
        UsageError: As `narrow` says, or there are several files.
    """
    # Not for `--help`.
    from sandbook.selection import Wanted, narrow

    wanted = Wanted(only=choice["only"], first=choice["first"], last=choice["last"])
    if wanted.is_all:
        return opened
    if len(opened) > 1:
        raise UsageError(
            "steps can be chosen of one runbook only", remedy="run one file at a time"
        )
    found = narrow(opened[0].book, wanted)
    _tell(found.left_out)
    return (replace(opened[0], book=found.book),)


def _tell(left_out: Sequence[Step]) -> None:
    # As above.
    from sandbook.cli._words import counted, warn

    if left_out:
        steps = counted(len(left_out), "step is", "steps are")
        warn(f"{steps} left out; what they would do in the sandbox is not there")
