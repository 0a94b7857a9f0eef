"""The ledger's picture: which step may follow which, and what each one charges."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbook.errors import LedgerError, QuotaExhausted
from sandbook.ledger import (
    ARROWS,
    RESERVATION_STATES,
    Ledger,
    Limits,
    ReservationState,
    Usage,
)
from tests.sandbook.ledger_walks import (
    NOVEMBER,
    WAYS,
    Clock,
    hold,
    ref,
    step,
    usage,
    walk,
)

pytestmark = pytest.mark.anyio


ALLOWED = {
    ("held", "sent"),
    ("held", "released"),
    ("sent", "bound"),
    ("sent", "uncertain"),
    ("bound", "committed"),
    ("bound", "uncertain"),
    ("uncertain", "bound"),
    ("uncertain", "released"),
    ("uncertain after bound", "bound"),
    ("uncertain after bound", "committed"),
}
STEPS = [(way, to) for way in WAYS for to in RESERVATION_STATES if to != "held"]


def events(ledger_path: Path) -> list[str]:
    with closing(sqlite3.connect(ledger_path)) as db:
        return [state for (state,) in db.execute("SELECT state FROM event")]


@pytest.mark.parametrize(("way", "to"), STEPS)
async def test_only_the_steps_of_the_picture_are_taken(
    ledger: Ledger, ledger_path: Path, way: str, to: ReservationState
) -> None:
    before = await walk(ledger, way)
    told, counted = events(ledger_path), await usage(ledger)
    if before.state == to:
        assert await step(ledger, before.id, to) == before
    elif (way, to) in ALLOWED:
        assert (await step(ledger, before.id, to)).state == to
        assert events(ledger_path) == [*told, to]
        return
    else:
        with pytest.raises(LedgerError, match=f"{before.id}.*cannot become '{to}'"):
            await step(ledger, before.id, to)
    assert await ledger.get(before.id) == before
    assert events(ledger_path) == told
    assert await usage(ledger) == counted


def test_the_arrows_are_those_of_the_picture() -> None:
    arrows = {(now, to) for now, targets in ARROWS.items() for to in targets}
    assert arrows == {(way.split()[0], to) for way, to in ALLOWED}


@pytest.mark.parametrize(
    ("way", "sessions", "seconds", "concurrent"),
    [
        ("held", (0, 1), (0, 600), (0, 1)),
        ("sent", (0, 1), (0, 600), (0, 1)),
        ("bound", (0, 1), (0, 600), (0, 1)),
        ("uncertain", (0, 1), (0, 600), (0, 1)),
        ("uncertain after bound", (0, 1), (0, 600), (0, 1)),
        ("released", (0, 0), (0, 0), (0, 0)),
        ("committed", (1, 0), (91, 0), (0, 0)),
    ],
)
async def test_each_state_counts_what_it_should(
    ledger: Ledger,
    way: str,
    sessions: tuple[int, int],
    seconds: tuple[int, int],
    concurrent: tuple[int, int],
) -> None:
    await walk(ledger, way)
    assert await usage(ledger) == {
        "sessions": sessions,
        "seconds": seconds,
        "concurrent": concurrent,
    }


async def test_a_second_end_does_not_charge_again(ledger: Ledger) -> None:
    done = await walk(ledger, "committed")
    later = await ledger.committed(done.id, ended_at=NOVEMBER + timedelta(days=1))
    assert (later, later.charged) == (done, 91)


async def test_clocks_that_disagree_never_charge_less_than_nothing(
    ledger: Ledger,
) -> None:
    bound = await walk(ledger, "bound")
    early = NOVEMBER - timedelta(hours=1)
    assert (await ledger.committed(bound.id, ended_at=early)).charged == 0


async def test_a_sandbox_that_outlived_its_reservation_is_charged_whole(
    ledger: Ledger,
) -> None:
    bound = await walk(ledger, "bound")
    ended = NOVEMBER + timedelta(hours=2)
    assert (await ledger.committed(bound.id, ended_at=ended)).charged == 7200


async def test_a_reservation_never_holds_a_second_sandbox(ledger: Ledger) -> None:
    bound = await walk(ledger, "bound")
    with pytest.raises(LedgerError, match="bound to 'box', not to 'other'"):
        await ledger.bound(bound.id, ref("other"))
    await ledger.uncertain(bound.id)
    with pytest.raises(LedgerError, match="bound to 'box', not to 'other'"):
        await ledger.bound(bound.id, ref("other"))
    with pytest.raises(LedgerError, match="not for a sandbox of 'daytona'"):
        await ledger.bound(bound.id, ref(provider="daytona"))


async def test_an_unknown_reservation_is_an_error(ledger: Ledger) -> None:
    for call in (ledger.sent, ledger.released, ledger.uncertain):
        with pytest.raises(LedgerError, match="no reservation 'nothing'"):
            await call("nothing")
    assert await ledger.get("nothing") is None


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(sessions=2), "2 sessions in 2025-11: 1 used, 1 held, 1 more"),
        (Limits(seconds=700), "700 seconds in 2025-11: 91 used, 600 held, 600 more"),
        (Limits(concurrent=1), "1 sandboxes at once: 0 used, 1 held, 1 more"),
        (Limits(sessions=0), "'e2b' is disabled"),
    ],
    ids=["sessions", "seconds", "concurrent", "disabled"],
)
async def test_a_full_meter_refuses_and_takes_nothing(
    ledger: Ledger, limits: Limits, told: str
) -> None:
    await walk(ledger, "committed")
    await walk(ledger, "bound")
    counted = await usage(ledger)
    with pytest.raises(QuotaExhausted) as caught:
        await hold(ledger, limits)
    assert told in str(caught.value)
    assert "raise QUOTA_E2B_MONTHLY" in caught.value.remedy
    assert (caught.value.provider, caught.value.sent) == ("e2b", "no")
    assert await usage(ledger) == counted


async def test_the_refusal_names_where_the_limit_is_written(ledger: Ledger) -> None:
    limits = Limits(seconds=1, sources={"seconds": "quotas.e2b.seconds"})
    with pytest.raises(QuotaExhausted) as caught:
        await hold(ledger, limits)
    assert caught.value.remedy.startswith("raise quotas.e2b.seconds")


async def test_a_new_limit_holds_from_the_next_question(ledger: Ledger) -> None:
    await hold(ledger, Limits(sessions=1))
    with pytest.raises(QuotaExhausted):
        await hold(ledger, Limits(sessions=1))
    await hold(ledger, Limits(sessions=2))


async def test_a_month_pays_for_what_was_reserved_in_it(
    ledger: Ledger, clock: Clock
) -> None:
    clock.at = datetime(2025, 11, 30, 23, 59, 59, tzinfo=UTC)
    old = await walk(ledger, "bound")
    with pytest.raises(QuotaExhausted, match="2025-11"):
        await hold(ledger, Limits(sessions=1))
    clock.forward(seconds=1)
    assert (await hold(ledger, Limits(sessions=1))).period == "2025-12"
    await ledger.committed(old.id, ended_at=clock.at + timedelta(days=1))
    november = await ledger.usage("e2b", "2025-11")
    assert november["sessions"] == Usage(used=1)
    assert november["seconds"].used == 11 * 86_400 + 12 * 3600
    assert (await ledger.usage("e2b"))["sessions"] == Usage(held=1)


async def test_what_lives_over_the_months_end_still_counts_as_live(
    ledger: Ledger, clock: Clock
) -> None:
    await walk(ledger, "bound")
    clock.forward(days=20)
    with pytest.raises(QuotaExhausted, match="at once"):
        await hold(ledger, Limits(concurrent=1))


async def test_a_clock_set_back_does_not_open_an_old_month(
    ledger: Ledger, clock: Clock
) -> None:
    clock.at = datetime(2025, 12, 1, tzinfo=UTC)
    await hold(ledger)
    clock.at = datetime(2025, 11, 30, tzinfo=UTC)
    assert await ledger.period() == "2025-12"
    with pytest.raises(QuotaExhausted, match="2025-12"):
        await hold(ledger, Limits(sessions=1))


async def test_the_month_is_that_of_utc(ledger: Ledger, clock: Clock) -> None:
    east = datetime.fromisoformat("2025-12-01T05:00:00+09:00")
    clock.at = east
    assert await ledger.period() == "2025-11"


async def test_a_cool_down_ends_by_itself_or_is_lifted(
    ledger: Ledger, clock: Clock
) -> None:
    assert await ledger.cooled_down("e2b") is None
    until = clock.at + timedelta(minutes=5)
    await ledger.cool_down("e2b", until, reason="503")
    found = await ledger.cooled_down("e2b")
    assert found
    assert (found.until, found.reason) == (until, "503")
    assert await ledger.cooled_down("daytona") is None
    clock.forward(minutes=5)
    assert await ledger.cooled_down("e2b") is None
    await ledger.cool_down("e2b", clock.at + timedelta(days=1), reason="401")
    await ledger.cool_down("e2b", clock.at, reason="new key")
    assert await ledger.cooled_down("e2b") is None
