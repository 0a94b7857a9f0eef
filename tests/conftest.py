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
    """Leave out what takes minutes, unless markers were chosen.

    What runs whole modules again comes first: begun last, it would end alone.
    """
    items.sort(key=lambda item: item.get_closest_marker("again") is None)
    if config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("stress") is not None]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]
