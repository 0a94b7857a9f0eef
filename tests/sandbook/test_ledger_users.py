"""Who speaks for a sandbox: leases, users, what is kept, and how it is found."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from sandbook.errors import LedgerError
from sandbook.ledger import Ledger, Reservation
from tests.sandbook.ledger_walks import (
    NOVEMBER,
    UNLIMITED,
    WAYS,
    Clock,
    hold,
    ref,
    usage,
    walk,
)

pytestmark = pytest.mark.anyio


GONE = """
import asyncio, sys
from pathlib import Path
from sandbook.ledger import SqliteLedger
async def main():
    ledger = SqliteLedger.open(Path(sys.argv[1]), clock=lambda: float(sys.argv[2]))
    await ledger.join(sys.argv[3], sys.argv[4])
asyncio.run(main())
"""


async def leave_it_to_a_dead_process(
    ledger_path: Path, clock: Clock, reservation: Reservation, run: str = "run"
) -> None:
    """Another process speaks for the run last, and ends."""
    arguments = [str(ledger_path), str(clock()), reservation.id, run]
    await anyio.run_process([sys.executable, "-c", GONE, *arguments])


async def test_a_lease_that_nobody_renews_runs_out_with_its_process(
    ledger: Ledger, ledger_path: Path, clock: Clock
) -> None:
    lost = await walk(ledger, "bound")
    await leave_it_to_a_dead_process(ledger_path, clock, lost)
    clock.forward(seconds=119)
    assert await ledger.expired() == ()
    clock.forward(seconds=1)
    assert [one.id for one in await ledger.expired()] == [lost.id]


async def test_a_process_that_is_seen_alive_is_not_dead_whatever_its_lease(
    ledger: Ledger, ledger_path: Path, clock: Clock
) -> None:
    asleep = await walk(ledger, "bound")
    await leave_it_to_a_dead_process(ledger_path, clock, asleep, "another")
    clock.forward(days=3)
    assert await ledger.expired() == ()


async def test_a_renewed_lease_lasts(
    ledger: Ledger, ledger_path: Path, clock: Clock
) -> None:
    kept = await walk(ledger, "bound")
    clock.forward(seconds=100)
    ends = clock.at + timedelta(minutes=10)
    renewed = await ledger.renew(kept.id, "run", expires_at=ends)
    assert renewed.lease_until == clock.at + timedelta(seconds=120)
    assert renewed.expires_at == ends
    await leave_it_to_a_dead_process(ledger_path, clock, kept)
    clock.forward(seconds=119)
    assert await ledger.expired() == ()


async def test_only_a_user_renews(ledger: Ledger) -> None:
    held = await hold(ledger)
    with pytest.raises(LedgerError, match="'stranger' is no user"):
        await ledger.renew(held.id, "stranger")


async def test_a_late_renewal_learns_that_all_is_over(ledger: Ledger) -> None:
    done = await walk(ledger, "committed")
    assert await ledger.renew(done.id, "run") == done


async def test_a_run_that_attaches_becomes_a_user_and_reserves_nothing(
    ledger: Ledger,
) -> None:
    bound = await walk(ledger, "bound")
    counted = await usage(ledger)
    joined = await ledger.join(bound.id, "second")
    assert [user.run for user in joined.users] == ["run", "second"]
    assert {user.process.pid for user in joined.users} == {os.getpid()}
    assert await ledger.join(bound.id, "second") == joined
    assert await usage(ledger) == counted
    left = await ledger.leave(bound.id, "run")
    assert [user.run for user in left.users] == ["second"]
    assert left.lease_until == joined.lease_until


async def test_nobody_joins_what_is_over(ledger: Ledger) -> None:
    done = await walk(ledger, "committed")
    with pytest.raises(LedgerError, match="its sandbox is gone"):
        await ledger.join(done.id, "second")


async def test_what_the_last_user_keeps_is_safe_until_then(
    ledger: Ledger, clock: Clock
) -> None:
    bound = await walk(ledger, "bound")
    until = clock.at + timedelta(hours=2)
    left = await ledger.leave(bound.id, "run", keep_until=until)
    assert (left.users, left.keep_until) == ((), until)
    clock.forward(hours=1, minutes=59)
    assert await ledger.expired() == ()
    clock.forward(minutes=1)
    assert [one.id for one in await ledger.expired()] == [bound.id]


async def test_what_nobody_keeps_is_expired_at_once(ledger: Ledger) -> None:
    bound = await walk(ledger, "bound")
    await ledger.leave(bound.id, "run")
    assert [one.id for one in await ledger.expired()] == [bound.id]


async def test_a_later_user_does_not_shorten_what_an_earlier_one_keeps(
    ledger: Ledger, ledger_path: Path, clock: Clock
) -> None:
    bound = await walk(ledger, "bound")
    until = clock.at + timedelta(hours=2)
    await ledger.leave(bound.id, "run", keep_until=until)
    for earlier in (None, until - timedelta(hours=1)):
        await ledger.join(bound.id, "second")
        left = await ledger.leave(bound.id, "second", keep_until=earlier)
        assert left.keep_until == until
    await leave_it_to_a_dead_process(ledger_path, clock, bound, "third")
    clock.forward(hours=1)
    assert await ledger.expired() == ()


async def test_leaving_twice_changes_nothing(ledger: Ledger, clock: Clock) -> None:
    bound = await walk(ledger, "bound")
    until = clock.at + timedelta(hours=2)
    left = await ledger.leave(bound.id, "run", keep_until=until)
    clock.forward(hours=1)
    later = clock.at + timedelta(days=9)
    assert await ledger.leave(bound.id, "run", keep_until=later) == left


async def test_a_clock_set_back_leaves_new_leases_their_length(
    ledger: Ledger, clock: Clock
) -> None:
    await hold(ledger)
    clock.forward(days=-1)
    assert (await hold(ledger)).lease_until == clock.at + timedelta(seconds=120)


async def test_a_sandbox_is_found_by_its_labels_newest_first(ledger: Ledger) -> None:
    made: list[str] = []
    for number in range(3):
        labels = {"team": "web", "number": str(number)}
        one = await ledger.reserve(
            "e2b", "run", limits=UNLIMITED, seconds=1, labels=labels
        )
        await ledger.sent(one.id)
        await ledger.bound(one.id, ref(f"box{number}"))
        made.insert(0, one.id)
    await ledger.committed(made[0], ended_at=NOVEMBER)
    await ledger.reserve(
        "e2b", "run", limits=UNLIMITED, seconds=1, labels={"team": "web"}
    )
    assert [one.id for one in await ledger.find({"team": "web"})] == made[1:]
    found = await ledger.find({"team": "web", "number": "0"})
    assert [one.id for one in found] == made[2:]
    assert await ledger.find({"team": "web", "number": "7"}) == ()


async def test_a_sandbox_is_found_by_its_reference(ledger: Ledger) -> None:
    ends = NOVEMBER + timedelta(minutes=10)
    held = await hold(ledger)
    await ledger.sent(held.id)
    bound = await ledger.bound(held.id, ref(), expires_at=ends)
    assert (bound.ref, bound.expires_at) == (ref(), ends)
    assert await ledger.by_ref(ref()) == bound
    assert await ledger.by_ref(ref("other")) is None
    assert await ledger.by_ref(ref(provider="daytona")) is None


async def test_live_lists_what_counts(ledger: Ledger) -> None:
    ways = {way: (await walk(ledger, way)).id for way in WAYS}
    await hold(ledger, provider="daytona")
    live = [one.id for one in await ledger.live("e2b")]
    settled = {ways["released"], ways["committed"]}
    assert live == [one for one in reversed(ways.values()) if one not in settled]
    assert len(await ledger.live()) == len(live) + 1
