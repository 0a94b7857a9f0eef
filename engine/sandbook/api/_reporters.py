"""Reporters: how runs that have ended are told to other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    # Public as `sandbook.Report`. It is a fold over the engine's events, so that only
    # its type is named down here.
    from sandbook.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How the run of one runbook ended.

    `exit` is None for a run that has not ended. `report` is None for a runbook that
    was refused before anything began: `cause` says why.
    """

    file: str
    exit: int | None
    cause: str = ""
    report: Report | None = None


class Reporter(Protocol):
    """Writes a report in some format; `sandbook run --report NAME=FILE` asks for it.

    The module that does the work is best imported in `render`: every run loads the
    plugins, few ask for a report.
    """

    @property
    def name(self) -> str:
        """What stands before the `=`."""
        ...

    @property
    def summary(self) -> str:
        """A line that says what it writes."""
        ...

    def render(self, ends: Sequence[RunEnd], *, environ: Mapping[str, str]) -> str:
        """The text of the file, for the runs of one call in their order.

        All texts of a report are masked. What this raises is told as a fault of the
        plugin, with exit code 70.
        """
        ...
