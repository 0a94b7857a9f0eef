"""What every part of one run shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from sandbook.api import JSON, Bound, BoundShell, Verb
from sandbook.errors import SandbookError, told
from sandbook.events import Observer, Recorder
from sandbook.expressions import Scope, evaluate
from sandbook.installation import Installation
from sandbook.masking import Masker
from sandbook.plan import Plan
from sandbook.runbook import Runbook, Step
from sandbook.runner._results import StepResult
from sandbook.state import RunFolder

TEARDOWN_TIMEOUT = 30.0

Env: TypeAlias = Mapping[str, str]
Extra: TypeAlias = Mapping[str, JSON]
NOTHING: Extra = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One execution that is wanted.

    `inputs` are typed and complete, `secrets` by name. `keep` leaves the sandboxes
    alive, `artifacts` None = in the run's folder. `on_stuck` is called at the second
    signal with what remains; it is expected not to return.
    """

    runbook: Runbook
    inputs: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    keep: bool = False
    artifacts: Path | None = None
    teardown_timeout: float = TEARDOWN_TIMEOUT
    host_network: bool = False
    count_quota: bool = True
    handle_signals: bool = True
    observers: tuple[Observer, ...] = ()
    on_stuck: Callable[[tuple[str, ...]], None] = lambda _: None


class RunContext:
    """The run's parts and what has come of its steps so far."""

    def __init__(  # noqa: PLR0913 (this is where the parts meet)
        self,
        *,
        request: RunRequest,
        installation: Installation,
        plan: Plan,
        folder: RunFolder,
        recorder: Recorder,
        masker: Masker,
        started: datetime,
    ) -> None:
        self.request = request
        self.runbook = request.runbook
        self.installation = installation
        self.plan = plan
        self.folder = folder
        self.recorder = recorder
        self.masker = masker
        self.started = started
        self.artifacts = request.artifacts or folder.artifacts
        self.results: dict[str, StepResult] = {}
        self.status = "passed"
        self.causes: list[str] = []
        self.outputs: Mapping[str, JSON] = {}
        self.kept: list[str] = []
        self.env: Mapping[str, str] = {}
        self.name = ""

    @property
    def run(self) -> str:
        """The id of the run."""
        return self.folder.run

    @property
    def verbs(self) -> Mapping[str, Verb]:
        """Every verb by name."""
        return self.installation.verbs

    def open_scope(self) -> None:
        """Evaluate what may use inputs and secrets only: the name and `env`."""
        early = Scope(names=self._run_names({}), secrets=self.request.secrets)
        self.name = str(evaluate(self.runbook.name, early))
        self.env = {k: str(evaluate(v, early)) for k, v in self.runbook.env.items()}

    def scope(self, extra: Extra = NOTHING, *, env: Env | None = None) -> Scope:
        """What an expression of a step sees; `extra` adds `item` and `sandbox`."""
        names = self._run_names(self.env if env is None else env)
        return Scope(names={**names, **extra}, secrets=self.request.secrets)

    def scope_of(self, step: Step, extra: Extra) -> tuple[Scope, Env]:
        """The scope of a step, and its own environment laid over the file's."""
        outer = self.scope(extra)
        own = {name: str(evaluate(value, outer)) for name, value in step.env.items()}
        env = {**self.env, **own}
        return self.scope(extra, env=env), env

    def label_of(self, step: Step, extra: Extra) -> str:
        """What people read; an expression that fails is shown as its step's verb."""
        try:
            return str(evaluate(step.label, self.scope(extra))) or step.verb
        except SandbookError:
            return step.verb

    def compute_outputs(self) -> None:
        """Evaluate `outputs`, now that all steps have passed."""
        try:
            scope = self.scope()
            self.outputs = {
                name: as_json(evaluate(value, scope))
                for name, value in self.runbook.outputs.items()
            }
        except SandbookError as error:
            self.fail("failed", told(error))

    def fail(self, status: str, cause: str = "") -> None:
        """Remember that this run does not pass; the first status stays.

        A failed step tells its own cause, so `cause` is for what no step tells.
        """
        if self.status == "passed":
            self.status = status
        if cause:
            self.causes.append(cause)

    def _run_names(self, env: Mapping[str, str]) -> dict[str, JSON]:
        return {
            "inputs": dict(self.request.inputs),
            "env": dict(env),
            "steps": {key: result.as_json() for key, result in self.results.items()},
            "run": {
                "id": self.run,
                "name": self.name,
                "started": self.started.isoformat(timespec="seconds"),
                "status": self.status,
                "failed": self.status != "passed",
            },
        }


def as_json(value: Bound) -> JSON:
    """A bound value as plain data; a shell text with what its variables hold."""
    if isinstance(value, BoundShell):
        return {"text": value.text, "env": dict(value.env)}
    return value
