"""How long an interrupted interpreter may take to end: no slow machine ends it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbook_local.inside import loop, processes
from sandbook_local.inside.code.context import GRACE, Grace

DEADLINE = 60.0


class _Clock:
    """Time that passes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(loop, "now", lambda: self.now)

    def looks(self, grace: Grace, *, waiting: float, every: float = 0.5) -> int:
        """How many looks it takes until it is over, a part of each spent waiting."""
        for count in range(1, 100):
            self.now += every
            if grace.is_over(count * waiting):
                return count
        pytest.fail("it is never over")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """A clock of ours in the place of the loop's."""
    return _Clock(monkeypatch)


def test_who_has_a_processor_has_its_time_and_no_more(clock: _Clock) -> None:
    assert clock.looks(Grace(0.0), waiting=0.0) == GRACE / 0.5


def test_time_without_a_processor_counts_for_nothing(clock: _Clock) -> None:
    assert clock.looks(Grace(0.0), waiting=0.25) == 2 * GRACE / 0.5


def test_even_without_any_processor_it_is_over_after_five_times_as_long(
    clock: _Clock,
) -> None:
    assert 5 * GRACE <= clock.looks(Grace(0.0), waiting=0.5) * 0.5 <= 5.5 * GRACE


def test_time_in_which_nobody_could_hear_of_its_end_counts_once(clock: _Clock) -> None:
    assert clock.looks(Grace(0.0), waiting=0.0, every=60.0) == GRACE / 0.5


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="this system keeps no such count"
)
def test_a_process_that_shares_its_processor_is_seen_to_wait() -> None:
    processor = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, [{processor}]); print(flush=True)\n"
    spin += "while True: pass"
    command = (sys.executable, "-c", spin)
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for each in both:
            assert each.stdout is not None
            assert each.stdout.readline()
        before, ends = processes.waited(both[0].pid), loop.now() + DEADLINE
        while processes.waited(both[0].pid) < before + 0.01:
            assert loop.now() < ends, "it never waits"
    finally:
        for each in both:
            each.kill()
            each.communicate()
    assert processes.waited(both[0].pid) == 0.0, "it is gone"
