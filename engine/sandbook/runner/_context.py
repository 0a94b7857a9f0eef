"""What the parts of a run share, and what one of its runbooks knows.

A run has one `RunContext`. Each runbook in it, the one that was started and those it
uses, has a `BookContext`: its names, its results, and whether it has passed so far.
"""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from sandbook.api import JSON, Bound, BoundShell, Failure, Verb
from sandbook.errors import SandbookError, told
from sandbook.events import Observer, Recorder
from sandbook.expressions import Scope, Value, as_written, evaluate, secrets_in
from sandbook.installation import Installation
from sandbook.masking import Masker
from sandbook.plan import Plan
from sandbook.runbook import Runbook, Step
from sandbook.runner._results import StepResult
from sandbook.state import RunFolder

if TYPE_CHECKING:
    from sandbook.runner._sandboxes import Sandboxes

TEARDOWN_TIMEOUT = 30.0

Env: TypeAlias = Mapping[str, str]
Extra: TypeAlias = Mapping[str, JSON]
Results: TypeAlias = ChainMap[str, StepResult]
"""Results by id: first those of an item of a loop, then those around it."""

NOTHING: Extra = MappingProxyType({})
NO_ENV: Env = MappingProxyType({})


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
    update_snapshots: bool = False
    host_network: bool = False
    count_quota: bool = True
    handle_signals: bool = True
    observers: tuple[Observer, ...] = ()
    on_stuck: Callable[[tuple[str, ...]], None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who brought a file of the artifacts folder.

    `place` is a step that fetched it, or the runbook that collected it, and `turn` its
    try. `source` is where it was: the sandbox and the path there.
    """

    place: str
    turn: int
    source: str
    is_fetched: bool = False


@dataclass(slots=True, kw_only=True)
class RunContext:
    """The parts of one run, whatever runbook of it is at work.

    `kept` are the artifacts, `owners` says who brought each file of the artifacts
    folder, `tries` counts the tries of each path and `places` how often the runbook
    of each `use` step began, `sandboxes` are those of all runbooks, `not_ended` says
    what a teardown could not end.
    """

    request: RunRequest
    installation: Installation
    folder: RunFolder
    recorder: Recorder
    masker: Masker
    started: datetime
    kept: list[str] = field(default_factory=list[str])
    owners: dict[Path, Owner] = field(default_factory=dict[Path, Owner])
    tries: Counter[str] = field(default_factory=Counter[str])
    places: Counter[str] = field(default_factory=Counter[str])
    sandboxes: list[Sandboxes] = field(default_factory=list["Sandboxes"])
    not_ended: list[str] = field(default_factory=list[str])

    @property
    def artifacts(self) -> Path:
        """The folder that results go to."""
        return self.request.artifacts or self.folder.artifacts

    def claim(self, files: Mapping[Path, Owner], *, twice: bool = False) -> Path | None:
        """Take these names of the artifacts folder, or none: the first that is taken.

        What is tried again replaces what it brought before, and what was fetched may
        be an artifact as well; with `twice` two artifacts may not be the same file.
        """
        for name, owner in files.items():
            known = self.owners.get(name, owner)
            is_again = known.place == owner.place and known.turn != owner.turn
            if known is owner or is_again:
                continue
            is_twice = twice and not known.is_fetched
            if is_twice or known.source != owner.source:
                return name
        self.owners.update(files)
        return None

    def remaining(self) -> tuple[str, ...]:
        """Sentences about what is alive, for somebody who leaves in a hurry."""
        return tuple(told for each in self.sandboxes for told in each.remaining())


class BookContext:
    """One runbook of a run: what its expressions see, and what has come of it.

    `status` is that of this runbook, `causes` say why it has not passed beyond what
    its steps tell, `stopped` is the first failure of a step that counts.
    """

    def __init__(
        self,
        *,
        whole: RunContext,
        runbook: Runbook,
        plan: Plan,
        inputs: Mapping[str, JSON],
        outer_env: Env = NO_ENV,
    ) -> None:
        self.whole = whole
        self.runbook = runbook
        self.plan = plan
        self.inputs = inputs
        secrets = whole.request.secrets
        self.secrets = {n: secrets[n] for n in runbook.secrets if n in secrets}
        self.results: Results = ChainMap()
        self.status = "passed"
        self.causes: list[str] = []
        self.stopped: Failure | None = None
        self.outputs: Mapping[str, JSON] = {}
        self.outer_env = outer_env
        self.env: Env = outer_env
        self.name = ""
        self.timeout: float | None = None

    @property
    def run(self) -> str:
        """The id of the run."""
        return self.whole.folder.run

    @property
    def request(self) -> RunRequest:
        """What was asked of the run."""
        return self.whole.request

    @property
    def installation(self) -> Installation:
        """What the run works with."""
        return self.whole.installation

    @property
    def recorder(self) -> Recorder:
        """Who is told what happens."""
        return self.whole.recorder

    @property
    def verbs(self) -> Mapping[str, Verb]:
        """Every verb by name."""
        return self.whole.installation.verbs

    def open_scope(self) -> None:
        """Evaluate what may use inputs and secrets only: the name and `env`."""
        early = Scope(names=self._names({}, self.results), secrets=self.secrets)
        own = {k: str(evaluate(v, early)) for k, v in self.runbook.env.items()}
        self.env = {**self.outer_env, **own}
        self.name = str(evaluate(self.runbook.name, self.scope()))

    def env_with(self, of_sandbox: Env) -> Env:
        """The environment of this file and that of a sandbox, as they overlie.

        What a `create` says lies over the file it stands in; a sandbox that was
        there before lies under a runbook that is used in it.
        """
        if self.plan.shared is not None:
            return {**of_sandbox, **self.env}
        return {**self.env, **of_sandbox}

    def scope(
        self,
        extra: Extra = NOTHING,
        *,
        env: Env = NO_ENV,
        written: Mapping[str, Value] = MappingProxyType({}),
        results: Results | None = None,
    ) -> Scope:
        """What an expression sees.

        `extra` adds `item` and `sandbox`, `env` the environment of the step, which
        was `written` so; `results` are those of the item, else of the file.
        """
        declared = {**self.runbook.env, **written}
        known = {k: v for k, v in {**self.env, **env}.items() if k in declared}
        names = self._names(
            without_secrets(known, declared),
            self.results if results is None else results,
        )
        return Scope(names={**names, **extra}, secrets=self.secrets)

    def label_of(self, step: Step, scope: Scope) -> str:
        """What people read; an expression that fails is shown as it is written."""
        try:
            return str(evaluate(step.label, scope)) or step.verb
        except SandbookError:
            return as_written(step.label)

    def compute_outputs(self) -> None:
        """Evaluate `outputs`, now that all steps have passed."""
        scope = self.scope()
        for name, value in self.runbook.outputs.items():
            try:
                self.outputs = {**self.outputs, name: as_json(evaluate(value, scope))}
            except SandbookError as error:
                self.fail("failed", f"output {name!r}: {told(error)}")

    def fail(self, status: str, cause: str = "") -> None:
        """Remember that this runbook does not pass; the first status stays.

        A failed step tells its own cause, so `cause` is for what no step tells.
        """
        if self.status == "passed":
            self.status = status
        if cause:
            self.causes.append(cause)

    def failed_at(self, failure: Failure) -> None:
        """Remember that a step failed; the first is the reason that is told."""
        self.stopped = self.stopped or failure
        self.fail("failed")

    def _names(self, env: Env, results: Results) -> dict[str, JSON]:
        return {
            "inputs": dict(self.inputs),
            "env": dict(env),
            "steps": _Steps(results),
            "run": {
                "id": self.run,
                "name": self.name,
                "started": self.whole.started.isoformat(timespec="seconds"),
                "status": self.status,
                "failed": self.status != "passed",
            },
        }


class _Steps(Mapping[str, JSON]):
    """The value of `steps`: each result is made when it is asked for."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def __getitem__(self, name: str) -> JSON:
        return self._results[name].as_json()

    def __contains__(self, name: object) -> bool:
        return name in self._results

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)


def without_secrets(env: Env, written: Mapping[str, Value]) -> Env:
    """What expressions see: an entry that holds a secret is as secret as it.

    Filters would otherwise make of it what nobody can recognise and mask.
    """
    hidden = {name for name, value in written.items() if secrets_in(value)}
    return {name: value for name, value in env.items() if name not in hidden}


def as_json(value: Bound) -> JSON:
    """A bound value as plain data; a shell text with what its variables hold."""
    if isinstance(value, BoundShell):
        return {"text": value.text, "env": dict(value.env)}
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [as_json(item) for item in value]
    return value
