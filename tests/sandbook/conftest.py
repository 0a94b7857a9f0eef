"""What the ledger tests share: a ledger of their own, on a clock of theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbook.ledger import Ledger, SqliteLedger
from tests.sandbook.ledger_walks import Clock


@pytest.fixture
def anyio_backend() -> str:
    """We promise asyncio only."""
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    """The clock that the ledger reads."""
    return Clock()


@pytest.fixture
def ledger_path(tmp_path: Path) -> Path:
    """Where the ledger is."""
    return tmp_path / "ledger.db"


@pytest.fixture
async def ledger(ledger_path: Path, clock: Clock) -> AsyncIterator[Ledger]:
    """A ledger; at the end its counters must agree with its events."""
    opened = SqliteLedger.open(ledger_path, clock=clock)
    yield opened
    assert await opened.verify() == ()
    await opened.aclose()
