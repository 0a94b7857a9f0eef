"""Runs as their events tell them, with a clock that stands still between events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from jsonschema import Draft202012Validator

from sandbook.api import JSON
from sandbook.console import PlanStep, PlanView
from sandbook.events import EVENTS, Event

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a busy machine is no fault."""

RUN = "0k2m4p6r8t0v2"
BEGIN = datetime(2026, 11, 22, 21, 4, 55, tzinfo=UTC)

PLAN = PlanView(
    name="Smoke test",
    steps=(
        PlanStep(
            path="steps[0]", label="Install", verb="command", at="ci/smoke.yaml:4:5"
        ),
        PlanStep(
            path="steps[1]", label="Start all", verb="parallel", at="ci/smoke.yaml:6:5"
        ),
        PlanStep(
            path="steps[1].parallel[0]",
            label="web",
            verb="command",
            at="ci/smoke.yaml:8:9",
        ),
        PlanStep(
            path="steps[1].parallel[1]",
            label="db",
            verb="command",
            at="ci/smoke.yaml:9:9",
        ),
        PlanStep(
            path="steps[2]",
            label="Server answers",
            verb="command",
            at="ci/smoke.yaml:12:5",
        ),
        PlanStep(
            path="steps[3]", label="Say so", verb="command", at="ci/smoke.yaml:14:5"
        ),
        PlanStep(
            path="finally[0]", label="Clean up", verb="command", at="ci/smoke.yaml:18:5"
        ),
    ),
)

_FILLING: dict[str, JSON] = {
    "file": "ci/smoke.yaml",
    "file_hash": "0" * 64,
    "step_hashes": dict.fromkeys(
        ("steps[0]", "steps[1]", "steps[2]", "steps[3]", "finally[0]"), "1" * 64
    ),
    "inputs": {"who": "world"},
    "chain": ["daytona", "e2b"],
    "floor": "microvm",
    "versions": {"sandbook": "0.1.0"},
    "installation": "i-1",
    "owner": {"pid": 1, "start": 2, "boot": "b", "host": "h"},
    "provider": "e2b",
    "outcome": "created",
    "reason": "",
    "seconds": 1.2,
    "name": "main",
    "key": "k",
    "reservation": "r",
    "ref": {
        "provider": "e2b",
        "id": "i1",
        "account": None,
        "region": None,
        "created_at": "2026-11-22T21:04:56+00:00",
    },
    "isolation": "microvm",
    "expires_at": "2026-11-22T21:14:55+00:00",
    "home": "/home/user",
    "how": "destroyed",
    "step": "steps[0]",
    "attempt": 1,
    "verb": "command",
    "sandbox": "main",
    "bound_hash": "2" * 64,
    "kind": "process",
    "id": "41",
    "bytes": 12,
    "dropped": 0,
    "text": "sh is used",
    "status": "passed",
    "code": 0,
    "saved": {},
    "results": {"exit": 0, "stdout": "hi\n"},
    "artifacts": [],
    "cause": None,
    "by": "SIGINT",
    "from_step": "steps[2]",
    "exit": 0,
    "totals": {"quota": {"e2b": {"used": 13, "limit": 1000}}},
}


def fields_of(name: str, /, **given: JSON) -> dict[str, JSON]:
    """Every field the event must have, with these values where given."""
    return {**{key: _FILLING[key] for key in EVENTS[name]}, **given}


class Teller:
    """Makes the events of one run, each half a second after the one before."""

    def __init__(self) -> None:
        self._seq = 0

    def __call__(self, name: str, /, **given: JSON) -> Event:
        self._seq += 1
        return Event(
            seq=self._seq,
            run=RUN,
            at=BEGIN + timedelta(seconds=0.5 * (self._seq - 1)),
            name=name,
            fields=fields_of(name, **given),
        )

    def step(self, path: str, /, **given: JSON) -> tuple[Event, Event]:
        """A step that begins and ends."""
        attempt = given.get("attempt", 1)
        return (
            self("step.started", step=path, attempt=attempt),
            self("step.finished", step=path, **given),
        )


def failed_run() -> Iterator[Event]:
    """Falls back to e2b, tries a step twice, fails, cleans up, keeps its sandbox."""
    tell = Teller()
    yield tell("run.started")
    yield tell(
        "provider.tried",
        provider="daytona",
        outcome="QuotaExhausted",
        reason="5000 of 5000 sessions of 2026-11 are used",
    )
    yield tell("sandbox.creating")
    yield tell("sandbox.created")
    yield tell("provider.tried")
    yield from tell.step("steps[0]", seconds=4.2)
    yield tell("step.started", step="steps[1]")
    yield tell("step.started", step="steps[1].parallel[0]")
    yield tell("step.started", step="steps[1].parallel[1]")
    yield tell("step.finished", step="steps[1].parallel[1]")
    yield tell("step.finished", step="steps[1].parallel[0]")
    yield tell("step.finished", step="steps[1]")
    cause = "exit code 7, expected 0\nthe server said no"
    bad: dict[str, JSON] = {"status": "failed", "code": 7, "cause": cause}
    yield from tell.step("steps[2]", retry_in=1.0, **bad)
    yield tell("step.started", step="steps[2]", attempt=2)
    yield tell("step.attached", step="steps[2]")
    yield tell("step.output", step="steps[2]", file="steps-2.try-2.txt")
    yield tell("step.finished", step="steps[2]", attempt=2, **bad)
    yield tell("finally.started")
    yield from tell.step("finally[0]", seconds=0.3)
    yield tell("run.finished", status="failed", exit=1)


def passed_run() -> Iterator[Event]:
    """One step for each of two items, one skipped, everything ended."""
    tell = Teller()
    yield tell("run.started", step_hashes={"steps[0]": "1", "steps[1]": "2"})
    yield tell("sandbox.created")
    yield tell("step.started", step="steps[0]", verb="command")
    yield from tell.step("steps[0].each[0]")
    yield from tell.step("steps[0].each[1]")
    yield tell("step.finished", step="steps[0]")
    skipped = "its `if` is false"
    yield tell(
        "step.finished", step="steps[1]", attempt=0, status="skipped", cause=skipped
    )
    yield tell("sandbox.ended", seconds=4)
    yield tell("run.finished")


def read_schema(name: str) -> dict[str, Any]:
    """One of the project's JSON Schemas."""
    folder = Path(__file__).parents[2] / "schemas"
    schema: dict[str, Any] = json.loads((folder / f"{name}.schema.json").read_bytes())
    return schema


def fits_schema(name: str, data: JSON) -> bool:
    """Whether data is valid against one of the project's JSON Schemas."""
    return _validator(name).is_valid(data)  # pyright: ignore[reportUnknownMemberType]


@cache
def _validator(name: str) -> Draft202012Validator:
    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(read_schema(name), format_checker=checker)
