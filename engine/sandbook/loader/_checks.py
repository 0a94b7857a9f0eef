"""Everything about a runbook that its tree as a whole shows before it runs."""

from __future__ import annotations

from collections.abc import Mapping

from sandbook.api import VerbSpec
from sandbook.loader._conditions import check_conditions
from sandbook.loader._names import check_names
from sandbook.loader._nodes import MapNode
from sandbook.loader._places import Places
from sandbook.loader._sandboxes import check_sandboxes
from sandbook.loader._source import Source
from sandbook.loader._together import check_together
from sandbook.loader._values import check_values
from sandbook.loader._warnings import warn
from sandbook.runbook import Runbook, Step, flat


def check_runbook(
    runbook: Runbook,
    tree: MapNode,
    source: Source,
    verbs: Mapping[str, VerbSpec],
    *,
    ids: frozenset[str],
) -> None:
    """Add every problem and warning that one value alone does not show.

    `ids` are all ids of the file, also of steps that could not be read.
    """
    places = Places(tree, source)
    check_names(runbook, source, verbs, ids=ids)
    check_conditions(runbook, source, verbs)
    check_sandboxes(runbook, places, verbs)
    check_together(runbook, places, verbs, ids=ids)
    check_values(runbook, places)
    if any(step.verb == "pty" for step in flat(_every(runbook))):
        # Hardly a file has a terminal, and keys have many names.
        from sandbook.loader._terminals import check_terminals

        check_terminals(runbook, places)
    is_whole = all(problem.severity != "error" for problem in source.problems)
    warn(runbook, places, is_whole=is_whole)


def _every(runbook: Runbook) -> tuple[Step, ...]:
    return (*runbook.setup, *runbook.steps, *runbook.final)
