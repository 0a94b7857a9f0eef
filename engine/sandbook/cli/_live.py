"""The sandboxes that live, as providers tell of them and as the ledger knows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sandbook.api import JSON, SandboxInfo, SandboxRef
from sandbook.cli._words import instant, iso, warn
from sandbook.errors import LedgerError, UsageError
from sandbook.installation import Installation
from sandbook.ledger import Reservation
from sandbook.listing import ASK_S
from sandbook.sweep import INSTALLATION, RUN, find_sandboxes, identify

HEADINGS = ("id", "provider", "state", "run", "name", "created", "ends")
NAME = "sandbook.name"
_ANY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSandbox:
    """One sandbox; without `info` only the ledger knows of it."""

    ref: SandboxRef
    state: str
    run: str
    name: str
    expires_at: datetime | None
    info: SandboxInfo | None

    @property
    def metadata(self) -> Mapping[str, str]:
        """What its maker wrote; nothing is known of it where nobody answered."""
        return self.info.metadata if self.info else _ANY

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
            "metadata": dict(self.metadata),
            "region": self.ref.region,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveList:
    """Newest first; `silent` are the providers that did not answer, and why."""

    sandboxes: tuple[LiveSandbox, ...]
    silent: tuple[tuple[str, str], ...]


async def find_live(
    installation: Installation,
    *,
    metadata: Mapping[str, str] = _ANY,
    every_installation: bool = False,
    within: float = ASK_S,
) -> LiveList:
    """What lives: of this installation, or of all that providers may tell us of.

    No provider is waited for longer than `within` seconds. With `metadata` it is
    what has these entries.
    """
    await identify(installation)
    labels = {} if every_installation else {INSTALLATION: installation.id}
    found = await find_sandboxes(installation, labels, within=within)
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
    fitting = (each for each in every if metadata.items() <= each.metadata.items())
    return LiveList(sandboxes=tuple(fitting), silent=found.silent)


def tell_silent(silent: Sequence[tuple[str, str]]) -> None:
    """Say who could not be asked, and why."""
    for name, reason in silent:
        warn(f"warning: {name} could not be asked: {reason}")


async def choose(
    installation: Installation, ids: Sequence[str], metadata: Mapping[str, str]
) -> Sequence[LiveSandbox]:
    """The sandboxes with these ids, else all that have the metadata; never none.

    Raises:
        UsageError: There is none, or an id fits several.
    """
    found = await find_live(installation, metadata=metadata)
    tell_silent(found.silent)
    chosen = [pick(found.sandboxes, start) for start in ids] or found.sandboxes
    if not chosen:
        raise nothing_lives(metadata)
    return chosen


def nothing_lives(metadata: Mapping[str, str] = _ANY) -> UsageError:
    """There is no sandbox, or none that fits."""
    if metadata:
        told = ", ".join(f"{key}={value}" for key, value in metadata.items())
        return UsageError(
            f"no sandbox lives with the metadata {told}",
            remedy="list them all: sandbook sandboxes",
        )
    return UsageError("no sandbox lives", remedy="keep one: sandbook run FILE --keep")


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
