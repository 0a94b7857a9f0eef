"""Whatever is done in whatever order, the counters are the sum of the events."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbook.errors import LedgerError, QuotaExhausted
from sandbook.ledger import METERS, Ledger, Limits, Meter, SqliteLedger
from tests.sandbook.ledger_walks import NOVEMBER, Clock, ref

PROVIDERS = ("daytona", "e2b")
LIMITS = Limits(sessions=6, seconds=400, concurrent=4)
ACTIONS = (
    *("reserve", "sent", "sent", "bound", "bound", "committed", "committed"),
    *("released", "uncertain", "renew", "join", "leave", "clock"),
)
Move = tuple[str, int, int]
MOVES = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.integers(min_value=0, max_value=3),
        st.integers(min_value=-40, max_value=40),
    ),
    min_size=30,
    max_size=80,
)


@dataclass
class Play:
    """A ledger, and the reservations a random walk made in it."""

    ledger: Ledger
    clock: Clock = field(default_factory=Clock)
    ids: list[str] = field(default_factory=list[str])

    async def move(self, move: Move) -> None:
        action, which, number = move
        if action == "clock":
            self.clock.forward(days=number)
        elif action == "reserve":
            await self.reserve(PROVIDERS[which % 2], seconds=abs(number) + 0.5)
        elif self.ids:
            await self.change(action, self.ids[-1 - which % len(self.ids)], number)

    async def reserve(self, provider: str, *, seconds: float) -> None:
        held = await self.ledger.reserve(
            provider, "run", limits=LIMITS, seconds=seconds
        )
        self.ids.append(held.id)

    async def change(self, action: str, id: str, number: int) -> None:
        at = NOVEMBER + timedelta(seconds=number)
        if action in ("renew", "join", "leave"):
            await getattr(self.ledger, action)(id, "run")
        elif action == "bound":
            known = await self.ledger.get(id)
            assert known
            # One time in eight, a sandbox that is not the reservation's.
            box = "other" if number % 8 == 0 else "box"
            await self.ledger.bound(id, ref(box, known.provider))
        elif action == "committed":
            await self.ledger.committed(id, ended_at=at)
        else:
            await getattr(self.ledger, action)(id)

    async def check(self) -> None:
        assert await self.ledger.verify() == ()
        expected: Counter[tuple[str, str, Meter]] = Counter()
        for made in self.ids:
            one = await self.ledger.get(made)
            assert one
            expected[one.provider, one.period, "seconds"] += one.charged or 0
            expected[one.provider, one.period, "sessions"] += one.state == "committed"
        for provider in PROVIDERS:
            await self.check_provider(provider, expected)

    async def check_provider(
        self, provider: str, expected: Counter[tuple[str, str, Meter]]
    ) -> None:
        """Counters equal what the reservations themselves add up to."""
        live = await self.ledger.live(provider)
        periods = {period for name, period, _ in expected if name == provider}
        assert len(live) <= (LIMITS.concurrent or 0)
        for period in periods:
            usage = await self.ledger.usage(provider, period)
            own = [one for one in live if one.period == period]
            assert usage["sessions"].held == len(own)
            assert usage["seconds"].held == sum(one.seconds for one in own)
            assert usage["concurrent"].held == len(live)
            assert usage["concurrent"].used == 0
            for meter in ("seconds", "sessions"):
                assert usage[meter].used == expected[provider, period, meter]
            assert usage["sessions"].used + usage["sessions"].held <= 6
            assert all(min(usage[m].used, usage[m].held) >= 0 for m in METERS)


async def play(path: Path, moves: list[Move]) -> None:
    clock = Clock()
    ledger = SqliteLedger.open(path, clock=clock)
    game = Play(ledger=ledger, clock=clock)
    for move in moves:
        try:
            await game.move(move)
        except QuotaExhausted:
            pass
        except LedgerError as refusal:
            # A refused step is part of the game, a counter below zero is not.
            if "counters" in refusal.message:
                raise
        await game.check()
    before = [await ledger.usage(provider) for provider in PROVIDERS]
    assert await ledger.rebuild() == ()
    assert [await ledger.usage(provider) for provider in PROVIDERS] == before
    await ledger.aclose()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MOVES)
def test_counters_are_the_sum_of_the_events_after_any_moves(moves: list[Move]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        anyio.run(play, Path(folder) / "ledger.db", moves)
