"""How the whole suite runs."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import settings

# The checkout may belong to somebody else: nothing is written into it.
settings.register_profile("suite", database=None, deadline=None)
settings.load_profile("suite")

# A suite that a script starts in the background inherits an ignored SIGINT, and would
# hand it down to all that is to be interrupted here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as processors: much of what runs here waits for something."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what takes minutes, unless markers were chosen; begin with the rest."""
    if not config.option.markexpr:
        stress = [item for item in items if _has(item, "stress")]
        config.hook.pytest_deselected(items=stress)
        items[:] = [item for item in items if item not in stress]
    workers = int(getattr(config, "workerinput", {}).get("workercount", 1))
    items[:] = _spread(items, workers)


def _has(item: pytest.Item, marker: str) -> bool:
    return item.get_closest_marker(marker) is not None


def _spread(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Each worker's part begins with some of those that take longest.

    The parts are neighbours in the list; what comes last is waited for by all others.
    """
    longest = [item for item in items if _has(item, "again")]
    others = [item for item in items if not _has(item, "again")]
    size = -(-len(others) // workers)
    parts = [
        [*longest[number::workers], *others[number * size : (number + 1) * size]]
        for number in range(workers)
    ]
    return [item for part in parts for item in part]
