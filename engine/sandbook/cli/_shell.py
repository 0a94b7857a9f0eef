"""Find the sandbox that is meant, keep it alive, and be its terminal."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import anyio

from sandbook.api import Sandbox
from sandbook.cli._live import LiveSandbox, find_live, pick
from sandbook.cli._opening import here
from sandbook.cli._words import warn
from sandbook.errors import LedgerError, SandbookError, Unsupported, UsageError
from sandbook.installation import Installation
from sandbook.state import new_run_id

_LIFETIME = 600.0
_BEAT_S = 30.0


async def open_shell(where: str | None, has_terminal: bool) -> int:  # noqa: FBT001 (anyio.run)
    """The exit code of the shell.

    Raises:
        UsageError: There is no such sandbox.
        Unsupported: Its provider has no terminals.
    """
    async with (
        here() as installation,
        open_live(installation, where, needs_pty=has_terminal) as sandbox,
    ):
        return await _run_in(sandbox, has_terminal=has_terminal)


@asynccontextmanager
async def open_live(
    installation: Installation, where: str | None, *, needs_pty: bool = True
) -> AsyncGenerator[Sandbox]:
    """Join a sandbox that lives, and keep it alive while the block runs.

    Raises:
        UsageError: There is no such sandbox.
        Unsupported: Its provider has no terminals.
    """
    chosen = await _choose(installation, where)
    if needs_pty:
        _refuse_without_pty(installation, chosen)
    provider = installation.provider(chosen.ref.provider)
    sandbox = await provider.attach(chosen.ref, resume_paused=True)
    try:
        async with _in_use(installation, sandbox):
            yield sandbox
    finally:
        await sandbox.aclose()


async def _run_in(sandbox: Sandbox, *, has_terminal: bool) -> int:
    key = f"shell/{new_run_id()}"
    if not has_terminal:
        # Each way loads only what it uses.
        from sandbook.cli._script import run_script

        return await run_script(sandbox, key)
    # As above.
    from sandbook.cli._terminal import be_terminal

    ref = sandbox.ref
    warn(f"in sandbox {ref.id} ({ref.provider}); leave with `exit`")
    return await be_terminal(sandbox, key)


async def _choose(installation: Installation, where: str | None) -> LiveSandbox:
    found = await find_live(installation)
    for name, reason in found.silent:
        warn(f"warning: {name} could not be asked: {reason}")
    if where is not None:
        return pick(found.sandboxes, where)
    if not found.sandboxes:
        raise UsageError(
            "no sandbox lives", remedy="keep one: sandbook run FILE --keep"
        )
    return found.sandboxes[0]


def _refuse_without_pty(installation: Installation, chosen: LiveSandbox) -> None:
    name = chosen.ref.provider
    info = installation.registry.provider_info(name)
    can = info.capabilities(installation.settings_of(name))
    if "pty" not in can.native | can.emulated:
        raise Unsupported(
            f"provider {name!r} has no terminals",
            provider=name,
            operation="pty",
            ref=chosen.ref,
            sent="no",
            remedy="run commands without one: echo 'ls -l' | sandbook shell "
            f"{chosen.ref.id}",
        )


@asynccontextmanager
async def _in_use(installation: Installation, sandbox: Sandbox) -> AsyncGenerator[None]:
    """Keep the sandbox alive, and let no sweep take it for a dead run's."""
    name = f"shell-{new_run_id()}"
    reservation = await _join(installation, sandbox, name)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_alive, installation, sandbox, reservation, name)
            yield
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await _part(installation, sandbox, reservation, name)


async def _join(installation: Installation, sandbox: Sandbox, name: str) -> str | None:
    try:
        reservation = await installation.ledger.by_ref(sandbox.ref)
        if reservation is None or not reservation.is_live:
            return None
        await installation.ledger.join(reservation.id, name)
    except LedgerError:
        return None
    return reservation.id


async def _keep_alive(
    installation: Installation,
    sandbox: Sandbox,
    reservation: str | None,
    name: str,
) -> None:
    while True:
        try:
            until = await sandbox.extend(_LIFETIME)
            if reservation is not None:
                await installation.ledger.renew(reservation, name, expires_at=until)
        except SandbookError:
            # What is typed next fails with a better message than ours.
            return
        await anyio.sleep(_BEAT_S)


async def _part(
    installation: Installation,
    sandbox: Sandbox,
    reservation: str | None,
    name: str,
) -> None:
    if reservation is None:
        return
    try:
        until = (await sandbox.info()).expires_at
    except SandbookError:
        until = datetime.now(UTC)
    try:
        await installation.ledger.leave(reservation, name, keep_until=until)
    except LedgerError as error:
        sys.stdout.flush()
        warn(f"warning: {error}")
