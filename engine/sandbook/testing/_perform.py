"""Doing one check: it passes, is skipped for a stated reason, or fails."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import anyio

from sandbook.testing._check import Check, Skipped
from sandbook.testing._kit import Kit
from sandbook.testing._subject import Subject

Result: TypeAlias = Literal["passed", "skipped", "failed"]

PROBE_LIMIT = 20.0
"""Seconds a check may take that is only tried to find an undeclared capability."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a check went.

    `lacking` names the capabilities it was skipped for, `undeclared` those of them that
    work without being declared.
    """

    result: Result
    reason: str = ""
    seconds: float = 0.0
    error: Exception | None = None
    undeclared: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


async def perform(check: Check, subject: Subject, *, folder: Path) -> None:
    """Do a check in `folder`; whatever it raises is why it failed."""
    kit = Kit(subject, folder=folder)
    try:
        with anyio.fail_after(check.limit):
            await check.run(kit)
    finally:
        await kit.aclose()


def judge(check: Check, subject: Subject, *, folder: Path) -> Outcome:
    """Do a check if what it needs is declared, and say how it went."""
    have = subject.capabilities
    pointless = check.pointless(have)
    if pointless is not None:
        return Outcome(result="skipped", reason=pointless)
    lacking = check.lacking(have)
    if lacking:
        return _look_whether_it_works(check, subject, folder=folder)
    began = time.monotonic()
    try:
        anyio.run(lambda: perform(check, subject, folder=folder))
    except Skipped as skipped:
        return Outcome(result="skipped", reason=str(skipped))
    except Exception as error:  # noqa: BLE001 - whatever a provider raises is a failure
        seconds = time.monotonic() - began
        return Outcome(
            result="failed", reason=_told(error), seconds=seconds, error=error
        )
    return Outcome(result="passed", seconds=time.monotonic() - began)


def _look_whether_it_works(check: Check, subject: Subject, *, folder: Path) -> Outcome:
    """Skip what is not declared; where trying is cheap, say when it works."""
    lacking = check.lacking(subject.capabilities)
    reason = f"not declared: {', '.join(lacking)}"
    skipped = Outcome(result="skipped", reason=reason, lacking=lacking)
    if not check.probe:
        return skipped

    async def attempt() -> None:
        with anyio.fail_after(PROBE_LIMIT):
            await perform(check, subject, folder=folder)

    try:
        anyio.run(attempt)
    except Exception:  # noqa: BLE001 - it was not promised to work
        return skipped
    told = f"not declared, but it works: {', '.join(lacking)}"
    return Outcome(result="skipped", reason=told, undeclared=lacking, lacking=lacking)


def leaves(error: BaseException | None) -> list[BaseException]:
    """The error itself, or what is in the group, or in the groups of the group."""
    found: list[BaseException] = []
    left = [] if error is None else [error]
    while left:
        one = left.pop()
        inner: tuple[BaseException, ...] = getattr(one, "exceptions", ())
        left.extend(inner)
        found.extend(() if inner else (one,))
    return found


def _told(error: BaseException) -> str:
    """The first error in one line."""
    first = leaves(error)[-1]
    lines = str(first).strip().splitlines()
    return f"{type(first).__name__}: {lines[0]}" if lines else type(first).__name__
