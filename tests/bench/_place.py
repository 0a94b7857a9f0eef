"""Where measured processes run: a folder and an environment with nothing else in it."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import sandbook
import sandbook_local

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
COMMAND = "import sys; from sandbook.cli import main; sys.exit(main())"
"""What the installed script does; `-m` would add the time of `runpy`."""


class BenchError(Exception):
    """What was to be measured did not work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One process, in milliseconds."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A work folder and the environment of the processes in it."""

    folder: Path
    env: Mapping[str, str]

    def sandbook(self, *words: str) -> list[str]:
        """The command line `sandbook …`."""
        return [sys.executable, "-c", COMMAND, *words]

    def sample(self, command: Sequence[str], folder: Path | None = None) -> Sample:
        """Run a process to its end and see what it took.

        Raises:
            BenchError: It failed, so its time says nothing.
        """
        log = self.folder / "log"
        with log.open("wb") as said:
            began = time.perf_counter()
            process = subprocess.Popen(
                command,
                cwd=folder or self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            words = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise BenchError(f"{command!r} gave {process.returncode}: {words}")
        return Sample(wall=wall * 1e3, cpu=(usage.ru_utime + usage.ru_stime) * 1e3)

    def ask(self, program: str, *words: str) -> Mapping[str, Sequence[float]]:
        """Run one of `programs/`, which measures inside; its figures by name."""
        module = f"tests.bench.programs.{program}"
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=self.folder,
            env={**self.env, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"{program} failed: {done.stderr.decode()[-2000:]}")
        figures: Mapping[str, Sequence[float]] = json.loads(done.stdout)
        return figures


@contextmanager
def open_place() -> Generator[Place]:
    """A place with its own state folder and with bytecode written beforehand."""
    compile_packages()
    with TemporaryDirectory(prefix="sandbook-bench-") as name:
        folder = Path(name)
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": name,
            "LANG": "C.UTF-8",
            "XDG_CONFIG_HOME": f"{name}/config",
            "SANDBOOK_STATE": f"{name}/state",
            "SANDBOOK_CACHE": f"{name}/cache",
        }
        yield Place(folder=folder, env=env)


def compile_packages() -> None:
    """An installed package has its bytecode; a checkout may lack it.

    A supervisor imports as a user who may not write it, and would always compile.
    """
    for module in (sandbook, sandbook_local):
        compileall.compile_dir(Path(str(module.__file__)).parent, quiet=2)


def interleave(
    subjects: Mapping[str, Callable[[], T]], runs: int
) -> Mapping[str, list[T]]:
    """Call all subjects in turn, `runs` times, after one warm-up of each."""
    found: dict[str, list[T]] = {name: [] for name in subjects}
    for call in subjects.values():
        call()
    for _ in range(runs):
        for name, call in subjects.items():
            found[name].append(call())
    return found
