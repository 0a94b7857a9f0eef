"""What dead runs left behind, who is asked about it, and what may be ended.

A sweep settles reservations and removes folders; it never ends a sandbox. `reap` also
ends sandboxes, and only those whose label carries this installation and whom nobody
speaks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol, runtime_checkable

import anyio
from anyio import to_thread

from sandbook.api import Destroyed, SandboxInfo, SandboxRef
from sandbook.chain import NEEDS_NAMING
from sandbook.errors import LedgerError, SandbookError, TeardownFailed
from sandbook.installation import Installation
from sandbook.ledger import Reservation
from sandbook.listing import ASK_S, Found, list_all, list_sandboxes
from sandbook.report import Report
from sandbook.state import RunFolder, is_alive, owner_alive

SWEEP_S = 2.0
"""The longest that a sweep at the start of a run may take."""

LOCAL = "local"
INSTALLATION = "sandbook.installation"
RESERVATION = "sandbook.reservation"
RUN = "sandbook.run"

Settled = Literal["released", "committed", "alive", "unknown"]


@runtime_checkable
class Sweeps(Protocol):
    """A provider whose sandboxes leave folders behind on this computer."""

    def sweep(self) -> int:
        """Remove the folders of sandboxes that have ended; how many."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did; `notes` say what it could not."""

    settled: int = 0
    folders: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftovers:
    """What a reap would end: sandboxes, reservations without one, folders.

    `pending` belong to dead processes too, but their lease is not over yet.
    """

    sandboxes: tuple[SandboxInfo, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    folders: int = 0
    pending: tuple[Reservation, ...] = ()
    silent: tuple[tuple[str, str], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.sandboxes or self.reservations or self.folders)


async def identify(installation: Installation) -> None:
    """Learn who we are; without a ledger the environment may still say it."""
    if installation.id:
        return
    try:
        installation.id = await installation.ledger.installation()
    except LedgerError:
        installation.id = installation.environ.get("SANDBOOK_INSTALLATION", "unknown")


async def sweep(installation: Installation, *, limit: float = SWEEP_S) -> Swept:
    """Settle what nobody speaks for and remove dead folders, within `limit` seconds.

    Whatever goes wrong becomes a note: a run does not depend on it.
    """
    done = Swept()
    with anyio.move_on_after(limit):
        done = await _sweep_folders(installation, done)
        try:
            await identify(installation)
            expired = await installation.ledger.expired()
        except SandbookError as error:
            return _noted(done, str(error))
        for reservation in expired:
            done = await _sweep_one(installation, reservation, done)
    return done


async def _sweep_folders(installation: Installation, done: Swept) -> Swept:
    # Most runs find nothing, and then need not load the provider for it.
    if LOCAL not in installation.registry.provider_names or not any(
        not entry.name.startswith(".")
        for entry in installation.state.sandboxes.iterdir()
    ):
        return done
    try:
        provider = installation.provider(LOCAL)
    except SandbookError as error:
        return _noted(done, str(error))
    if not isinstance(provider, Sweeps):
        return done
    folders = await to_thread.run_sync(provider.sweep, abandon_on_cancel=True)
    return Swept(settled=done.settled, folders=folders, notes=done.notes)


async def _sweep_one(
    installation: Installation, reservation: Reservation, done: Swept
) -> Swept:
    try:
        how = await settle(installation, reservation)
    except SandbookError as error:
        return _noted(done, str(error))
    settled = done.settled + (how in ("released", "committed"))
    return Swept(settled=settled, folders=done.folders, notes=done.notes)


def _noted(done: Swept, note: str) -> Swept:
    return Swept(settled=done.settled, folders=done.folders, notes=(*done.notes, note))


async def settle(installation: Installation, reservation: Reservation) -> Settled:
    """Find out what became of a reservation that nobody speaks for, and say so.

    Raises:
        SandbookError: The ledger or the provider could not be asked; where a sandbox
            may exist the reservation is `uncertain` now.
    """
    ledger = installation.ledger
    if reservation.state == "held":
        await ledger.released(reservation.id)
        return "released"
    if reservation.state != "uncertain":
        await ledger.uncertain(reservation.id)
    info = await _ask(installation, reservation)
    if info is not None:
        await ledger.bound(reservation.id, info.ref, expires_at=info.expires_at)
        return "alive"
    if reservation.ref is None:
        await ledger.released(reservation.id)
        return "released"
    await ledger.committed(reservation.id, ended_at=_end_of(reservation))
    return "committed"


def _end_of(reservation: Reservation) -> datetime:
    """When it ended at the latest: its life was told, and it was not seen since."""
    now = datetime.now(UTC)
    return min(now, reservation.expires_at or now)


async def _ask(
    installation: Installation, reservation: Reservation
) -> SandboxInfo | None:
    labels = {RESERVATION: reservation.id}
    found = await list_sandboxes(installation, reservation.provider, labels)
    return next(iter(found), None)


async def find_sandboxes(
    installation: Installation, labels: Mapping[str, str], *, within: float = ASK_S
) -> Found:
    """What all have that can be asked; each provider has `within` seconds."""
    names = await askable(installation)
    return await list_all(installation, names, labels, within=within)


async def askable(installation: Installation) -> tuple[str, ...]:
    """The providers worth asking: configured ones, and those of live reservations."""
    try:
        used = {each.provider for each in await installation.ledger.live()}
    except LedgerError:
        used = set[str]()
    known = installation.registry.provider_names
    usable = [
        name for name in known if name in used or _is_configured(installation, name)
    ]
    return (*usable, *sorted(used.difference(known)))


def _is_configured(installation: Installation, name: str) -> bool:
    try:
        info = installation.registry.provider_info(name)
        missing = info.missing(installation.settings_of(name))
    except SandbookError:
        # It may have sandboxes: whoever asks it hears what is wrong with it.
        return True
    if missing:
        return False
    preferences = installation.preferences
    named = preferences.chain_is_chosen and name in preferences.chain
    return name not in NEEDS_NAMING or named or bool(preferences.of_provider(name))


async def find_leftovers(installation: Installation) -> Leftovers:
    """What dead runs of this installation left; changes nothing."""
    await identify(installation)
    expired = {each.id: each for each in await installation.ledger.expired()}
    found = await find_sandboxes(installation, {INSTALLATION: installation.id})
    dead = [info for info in found.infos if await _is_dead(installation, info, expired)]
    shown = {info.labels.get(RESERVATION) for info in dead}
    return Leftovers(
        sandboxes=tuple(dead),
        reservations=tuple(r for r in expired.values() if r.id not in shown),
        folders=await _count_dead_folders(installation),
        pending=await _pending(installation, set(expired)),
        silent=found.silent,
    )


async def _pending(
    installation: Installation, expired: AbstractSet[str]
) -> tuple[Reservation, ...]:
    now = datetime.now(UTC)
    return tuple(
        each
        for each in await installation.ledger.live()
        if each.id not in expired
        and (each.keep_until is None or each.keep_until <= now)
        and not any(is_alive(user.process) for user in each.users)
    )


async def _is_dead(
    installation: Installation, info: SandboxInfo, expired: Iterable[str]
) -> bool:
    """Whether nobody speaks for a sandbox with our label.

    One that the ledger does not know was made without it; then its run decides.
    """
    reserved = info.labels.get(RESERVATION, "")
    if reserved in expired:
        return True
    reservation = await installation.ledger.get(reserved)
    if reservation is not None and reservation.is_live:
        return False
    try:
        folder = installation.state.run(info.labels.get(RUN, ""))
    except SandbookError:
        return True
    return not owner_alive(folder) and not _was_kept(folder)


def _was_kept(folder: RunFolder) -> bool:
    """Whether a run that ended by itself left its sandboxes on purpose."""
    try:
        report = Report.from_journal(folder.journal)
    except SandbookError:
        return False
    return report.is_final and report.exit != TeardownFailed.exit_code


async def _count_dead_folders(installation: Installation) -> int:
    names = {entry.name for entry in installation.state.sandboxes.iterdir()}
    names = {name for name in names if not name.startswith(".")}
    if not names:
        return 0
    try:
        alive = {info.ref.id for info in await list_sandboxes(installation, LOCAL, {})}
    except SandbookError:
        return 0
    return len(names - alive)


async def end_sandbox(installation: Installation, ref: SandboxRef) -> Destroyed:
    """Destroy a sandbox and charge its life.

    Raises:
        SandbookError: It could not be ended; the ledger still counts it.
    """
    how = await installation.provider(ref.provider).destroy(ref)
    try:
        reservation = await installation.ledger.by_ref(ref)
        if reservation is not None and reservation.is_live:
            await installation.ledger.committed(
                reservation.id, ended_at=datetime.now(UTC)
            )
    except LedgerError:
        # It is gone, which was asked for; a sweep mends the count.
        return how
    return how
