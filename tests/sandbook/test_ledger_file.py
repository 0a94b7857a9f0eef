"""The ledger's file: its counters, its damage, and who else holds it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from sandbook.errors import LedgerError
from sandbook.ledger import Ledger, SqliteLedger
from tests.sandbook.ledger_walks import hold, usage, walk

pytestmark = pytest.mark.anyio


async def test_the_installation_keeps_its_name_unless_told_otherwise(
    ledger: Ledger, ledger_path: Path
) -> None:
    name = await ledger.installation()
    assert name
    again = SqliteLedger.open(ledger_path)
    assert await again.installation() == name
    assert (await hold(again)).installation == name
    await again.aclose()
    named = SqliteLedger.open(ledger_path, environ={"SANDBOOK_INSTALLATION": "ci"})
    assert await named.installation() == "ci"
    assert (await hold(named)).installation == "ci"
    await named.aclose()


async def test_wrong_counters_are_told_and_rebuilt_from_the_events(
    ledger: Ledger, ledger_path: Path
) -> None:
    await walk(ledger, "committed")
    await walk(ledger, "bound")
    right = await usage(ledger)
    with closing(sqlite3.connect(ledger_path)) as db, db:
        db.execute("UPDATE counter SET used = 7 WHERE meter = 'sessions'")
        db.execute("DELETE FROM counter WHERE meter = 'concurrent'")
    wrong = await ledger.verify()
    assert [(one.meter, one.period) for one in wrong] == [
        ("concurrent", ""),
        ("sessions", "2025-11"),
    ]
    assert (wrong[1].counter.used, wrong[1].events.used) == (7, 1)
    assert await ledger.rebuild() == wrong
    assert await ledger.verify() == ()
    assert await usage(ledger) == right


@pytest.mark.parametrize(
    "content",
    [b"this is no database, but it is long enough to be one" * 30, b"short"],
    ids=["text", "short"],
)
def test_a_damaged_file_is_told_and_left_alone(
    ledger_path: Path, content: bytes
) -> None:
    ledger_path.write_bytes(content)
    with pytest.raises(LedgerError, match="is damaged") as caught:
        SqliteLedger.open(ledger_path)
    assert str(ledger_path) in str(caught.value)
    assert caught.value.remedy
    assert ledger_path.read_bytes() == content


async def test_damage_inside_the_file_is_told_and_left_alone(
    ledger_path: Path,
) -> None:
    ledger = SqliteLedger.open(ledger_path)
    for _ in range(50):
        await hold(ledger)
    await ledger.aclose()
    content = ledger_path.read_bytes()
    content = content[:4096] + b"\xff" * (len(content) - 4096)
    ledger_path.write_bytes(content)
    with pytest.raises(LedgerError, match="is damaged"):
        ledger = SqliteLedger.open(ledger_path)
    assert ledger_path.read_bytes() == content


def test_another_programs_database_is_refused(ledger_path: Path) -> None:
    with closing(sqlite3.connect(ledger_path)) as db, db:
        db.execute("CREATE TABLE photos (id)")
    with pytest.raises(LedgerError, match="another program's"):
        SqliteLedger.open(ledger_path)
    with closing(sqlite3.connect(ledger_path)) as db:
        tables = db.execute("SELECT name FROM sqlite_schema").fetchall()
    assert tables == [("photos",)]


def test_a_newer_ledger_is_refused_with_the_update(ledger_path: Path) -> None:
    SqliteLedger.open(ledger_path)
    with closing(sqlite3.connect(ledger_path)) as db, db:
        db.execute("UPDATE version SET number = 99")
    with pytest.raises(LedgerError, match="version 99") as caught:
        SqliteLedger.open(ledger_path)
    assert "pip install --upgrade" in caught.value.remedy


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    for ledger_path in (tmp_path, tmp_path / "missing" / "ledger.db"):
        with pytest.raises(LedgerError, match="cannot be used"):
            SqliteLedger.open(ledger_path)


async def test_a_closed_ledger_says_so(ledger_path: Path) -> None:
    ledger = SqliteLedger.open(ledger_path)
    await ledger.aclose()
    await ledger.aclose()
    with pytest.raises(LedgerError, match="cannot be used"):
        await hold(ledger)


async def test_waiting_for_another_process_can_be_cancelled_and_leaves_nothing(
    ledger: Ledger, ledger_path: Path
) -> None:
    with closing(sqlite3.connect(ledger_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with anyio.move_on_after(0.2) as scope:
            await hold(ledger)
        assert scope.cancelled_caught
        other.execute("ROLLBACK")
    assert await ledger.live() == ()


async def test_others_run_on_while_the_ledger_waits_for_its_turn(
    ledger: Ledger, ledger_path: Path
) -> None:
    with closing(sqlite3.connect(ledger_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as group:
            group.start_soon(hold, ledger)
            # Far above the 0.1 s it takes, far below 20 waits inside SQLite.
            with anyio.fail_after(5):
                for _ in range(20):
                    await anyio.sleep(0.005)
            assert await ledger.live() == ()
            other.execute("ROLLBACK")
    assert len(await ledger.live()) == 1


def test_opening_does_not_load_what_it_does_not_use(ledger_path: Path) -> None:
    asked = (
        "import sys; from pathlib import Path;"
        "from sandbook.ledger import SqliteLedger;"
        "SqliteLedger.open(Path(sys.argv[1]));"
        "print(*{'anyio', 'asyncio', 'platformdirs', 'click'} & set(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", asked, str(ledger_path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told == "\n"
