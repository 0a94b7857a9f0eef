"""Results of steps, as expressions and the report see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sandbook.api import JSON, Failure

Status = Literal["passed", "failed", "skipped", "timed_out", "lost", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step gave; `allowed` = its failure does not count.

    `reason` says why it was skipped, `failure` why it failed. `now` tells the fields
    as they are by then, where its program goes on in the background.
    """

    status: Status
    seconds: float = 0.0
    tries: int = 0
    fields: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    values: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    each: tuple[StepResult, ...] | None = None
    failure: Failure | None = None
    reason: str | None = None
    allowed: bool = False
    now: Callable[[], Mapping[str, JSON]] | None = None

    @property
    def failed(self) -> bool:
        """Whether it did not do its work."""
        return self.status not in ("passed", "skipped")

    @property
    def stops(self) -> bool:
        """Whether the steps after it must not run."""
        return self.failed and not self.allowed

    def as_json(self) -> dict[str, JSON]:
        """The value of `steps.ID` (language.md §4)."""
        common: dict[str, JSON] = {
            "status": public_status(self.status),
            "ok": self.status == "passed",
            "duration": round(self.seconds, 3),
            "tries": self.tries,
        }
        if self.each is not None:
            return {**common, "each": [item.as_json() for item in self.each]}
        if self.values:
            common["values"] = dict(self.values)
        return {**common, **{k: v for k, v in self.fields.items() if k not in common}}


def public_status(status: Status) -> str:
    """The three words that a runbook's author knows."""
    return status if status in ("passed", "skipped") else "failed"


def status_for(failure: Failure | None) -> Status:
    """The status of a try that ended with this failure."""
    if failure is None:
        return "passed"
    special: dict[str, Status] = {"timeout": "timed_out", "lost": "lost"}
    return special.get(failure.kind, "failed")
