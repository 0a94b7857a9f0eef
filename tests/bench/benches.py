"""What is measured, and against what."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from tests.bench._e2b import measure_at_once, measure_e2b
from tests.bench._figures import Figure, Table
from tests.bench._peers import NOTEBOOKS, install_peers
from tests.bench._place import PROGRAMS, Place, Sample, interleave
from tests.bench._runbooks import (
    write_cells,
    write_runbook,
    write_runbook_of_lines,
    write_script,
    write_varied_runbook,
)
from tests.bench._samples import figures_of, slope

SIZES = (1, 10, 100)
CHECKED = 1000
WATCHED = 20
TWO_CELLS = "sandbook run, two cells"
CELL_PARTS = {
    "floor": "python -c pass",
    "cold": "a sandbox's first result, cold",
    "second": "that of another context, warm",
    "warm": "a cell more",
}
INSIDE = 3
"""Rounds inside one process for each whole process: they are short."""


def measure_help(place: Place, runs: int) -> Table:
    """The command line that does nothing, against an interpreter that does nothing."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "sandbook --help": place.sandbook("--help"),
        "sandbook --version": place.sandbook("--version"),
        "sandbook run --help": place.sandbook("run", "--help"),
    }
    calls = {name: partial(place.sample, words) for name, words in commands.items()}
    found = interleave(calls, runs)
    return Table(title="help", figures=figures_of(found, to="python -c pass"))


def measure_create(place: Place, runs: int) -> Table:
    """A sandbox from a fresh process and from a warm one."""
    floor = "python -I -S -c pass"
    bare = [sys.executable, "-I", "-S", "-c", "pass"]
    found = interleave(
        {
            floor: lambda: {"floor": [place.sample(bare).wall]},
            "cold": lambda: place.ask("cold_create"),
        },
        runs,
    )
    warm = place.ask("warm_create", str(runs * INSIDE))
    cold = {
        name: tuple(answer[name][0] for answer in found["cold"])
        for name in ("import", "create", "destroy")
    }
    floors = tuple(answer["floor"][0] for answer in found[floor])
    inner = "the same, inside"
    return Table(
        title="create",
        figures=(
            Figure(name=floor, wall=floors),
            Figure(name="cold: imports", wall=cold["import"], to=floor),
            Figure(name="cold: create", wall=cold["create"], to=floor),
            Figure(name="cold: destroy", wall=cold["destroy"], to=floor),
            Figure(name=inner, wall=tuple(warm["floor"])),
            Figure(name="warm: create", wall=tuple(warm["create"]), to=inner),
            Figure(name="warm: destroy", wall=tuple(warm["destroy"]), to=inner),
        ),
    )


def measure_command(place: Place, runs: int) -> Table:
    """A command of the provider, and a step of the engine, against `subprocess`."""
    raw = place.ask("raw_command", str(runs * INSIDE))
    figures = [
        Figure(
            name=_raw_name(kind),
            wall=tuple(values),
            to=_raw_name(f"{kind.split()[0]} outside") if "inside" in kind else "",
        )
        for kind, values in raw.items()
    ]
    steps = _steps(place, runs)
    synced = "a step of a run (slope 1 to 100)"
    figures += figures_of(
        {synced: steps["synced"], "the same, nothing synced": steps["unsynced"]},
        to="the same, nothing synced",
    )
    return Table(title="command", figures=tuple(figures))


def _raw_name(kind: str) -> str:
    shell, where = kind.split()
    text = f"{shell} -c /bin/true"
    return f"subprocess.run {text}" if where == "outside" else f"start+wait {text}"


def _steps(place: Place, runs: int) -> Mapping[str, list[Sample]]:
    low, high = (str(write_runbook(place.folder, n)) for n in (SIZES[0], SIZES[-1]))
    unsynced = [sys.executable, str(PROGRAMS / "run_unsynced.py")]
    found = interleave(
        {
            "low": partial(place.sample, place.sandbook("run", low)),
            "high": partial(place.sample, place.sandbook("run", high)),
            "low unsynced": partial(place.sample, [*unsynced, "run", low]),
            "high unsynced": partial(place.sample, [*unsynced, "run", high]),
        },
        runs,
    )
    more = SIZES[-1] - SIZES[0]
    return {
        "synced": list(slope(found["low"], found["high"], steps=more)),
        "unsynced": list(
            slope(found["low unsynced"], found["high unsynced"], steps=more)
        ),
    }


def measure_runs(place: Place, runs: int) -> Table:
    """Whole runs against other tools, which isolate nothing and keep no journal."""
    peers, notes = install_peers()
    figures: list[Figure] = []
    for size in SIZES:
        folder = place.folder / f"runs-{size}"
        folder.mkdir()
        file = write_runbook(folder, size)
        write_script(folder, size)
        commands = {
            "sandbook": place.sandbook("run", str(file)),
            "sh": ["sh", "script.sh"],
        }
        for name, peer in peers.items():
            peer.write(folder, size)
            commands[name] = peer.command()
        calls = {
            f"{name}, {size}": partial(place.sample, words, folder)
            for name, words in commands.items()
        }
        figures += _against_us(interleave(calls, runs), size)
    return Table(title="runs", figures=tuple(figures), notes=notes)


def _against_us(found: Mapping[str, list[Sample]], size: int) -> tuple[Figure, ...]:
    """By wall alone: our work inside the sandbox is not in our CPU."""
    ours = f"sandbook, {size}"
    return tuple(
        Figure(
            name=name,
            wall=tuple(sample.wall for sample in samples),
            to="" if name == ours else ours,
        )
        for name, samples in found.items()
    )


def measure_check(place: Place, runs: int) -> Table:
    """A long runbook, against its bare YAML."""
    file = str(write_varied_runbook(place.folder, CHECKED))
    found = interleave(
        {"sandbook check": partial(place.sample, place.sandbook("check", file))}, runs
    )
    lines = str(write_runbook_of_lines(place.folder, CHECKED))
    inside = place.ask("load", file, lines, str(runs))
    floor = f"yaml.load, {CHECKED} steps"
    return Table(
        title="check",
        figures=(
            Figure(name=floor, wall=tuple(inside["yaml"])),
            Figure(name="sandbook.load", wall=tuple(inside["sandbook"]), to=floor),
            Figure(
                name="sandbook.load, lines that YAML misreads",
                wall=tuple(inside["lines"]),
                to=floor,
            ),
            *figures_of(found, to=floor),
        ),
    )


def measure_watch(place: Place, runs: int) -> Table:
    """How late a new file is told, against `watchdog` on this computer."""
    raw = place.ask("watch_latency", str(runs * WATCHED))
    floor = "watchdog, no sandbox"
    return Table(
        title="watch",
        figures=(
            Figure(name=floor, wall=tuple(raw["watchdog"])),
            Figure(name="from a sandbox", wall=tuple(raw["sandbox"]), to=floor),
            Figure(name="until it watches", wall=tuple(raw["enter"])),
        ),
    )


def measure_cells(place: Place, runs: int) -> Table:
    """Cells of Python, whole runs and what they are made of, against notebooks.

    The tools that run notebooks isolate nothing. All takes turns in one run.
    """
    peers, notes = install_peers(NOTEBOOKS)
    folder = place.folder / "cells"
    folder.mkdir()
    commands = {
        TWO_CELLS: place.sandbook("run", str(write_cells(folder))),
        "the same with two commands": place.sandbook(
            "run", str(write_runbook(folder, 2))
        ),
    }
    for name, peer in peers.items():
        peer.write(folder, 2)
        commands[f"{name}, the same cells"] = peer.command()
    found = interleave(
        {
            **{name: _whole(place, words, folder) for name, words in commands.items()},
            "": lambda: place.ask("code_cells", "1"),
        },
        runs,
    )
    figures = [
        Figure(
            name=name,
            wall=tuple(each["wall"][0] for each in found[name]),
            to="" if name == TWO_CELLS else TWO_CELLS,
        )
        for name in commands
    ]
    figures += [
        Figure(
            name=name,
            wall=tuple(each[kind][0] for each in found[""]),
            to="" if kind == "floor" else CELL_PARTS["floor"],
        )
        for kind, name in CELL_PARTS.items()
    ]
    return Table(title="cells", figures=tuple(figures), notes=notes)


def _whole(
    place: Place, words: Sequence[str], folder: Path
) -> Callable[[], Mapping[str, Sequence[float]]]:
    return lambda: {"wall": [place.sample(words, folder).wall]}


BENCHES: Mapping[str, Callable[[Place, int], Table]] = {
    "help": measure_help,
    "create": measure_create,
    "command": measure_command,
    "runs": measure_runs,
    "check": measure_check,
    "watch": measure_watch,
    "cells": measure_cells,
    "e2b": measure_e2b,
    "at-once": measure_at_once,
}
