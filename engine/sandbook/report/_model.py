"""Decides what a report says and how it looks as JSON (`report.schema.json`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sandbook.api import JSON
from sandbook.events import VERSION
from sandbook.journal import read_journal
from sandbook.state import RunFolder, owner_alive

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Value: TypeAlias = (
    "JSON | datetime | DataclassInstance | Sequence[_Value] | Mapping[str, _Value]"
)

_PRIVATE = frozenset(("output_folder",))

FINAL = frozenset(
    ("passed", "failed", "timed_out", "cancelled", "refused", "internal_error")
)
"""The states in which a run ends."""

FAILED = frozenset(("failed", "timed_out", "lost", "cancelled"))
"""The states of a step that did not do its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where the output of one try is; `bytes` that came, `dropped` of them not kept."""

    file: str
    bytes: int
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReport:
    """One try of a step; `status` is "started" while it runs.

    `results` are the fields of its verb, `saved` its saved values; what derives from
    a secret is `{"tainted": true}`. `notes` is what it said to the person who watched,
    `attached` what a resumed run would join: kind and id.
    """

    number: int
    status: str
    key: str | None = None
    code: int | None = None
    cause: str | None = None
    started_at: datetime | None = None
    seconds: float | None = None
    results: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    saved: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    artifacts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    output: Output | None = None
    attached: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """One step, one item of its `for_each`, or one step inside it.

    The status is that of its last try, or "pending". `at` is `file:line:col`.
    `allowed` says that its failure does not count.
    """

    path: str
    status: str
    verb: str | None = None
    label: str | None = None
    at: str | None = None
    sandbox: str | None = None
    allowed: bool = False
    attempts: tuple[AttemptReport, ...] = ()
    children: tuple[StepReport, ...] = ()

    @property
    def last(self) -> AttemptReport | None:
        """The try that counts."""
        return self.attempts[-1] if self.attempts else None

    @property
    def seconds(self) -> float | None:
        """What all its tries took, without the waits between them."""
        known = [each.seconds for each in self.attempts if each.seconds is not None]
        return sum(known) if known else None

    @property
    def cause(self) -> str | None:
        """Why it did not do its work."""
        return self.last.cause if self.last else None

    def walk(self) -> Iterator[StepReport]:
        """This step and all below it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxReport:
    """One sandbox of the run; it lives on while `ended_at` is None.

    `seconds` is from created to ended. `created` is False when the run attached to
    one that was there.
    """

    name: str
    provider: str
    id: str
    isolation: str
    created: bool
    started_at: datetime
    home: str | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    how: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAttempt:
    """One provider of the chain that was tried, and what came of it."""

    provider: str
    outcome: str
    reason: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUse:
    """What the run used of one provider; `concurrent` is the most at one time.

    `month_used` and `month_limit` are sessions of this month, as the ledger had them
    when the run ended; `month_limit` None = unlimited or not known.
    """

    provider: str
    sessions: int
    seconds: int
    concurrent: int
    month_used: int | None = None
    month_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How many steps ended how: those without steps below them, each item once.

    `allowed` failed and do not count, `cancelled` were ended by something else, as the
    failure of a step beside them; `started` have not ended, `pending` not begun.
    """

    passed: int = 0
    failed: int = 0
    allowed: int = 0
    cancelled: int = 0
    skipped: int = 0
    started: int = 0
    pending: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run did, and what it left.

    `status` is a state of the run; "interrupted" = not final, and its owner is dead.
    `exit` is the exit code, None while it is not final. `cause` is why it is not
    green, in words, and `failed_step` the path of the step that decided it.
    """

    run: str
    status: str
    exit: int | None
    started_at: datetime
    ended_at: datetime | None
    seconds: float
    file: str
    name: str | None
    cause: str | None
    failed_step: str | None
    inputs: Mapping[str, JSON]
    chain: tuple[str, ...]
    floor: str | None
    versions: Mapping[str, JSON]
    installation: str | None
    cancelled_by: str | None
    resumed: int
    attempts: tuple[ProviderAttempt, ...]
    sandboxes: tuple[SandboxReport, ...]
    steps: tuple[StepReport, ...]
    totals: Totals
    quota: tuple[QuotaUse, ...]
    artifacts: tuple[str, ...] = ()
    artifacts_folder: str | None = None
    notes: tuple[str, ...] = ()
    outputs: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    output_folder: Path | None = field(default=None, compare=False)

    @property
    def is_final(self) -> bool:
        """Whether the run has ended by itself."""
        return self.status in FINAL

    @property
    def kept(self) -> tuple[str, ...]:
        """Every file in the artifacts folder, of steps and of the run, once each."""
        every = (step for top in self.steps for step in top.walk())
        tries = (step.last for step in every if step.last is not None)
        found = (name for each in tries for name in each.artifacts)
        return tuple(dict.fromkeys((*found, *self.artifacts)))

    @property
    def alive(self) -> tuple[SandboxReport, ...]:
        """The sandboxes that live on."""
        return tuple(each for each in self.sandboxes if each.ended_at is None)

    def step(self, path: str) -> StepReport | None:
        """The step with this path, at any depth."""
        every = (step for top in self.steps for step in top.walk())
        return next((step for step in every if step.path == path), None)

    def read_output(self, attempt: AttemptReport) -> bytes:
        """The stored output of one try; empty when there is none to be read."""
        if attempt.output is None or self.output_folder is None:
            return b""
        try:
            return (self.output_folder / attempt.output.file).read_bytes()
        except FileNotFoundError:
            return b""

    def to_json(self) -> dict[str, JSON]:
        """A plain object, valid against `report.schema.json`."""
        alive: JSON = [each.name for each in self.alive]
        return {"v": VERSION, **_object(self), "alive": alive}

    @classmethod
    def from_journal(cls, path: Path, output_folder: Path | None = None) -> Report:
        """The report of a run as its journal tells it.

        A run that is not final and whose owner is dead is "interrupted": nobody
        holds the lock of the `owner` file beside the journal.

        Raises:
            SandbookError: The journal is missing, damaged, or tells of no run yet.
        """
        # The fold makes what this module defines.
        from sandbook.report._fold import fold

        report = replace(fold(read_journal(path)), output_folder=output_folder)
        if report.is_final or owner_alive(RunFolder(path=path.parent)):
            return report
        return replace(report, status="interrupted")


def _object(value: DataclassInstance) -> dict[str, JSON]:
    """The fields of a dataclass, without what only this process needs."""
    named = ((each.name, getattr(value, each.name)) for each in fields(value))
    return {name: _json(item) for name, item in named if name not in _PRIVATE}


def _json(value: _Value) -> JSON:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_json(item) for item in value]
    return _object(value)
