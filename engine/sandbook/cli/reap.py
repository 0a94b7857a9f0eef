"""`sandbook reap`: an end for what dead runs left behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sandbook.errors import SandbookError

if TYPE_CHECKING:
    from sandbook.installation import Installation
    from sandbook.sweep import Leftovers

TEARDOWN_FAILED = 5


@click.command(short_help="End what dead runs left behind.")
@click.option("--yes", is_flag=True, help="Do it; without, say what would be done.")
def reap(*, yes: bool) -> int:
    """End what dead runs of this installation left behind."""
    # Asking providers is not needed for `--help`.
    import anyio

    return anyio.run(_reap, yes)


async def _reap(really: bool) -> int:  # noqa: FBT001 (anyio.run)
    # As above.
    from sandbook.cli._opening import here
    from sandbook.cli._words import say, warn
    from sandbook.sweep import find_leftovers

    async with here() as installation:
        left = await find_leftovers(installation)
        for name, reason in left.silent:
            warn(f"warning: {name} could not be asked: {reason}")
        say(*_patience(left))
        if left.is_empty:
            if not left.pending:
                say("nothing is left behind")
            return 0
        if really:
            return await _end_all(installation, left)
        say(*_promises(left), "do it: sandbook reap --yes")
        return 0


def _patience(left: Leftovers) -> Iterator[str]:
    # As above.
    from sandbook.cli._words import instant

    for each in left.pending:
        what = f"sandbox {each.ref.id}" if each.ref else f"reservation {each.id}"
        until = instant(each.lease_until)
        yield f"{what} of run {each.run} is given up at {until}, and not before"
        if each.ref:
            yield f"  end it now: sandbook sandboxes kill {each.ref.id}"


def _promises(left: Leftovers) -> Iterator[str]:
    # As above.
    from sandbook.cli._words import counted, instant
    from sandbook.sweep import RUN

    for info in left.sandboxes:
        run = info.labels.get(RUN, "?")
        about = f"{info.ref.provider}, run {run}, {instant(info.ref.created_at)}"
        yield f"would end sandbox {info.ref.id} ({about})"
    if left.reservations:
        yield f"would settle {counted(len(left.reservations), 'reservation')}"
    if left.folders:
        yield f"would remove {counted(left.folders, 'folder')} of sandboxes that ended"


async def _end_all(installation: Installation, left: Leftovers) -> int:
    # As above.
    from sandbook.cli._words import counted, say, warn
    from sandbook.listing import ASK_S
    from sandbook.sweep import end_sandbox, sweep

    # First: it binds what a lost reply left open, so that its end can be charged.
    swept = await sweep(installation, limit=ASK_S)
    said = {reason for _, reason in left.silent}
    for note in swept.notes:
        if note not in said:
            warn(f"warning: {note}")
    failed = 0
    for info in left.sandboxes:
        try:
            await end_sandbox(installation, info.ref)
        except SandbookError as error:
            failed += 1
            warn(f"error: sandbox {info.ref.id} lives on: {error}")
        else:
            say(f"ended sandbox {info.ref.id}")
    if swept.settled:
        say(f"settled {counted(swept.settled, 'reservation')}")
    if swept.folders:
        say(f"removed {counted(swept.folders, 'folder')} of sandboxes that ended")
    return TEARDOWN_FAILED if failed else 0
