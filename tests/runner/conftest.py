"""Runbooks run in real local sandboxes, each test in a state folder of its own."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from sandbook.api import JSON, Settings
from sandbook.events import Event
from sandbook.inputs import resolve_inputs
from sandbook.installation import Installation
from sandbook.journal import read_journal
from sandbook.loader import load_runbook
from sandbook.report import Report, StepReport, fold
from sandbook.runner import RunRequest, execute


@dataclass
class Ran:
    """What came of a run."""

    code: int
    report: Report
    events: list[Event]
    folder: Path
    output: list[tuple[str, str, bytes]] = field(
        default_factory=list[tuple[str, str, bytes]]
    )

    def step(self, path: str) -> StepReport:
        """A step by its path in the plan."""
        every = [s for top in self.report.steps for s in top.walk()]
        return next(step for step in every if step.path == path)

    def results(self, path: str) -> Mapping[str, JSON]:
        """The fields of a step's last try."""
        last = self.step(path).last
        assert last is not None
        return last.results

    def names(self) -> list[str]:
        """The names of all events, in order."""
        return [event.name for event in self.events]


class _Output:
    def __init__(self, into: list[tuple[str, str, bytes]]) -> None:
        self._into = into

    def on_event(self, event: Event) -> None:
        """Nothing: the journal is read instead."""

    def on_output(self, step: str, stream: str, data: bytes) -> None:
        """Keep what was shown."""
        self._into.append((step, stream, data))


class Runs:
    """Writes a runbook and runs it."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = dict(environ)
        self.state = Path(environ["SANDBOOK_STATE"])

    def write(self, text: str, name: str = "book.yaml") -> Path:
        """Write a runbook; `runbook: 1` is added."""
        path = self.folder / name
        path.write_text("runbook: 1\n" + textwrap.dedent(text).lstrip("\n"))
        return path

    def __call__(
        self,
        text: str,
        *,
        inputs: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
        keep: bool = False,
        request: Callable[[RunRequest], RunRequest] = lambda r: r,
    ) -> Ran:
        """Run it to its end."""
        shown: list[tuple[str, str, bytes]] = []

        async def call() -> tuple[int, Path]:
            async with Installation(
                environ=self.environ, project=self.folder, providers=("local",)
            ) as installation:
                specs = {n: verb.spec for n, verb in installation.verbs.items()}
                book = load_runbook(self.write(text), specs)
                wanted = RunRequest(
                    runbook=book,
                    inputs=resolve_inputs(book, inputs or {}),
                    secrets=secrets or {},
                    keep=keep,
                    handle_signals=False,
                    observers=(_Output(shown),),
                )
                code = await execute(request(wanted), installation)
                newest = max(installation.state.runs.iterdir(), key=lambda p: p.name)
                return code, newest

        code, folder = anyio.run(call)
        events = list(read_journal(folder / "journal.jsonl"))
        return Ran(
            code=code, report=fold(events), events=events, folder=folder, output=shown
        )

    def sandboxes(self) -> list[str]:
        """The ids of sandboxes that have a folder."""
        return sorted(
            p.name for p in (self.state / "sandboxes").iterdir() if p.is_dir()
        )

    def end_all(self) -> None:
        """End every sandbox that lives; afterwards there must be none."""

        async def call() -> None:
            async with Installation(
                environ=self.environ, project=self.folder
            ) as installation:
                provider = installation.provider("local")
                async for info in provider.list({}):
                    await provider.destroy(info.ref)

        anyio.run(call)
        assert self.sandboxes() == []


@pytest.fixture
def run(tmp_path: Path) -> Runs:
    """Runs runbooks in `tmp_path/project`."""
    project = tmp_path / "project"
    project.mkdir()
    environ = {
        **os.environ,
        "SANDBOOK_STATE": str(tmp_path / "state"),
        "SANDBOOK_CACHE": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    return Runs(project, environ)


def settings_in(folder: Path) -> Settings:
    """Settings of a provider whose folders are below `folder`."""
    return Settings(state=folder / "state", cache=folder / "cache")
