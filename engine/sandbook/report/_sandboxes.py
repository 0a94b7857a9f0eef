"""Decides which sandboxes a run had, and what they cost of the quota."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sandbook.events import Event
from sandbook.report._fields import Fields, entries, instant, number, text, whole
from sandbook.report._model import QuotaUse, SandboxReport

_Change = Callable[[SandboxReport], SandboxReport]


class SandboxFold:
    """The sandboxes of one run, in the order in which they came."""

    def __init__(self) -> None:
        self._sandboxes: list[SandboxReport] = []
        self._most: Counter[str] = Counter()

    def add(self, event: Event) -> None:
        """Take an event whose name begins `sandbox.`."""
        match event.name:
            case "sandbox.created":
                self._begin(event, created=True)
            case "sandbox.attached":
                self._begin(event, created=False)
            case "sandbox.extended":
                until = instant(event.fields, "expires_at")
                self._change(event, lambda box: replace(box, expires_at=until))
            case "sandbox.ended":
                self._change(event, lambda box: _ended(box, event))
            case _:
                pass

    def reports(self) -> tuple[SandboxReport, ...]:
        """What became of each."""
        return tuple(self._sandboxes)

    def quota(self, told: Fields, *, now: datetime) -> tuple[QuotaUse, ...]:
        """The use of each provider, with what the ledger `told` at the end."""
        providers = dict.fromkeys(box.provider for box in self._sandboxes)
        return tuple(self._use(name, entries(told, name), now) for name in providers)

    def _begin(self, event: Event, *, created: bool) -> None:
        box = _sandbox(event, created=created)
        known = self._living(box.name)
        if known is not None and self._sandboxes[known].id == box.id:
            # A resumed run attaches to what it created itself.
            until = box.expires_at
            self._sandboxes[known] = replace(self._sandboxes[known], expires_at=until)
            return
        self._sandboxes.append(box)
        living = [each for each in self._sandboxes if each.ended_at is None]
        now = sum(each.provider == box.provider for each in living)
        self._most[box.provider] = max(self._most[box.provider], now)

    def _change(self, event: Event, change: _Change) -> None:
        known = self._living(text(event.fields, "name") or "")
        if known is not None:
            self._sandboxes[known] = change(self._sandboxes[known])

    def _living(self, name: str) -> int | None:
        for index in reversed(range(len(self._sandboxes))):
            box = self._sandboxes[index]
            if box.name == name and box.ended_at is None:
                return index
        return None

    def _use(self, provider: str, told: Fields, now: datetime) -> QuotaUse:
        mine = [b for b in self._sandboxes if b.provider == provider and b.created]
        return QuotaUse(
            provider=provider,
            sessions=len(mine),
            seconds=sum(_seconds(box, now) for box in mine),
            concurrent=self._most[provider],
            month_used=whole(told, "used"),
            month_limit=whole(told, "limit"),
        )


def _sandbox(event: Event, *, created: bool) -> SandboxReport:
    ref = entries(event.fields, "ref")
    return SandboxReport(
        name=text(event.fields, "name") or "",
        provider=text(ref, "provider") or "",
        id=text(ref, "id") or "",
        isolation=text(event.fields, "isolation") or "none",
        created=created,
        started_at=event.at,
        home=text(event.fields, "home"),
        expires_at=instant(event.fields, "expires_at"),
    )


def _ended(box: SandboxReport, event: Event) -> SandboxReport:
    return replace(
        box,
        ended_at=event.at,
        how=text(event.fields, "how"),
        seconds=number(event.fields, "seconds"),
    )


def _seconds(box: SandboxReport, now: datetime) -> int:
    """Seconds so far, rounded up as the ledger does."""
    lived = ((box.ended_at or now) - box.started_at).total_seconds()
    return math.ceil(max(0.0, lived if box.seconds is None else box.seconds))
