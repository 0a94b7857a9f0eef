"""The tables of the SQLite ledger: numbered migrations that never change again."""

from __future__ import annotations

import sqlite3

from sandbook.errors import LedgerError

_FIRST = (
    "CREATE TABLE version (number INTEGER NOT NULL)",
    "INSERT INTO version VALUES (0)",
    """CREATE TABLE installation (
        row INTEGER PRIMARY KEY CHECK (row = 1),
        id TEXT NOT NULL)""",
    # Made here, where synchronous is still FULL: were it lost with the power, nobody
    # could claim the sandboxes that carry it.
    "INSERT INTO installation VALUES (1, lower(hex(randomblob(8))))",
    """CREATE TABLE counter (
        provider TEXT NOT NULL, period TEXT NOT NULL, meter TEXT NOT NULL,
        used INTEGER NOT NULL DEFAULT 0 CHECK (used >= 0),
        held INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
        PRIMARY KEY (provider, period, meter)) WITHOUT ROWID""",
    """CREATE TABLE reservation (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        provider TEXT NOT NULL, run TEXT NOT NULL, installation TEXT NOT NULL,
        period TEXT NOT NULL, state TEXT NOT NULL,
        seconds INTEGER NOT NULL, charged INTEGER,
        sandbox TEXT, ref TEXT, labels TEXT NOT NULL,
        created_at REAL NOT NULL, lease_until REAL NOT NULL,
        keep_until REAL, expires_at REAL, ended_at REAL)""",
    "CREATE INDEX reservation_sandbox ON reservation (provider, sandbox)",
    """CREATE INDEX reservation_live ON reservation (provider)
        WHERE state IN ('held', 'sent', 'bound', 'uncertain')""",
    """CREATE TABLE user (
        reservation TEXT NOT NULL, run TEXT NOT NULL, process TEXT NOT NULL,
        PRIMARY KEY (reservation, run)) WITHOUT ROWID""",
    """CREATE TABLE event (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL, reservation TEXT NOT NULL, state TEXT NOT NULL,
        provider TEXT NOT NULL, period TEXT NOT NULL, change TEXT NOT NULL)""",
    """CREATE TABLE cool_down (
        provider TEXT PRIMARY KEY, until REAL NOT NULL, reason TEXT NOT NULL)
        WITHOUT ROWID""",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST,)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the database to this version; `db` is in autocommit mode.

    Raises `LedgerError` for a database that is newer, or that is no ledger.
    """
    if _version(db) == len(MIGRATIONS):
        return
    # Readers and one writer at once, and a commit costs no wait for the disk.
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[_version(db) :]:
            for statement in statements:
                db.execute(statement)
        db.execute("UPDATE version SET number = ?", (len(MIGRATIONS),))
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}
    if not tables:
        return 0
    if "version" not in tables or "reservation" not in tables:
        raise LedgerError(
            "the ledger is another program's database",
            remedy="set SANDBOOK_STATE to a folder of your own",
        )
    number = int(db.execute("SELECT number FROM version").fetchone()[0])
    if number > len(MIGRATIONS):
        raise LedgerError(
            f"the ledger has version {number}, this program knows {len(MIGRATIONS)}",
            remedy="update it: pip install --upgrade sandbook",
        )
    return number
