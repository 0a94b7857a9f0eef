"""What a client of E2B takes: a step over a raw call, and hundreds of runs at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from tests.bench._figures import Figure, Table
from tests.bench._place import ROOT, BenchError, Place, interleave
from tests.bench._runbooks import write_runbook
from tests.bench._samples import figures_of, slope

Measured = Mapping[str, Sequence[float]]
STEPS = (1, 100)
AT_ONCE = 300
RAW = [
    sys.executable,
    "-m",
    "tests.servers.e2b.programs_run",
    "tests.bench.programs.raw_e2b",
]


@contextmanager
def far(place: Place) -> Generator[Place]:
    """The place with E2B in it: a process that answers and does no work.

    Raises:
        BenchError: It was asked what it cannot answer, or a sandbox was left in it.
    """
    serve = [sys.executable, "-m", "tests.bench.constant_e2b"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        serve, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        more = {
            "E2B_API_KEY": "e2b_bench",
            "E2B_API_URL": url,
            "E2B_SANDBOX_URL": url,
            "QUOTA_E2B_MONTHLY": "unlimited",
            "PYTHONPATH": str(ROOT),
        }
        yield replace(place, env={**place.env, **more})
        _, told = server.communicate()
    if server.returncode:
        raise BenchError(f"the server of constant replies: {told[-2000:]}")


def measure_e2b(place: Place, runs: int) -> Table:
    """A step at E2B, against `commands.run` of the vendor's SDK; CPU of the client."""
    low, high = STEPS
    with far(place) as there:
        ours = {n: _ours(there, n) for n in STEPS}
        found = interleave(
            {
                "raw low": partial(there.sample, [*RAW, str(low)]),
                "ours low": partial(there.sample, ours[low]),
                "raw high": partial(there.sample, [*RAW, str(high)]),
                "ours high": partial(there.sample, ours[high]),
            },
            runs,
        )
    raw, step = "SDK: commands.run", "a step of a run"
    whole, bare = "a run of one step", "SDK: create, run, kill"
    more = high - low
    slopes = {
        raw: slope(found["raw low"], found["raw high"], steps=more),
        step: slope(found["ours low"], found["ours high"], steps=more),
    }
    wholes = {bare: found["raw low"], whole: found["ours low"]}
    figures = (*figures_of(slopes, to=raw), *figures_of(wholes, to=bare))
    return Table(title="e2b", figures=figures)


def _ours(place: Place, steps: int) -> list[str]:
    file = write_runbook(place.folder, steps)
    return place.sandbook("run", str(file), "--provider", "e2b", "-q")


def measure_at_once(place: Place, runs: int, *, count: int = AT_ONCE) -> Table:
    """Many runs at once in one process, each with a sandbox of its own at E2B."""
    with far(place) as there:
        file = str(write_runbook(place.folder, 1))
        rounds = [there.ask("runs_at_once", file, str(count)) for _ in range(runs)]
    alone = f"a run, the first of a process ({count} follow)"
    each = f"a run, {count} at once"
    figures = (
        _figure(alone, rounds, "alone"),
        replace(_figure(each, rounds, "each"), to=alone),
    )
    memory = "; ".join(f"{one['megabytes'][0]:.2f}" for one in rounds)
    errors = sum(int(one["errors"][0]) for one in rounds)
    notes = (f"errors {errors}, exit code 0", f"MB per run: {memory}")
    return Table(title="at-once", figures=figures, notes=notes)


def _figure(name: str, rounds: Sequence[Measured], kind: str) -> Figure:
    wall, cpu = (
        tuple(value for one in rounds for value in one[key])
        for key in (kind, f"{kind} cpu")
    )
    return Figure(name=name, wall=wall, cpu=cpu)
