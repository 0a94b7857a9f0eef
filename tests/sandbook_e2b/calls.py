"""Calls of the real command line with sandboxes at E2B, and what came of them."""

from __future__ import annotations

import json
import os
import sqlite3
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sandbook.report import Report, StepReport
from tests.cli.loaded import Loaded
from tests.servers.conftest import E2B_KEY
from tests.servers.running import RunningServer

DEADLINE = 240.0


@contextmanager
def warmed() -> Generator[Loaded]:
    """The command line for the tests of a module, with the SDK.

    The SDK tries a refused connection once, where it would wait for seconds.
    """
    environ = {"E2B_CONNECTION_RETRIES": "0"}
    made = Loaded("e2b", "sandbook_e2b.sandbox", environ=environ)
    try:
        yield made
    finally:
        code = made.close()
    assert code == 0


@dataclass(frozen=True, kw_only=True)
class Called:
    """What one call gave; `ledger` has the state of each reservation, in order."""

    code: int
    out: str
    err: str
    report: Report | None = None
    ledger: tuple[str, ...] = ()

    def step(self, place: int = 0) -> StepReport:
        """A step at the top, by its place."""
        assert self.report is not None
        return self.report.steps[place]

    def stdout(self, place: int = 0) -> object:
        """What a command printed."""
        last = self.step(place).last
        assert last is not None
        return last.results["stdout"]


@dataclass
class Cli:
    """Calls in one folder, with a ledger of its own.

    `constants` are patience and pauses that a test cannot wait for, by their place.
    """

    warm: Loaded
    server: RunningServer
    folder: Path
    environ: dict[str, str] = field(default_factory=dict[str, str])
    constants: dict[str, float] = field(default_factory=dict[str, float])

    def __call__(self, *argv: str, **environ: str) -> Called:
        """One call."""
        state = self.folder / "state"
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "SANDBOOK_STATE": str(state),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "E2B_API_KEY": E2B_KEY,
            "E2B_API_URL": self.server.url,
            "E2B_SANDBOX_URL": self.server.url,
            **self.environ,
            **environ,
        }
        before = _runs(state)
        code, *told = self.warm.call(
            argv,
            env=env,
            cwd=self.folder,
            timeout=DEADLINE,
            constants=self.constants,
        )
        out, err = (each.decode() for each in told)
        assert "Traceback" not in err, err
        assert E2B_KEY not in out + err
        fresh = sorted(_runs(state) - before)
        return Called(
            code=code,
            out=out,
            err=err,
            report=Report.from_journal(fresh[-1] / "journal.jsonl") if fresh else None,
            ledger=self.ledger(),
        )

    def run(self, text: str, *flags: str, **environ: str) -> Called:
        """Run a runbook at E2B (`runbook: 1` is added)."""
        book = "runbook: 1\n" + textwrap.dedent(text).lstrip("\n")
        (self.folder / "book.yaml").write_text(book, encoding="utf-8")
        return self("run", "book.yaml", "--provider", "e2b", *flags, **environ)

    @contextmanager
    def when(self, event: str, do: Callable[[], object]) -> Generator[None]:
        """Do something once the run that begins in the block has told an event."""
        state, deadline = self.folder / "state", time.monotonic() + 60.0
        before, over = _runs(state), threading.Event()

        def look() -> None:
            while time.monotonic() < deadline and not over.wait(0.02):
                if any(_tells(run, event) for run in _runs(state) - before):
                    do()
                    return

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def settings(self, values: Mapping[str, object]) -> None:
        """Write the project's settings of the provider."""
        text = json.dumps({"settings": {"e2b": values}})
        (self.folder / "sandbook.yaml").write_text(text, encoding="utf-8")

    def ledger(self) -> tuple[str, ...]:
        """The state of each reservation, the oldest first."""
        path = self.folder / "state" / "ledger.db"
        if not path.exists():
            return ()
        with closing(sqlite3.connect(path)) as db:
            rows = db.execute("SELECT state FROM reservation ORDER BY seq").fetchall()
        return tuple(state for (state,) in rows)


def _tells(run: Path, event: str) -> bool:
    journal = run / "journal.jsonl"
    return journal.exists() and f'"event":"{event}"' in journal.read_text()


def _runs(state: Path) -> set[Path]:
    runs = state / "runs"
    return set(runs.iterdir()) if runs.is_dir() else set()
