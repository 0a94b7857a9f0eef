"""Let sandboxes live longer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbook.cli._joining import LONGER_LIFE, joined
from sandbook.cli._live import LiveSandbox, choose
from sandbook.cli._opening import here
from sandbook.cli._words import instant, say, warn
from sandbook.errors import SandbookError, SpecRejected
from sandbook.installation import Installation


async def extend_all(
    ids: Sequence[str], metadata: Mapping[str, str], lifetime: float
) -> int:
    """0, or the exit code of the first error; one that cannot hinders no other."""
    codes: list[int] = []
    async with here() as installation:
        for each in await choose(installation, ids, metadata):
            try:
                await _extend(installation, each, lifetime)
            except SandbookError as error:
                warn(f"error: {error}", *(f"  {x}" for x in error.remedy.splitlines()))
                codes.append(error.exit_code)
    return next(iter(codes), 0)


async def _extend(
    installation: Installation, chosen: LiveSandbox, lifetime: float
) -> None:
    LONGER_LIFE.require(installation, chosen.ref)
    _refuse_paused(chosen)
    async with joined(installation, chosen, resume_paused=False) as (sandbox, use):
        until = await sandbox.extend(lifetime)
        await use.renew(until)
    say(f"sandbox {chosen.ref.id}: lives until {instant(until)}")


def _refuse_paused(chosen: LiveSandbox) -> None:
    """To be given more time it would have to run, which nobody asked for."""
    if chosen.state == "paused":
        raise SpecRejected(
            f"sandbox {chosen.ref.id} is paused",
            provider=chosen.ref.provider,
            operation="extend",
            ref=chosen.ref,
            sent="no",
            remedy=f"let it go on first: sandbook shell {chosen.ref.id}",
        )
