"""Join a sandbox that lives: what its provider must be able to do, and who is there.

Everybody who joins is a user of the sandbox's reservation meanwhile, so that no sweep
takes it for a dead run's.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import anyio

from sandbook.api import Capability, Sandbox, SandboxRef
from sandbook.cli._live import LiveSandbox, find_live, nothing_lives, pick, tell_silent
from sandbook.cli._words import warn
from sandbook.errors import LedgerError, SandbookError, Unsupported
from sandbook.installation import Installation
from sandbook.state import new_run_id

_LIFETIME = 600.0
_BEAT_S = 30.0
_ANY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a provider must declare, and the words where it does not."""

    capability: Capability
    operation: str
    lacks: str
    remedy: str

    def require(self, installation: Installation, ref: SandboxRef) -> None:
        """Raise `Unsupported` where the sandbox's provider cannot do it."""
        name = ref.provider
        info = installation.registry.provider_info(name)
        can = info.capabilities(installation.settings_of(name))
        if self.capability not in can.native | can.emulated:
            raise Unsupported(
                f"provider {name!r} {self.lacks}",
                provider=name,
                operation=self.operation,
                ref=ref,
                sent="no",
                remedy=self.remedy.format(id=ref.id),
            )


TERMINAL = Need(
    capability="pty",
    operation="pty",
    lacks="has no terminals",
    remedy="run commands without one: echo 'ls -l' | sandbook shell {id}",
)
PORTS = Need(
    capability="ports",
    operation="port",
    lacks="has no way to the ports of its sandboxes",
    remedy="ask from inside: echo 'curl -s localhost:PORT' | sandbook shell {id}",
)
LONGER_LIFE = Need(
    capability="lifetime.extend",
    operation="extend",
    lacks="cannot let its sandboxes live longer",
    remedy="make one that does: write `timeout` below `sandbox` or `create`",
)


@asynccontextmanager
async def open_live(
    installation: Installation,
    where: str | None,
    *,
    metadata: Mapping[str, str] = _ANY,
    need: Need | None = TERMINAL,
) -> AsyncGenerator[Sandbox]:
    """Join the sandbox that is meant, and keep it alive while the block runs.

    Raises:
        UsageError: There is no such sandbox.
        Unsupported: Its provider cannot do what is needed.
    """
    chosen = await _choose(installation, where, metadata)
    if need is not None:
        need.require(installation, chosen.ref)
    async with (
        joined(installation, chosen, resume_paused=True) as (sandbox, use),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_keep_alive, sandbox, use)
        yield sandbox
        tasks.cancel_scope.cancel()


async def _choose(
    installation: Installation, where: str | None, metadata: Mapping[str, str]
) -> LiveSandbox:
    found = await find_live(installation, metadata=metadata)
    tell_silent(found.silent)
    if where is not None:
        return pick(found.sandboxes, where)
    if not found.sandboxes:
        raise nothing_lives(metadata)
    return found.sandboxes[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Our part in a sandbox's reservation; without one the ledger hears nothing."""

    installation: Installation
    reservation: str | None
    name: str

    async def renew(self, until: datetime | None) -> None:
        """We still use it, and it lives until then."""
        if self.reservation is not None:
            ledger = self.installation.ledger
            await ledger.renew(self.reservation, self.name, expires_at=until)

    async def leave(self, sandbox: Sandbox) -> None:
        """It lives on without us, as long as its provider says."""
        if self.reservation is None:
            return
        try:
            until = (await sandbox.info()).expires_at
        except SandbookError:
            until = datetime.now(UTC)
        try:
            ledger = self.installation.ledger
            await ledger.leave(self.reservation, self.name, keep_until=until)
        except LedgerError as error:
            sys.stdout.flush()
            warn(f"warning: {error}")


@asynccontextmanager
async def joined(
    installation: Installation, chosen: LiveSandbox, *, resume_paused: bool
) -> AsyncGenerator[tuple[Sandbox, Use]]:
    """Attach to a sandbox and use its reservation while the block runs."""
    provider = installation.provider(chosen.ref.provider)
    sandbox = await provider.attach(chosen.ref, resume_paused=resume_paused)
    try:
        use = await _join(installation, sandbox)
        try:
            yield sandbox, use
        finally:
            with anyio.CancelScope(shield=True):
                await use.leave(sandbox)
    finally:
        await sandbox.aclose()


async def _join(installation: Installation, sandbox: Sandbox) -> Use:
    name = f"shell-{new_run_id()}"
    reserved: str | None = None
    try:
        reservation = await installation.ledger.by_ref(sandbox.ref)
        if reservation is not None and reservation.is_live:
            await installation.ledger.join(reservation.id, name)
            reserved = reservation.id
    except LedgerError:
        # It costs nothing more that somebody looks in.
        reserved = None
    return Use(installation=installation, reservation=reserved, name=name)


async def _keep_alive(sandbox: Sandbox, use: Use) -> None:
    while True:
        try:
            await use.renew(await sandbox.extend(_LIFETIME))
        except SandbookError:
            # What is typed next fails with a better message than ours.
            return
        await anyio.sleep(_BEAT_S)
