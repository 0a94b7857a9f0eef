"""The whole report as JSON: the object of one runbook, or one that holds several."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sandbook.api import JSON, RunEnd


def bundle(ends: Sequence[RunEnd]) -> Mapping[str, JSON]:
    """The report of one file, or an object that holds those of several."""
    reports = [end.report.to_json() for end in ends if end.report is not None]
    if len(ends) == 1 and reports:
        return reports[0]
    return {"v": 1, "reports": reports}


def render(ends: Sequence[RunEnd], _environ: Mapping[str, str]) -> str:
    """The text of the file; ASCII, so that it survives every editor."""
    return json.dumps(bundle(ends), indent=2) + "\n"
