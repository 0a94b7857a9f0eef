"""The sandboxes that live, as providers tell of them and as the ledger knows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sandbook.api import JSON, SandboxInfo, SandboxRef
from sandbook.cli._words import instant, iso
from sandbook.errors import LedgerError, UsageError
from sandbook.installation import Installation
from sandbook.ledger import Reservation
from sandbook.sweep import INSTALLATION, RUN, find_sandboxes, identify

HEADINGS = ("id", "provider", "state", "run", "name", "created", "ends")
NAME = "sandbook.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSandbox:
    """One sandbox; without `info` only the ledger knows of it."""

    ref: SandboxRef
    state: str
    run: str
    name: str
    expires_at: datetime | None
    info: SandboxInfo | None

    def cells(self) -> tuple[str, ...]:
        """For people, as `HEADINGS`."""
        return (
            self.ref.id,
            self.ref.provider,
            self.state,
            self.run or "-",
            self.name or "-",
            instant(self.ref.created_at),
            instant(self.expires_at),
        )

    def as_json(self) -> JSON:
        """For programs."""
        return {
            "id": self.ref.id,
            "provider": self.ref.provider,
            "state": self.state,
            "run": self.run or None,
            "name": self.name or None,
            "created_at": iso(self.ref.created_at),
            "expires_at": iso(self.expires_at),
            "isolation": self.info.isolation if self.info else None,
            "metadata": dict(self.info.metadata) if self.info else {},
            "region": self.ref.region,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveList:
    """Newest first; `silent` are the providers that did not answer, and why."""

    sandboxes: tuple[LiveSandbox, ...]
    silent: tuple[tuple[str, str], ...]


async def find_live(
    installation: Installation, *, every_installation: bool = False
) -> LiveList:
    """What lives: of this installation, or of all that providers may tell us of."""
    await identify(installation)
    labels = {} if every_installation else {INSTALLATION: installation.id}
    found = await find_sandboxes(installation, labels)
    told = [_of_info(info) for info in found.infos if INSTALLATION in info.labels]
    known = {(each.ref.provider, each.ref.id) for each in told}
    mute = dict(found.silent)
    # What a provider that did answer does not list is gone, whatever the ledger says.
    only_booked = [
        _of_reservation(each, each.ref)
        for each in await _booked(installation)
        if each.ref is not None
        and each.provider in mute
        and (each.provider, each.ref.id) not in known
    ]
    every = sorted(
        (*told, *only_booked), key=lambda each: each.ref.created_at, reverse=True
    )
    return LiveList(sandboxes=tuple(every), silent=found.silent)


async def _booked(installation: Installation) -> Sequence[Reservation]:
    try:
        return await installation.ledger.live()
    except LedgerError:
        return ()


def _of_info(info: SandboxInfo) -> LiveSandbox:
    return LiveSandbox(
        ref=info.ref,
        state=info.state,
        run=info.labels.get(RUN, ""),
        name=info.labels.get(NAME, ""),
        expires_at=info.expires_at,
        info=info,
    )


def _of_reservation(reservation: Reservation, ref: SandboxRef) -> LiveSandbox:
    return LiveSandbox(
        ref=ref,
        state="unknown",
        run=reservation.run,
        name="",
        expires_at=reservation.expires_at,
        info=None,
    )


def pick(sandboxes: Sequence[LiveSandbox], start: str) -> LiveSandbox:
    """The one whose id begins so, else the newest of the run whose id begins so.

    Raises:
        UsageError: There is none, or more than one.
    """
    exact = [each for each in sandboxes if start in (each.ref.id, each.run)]
    by_id = [each for each in sandboxes if start and each.ref.id.startswith(start)]
    by_run = [each for each in sandboxes if start and each.run.startswith(start)]
    fitting = exact[:1] or by_id
    if len(fitting) > 1:
        raise _ambiguous(start, [each.ref.id for each in fitting])
    if not fitting:
        runs = {each.run for each in by_run}
        if len(runs) > 1:
            raise _ambiguous(start, sorted(runs))
        fitting = by_run[:1]
    if not fitting:
        raise UsageError(
            f"there is no live sandbox {start!r}, nor a run of that id with one",
            remedy="list them: sandbook sandboxes",
        )
    return fitting[0]


def _ambiguous(start: str, ids: Sequence[str]) -> UsageError:
    return UsageError(
        f"{len(ids)} ids begin with {start!r}: {', '.join(ids[:5])}",
        remedy="give more of the id",
    )
