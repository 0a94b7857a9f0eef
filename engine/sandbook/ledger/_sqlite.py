"""The ledger in one SQLite file, shared by every process of one user.

Decides how a transaction waits for its turn and what a broken database means. Work
runs on the calling thread: without contention a transaction takes 0.1 to 0.4 ms
(measured), a thread would add 0.1 ms and could not be cancelled. SQLite itself never
waits here; a taken lock is asked for again from the event loop.
"""

from __future__ import annotations

import math
import random
import sqlite3
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Self, TypeVar

from sandbook.api import SandboxRef
from sandbook.errors import LedgerError
from sandbook.ledger._books import Books, Wanted
from sandbook.ledger._rows import aware, seconds_of
from sandbook.ledger._schema import migrate
from sandbook.ledger._types import (
    LEASE_S,
    CoolDown,
    Difference,
    Limits,
    Meter,
    Reservation,
    Usage,
)
from sandbook.state import is_alive

Answer = TypeVar("Answer")

_PATIENCE_S = 20.0
_LONGEST_PAUSE_S = 0.025
_SHORTEST_PAUSE_S = 0.001
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class SqliteLedger:
    """A `Ledger` in one file; use it from one event loop at a time."""

    def __init__(
        self,
        db: sqlite3.Connection,
        path: Path,
        *,
        installation: str,
        clock: Callable[[], float],
    ) -> None:
        self._db = db
        self._path = path
        self._installation = installation
        self._clock = clock

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Open the file, or make it; `SANDBOOK_INSTALLATION` of `environ` overrides.

        `clock` tells seconds after 1970. Raises `LedgerError`; a file that cannot be
        read is never changed.
        """
        try:
            db = _connect(path)
        except sqlite3.Error as error:
            raise _told(error, path) from error
        try:
            named = (environ or {}).get("SANDBOOK_INSTALLATION")
            row = db.execute("SELECT id FROM installation").fetchone()
        except sqlite3.Error as error:
            db.close()
            raise _told(error, path) from error
        return cls(db, path, installation=named or str(row[0]), clock=clock)

    async def aclose(self) -> None:
        self._db.close()

    async def installation(self) -> str:
        return self._installation

    async def period(self) -> str:
        return await self._ask(lambda books: books.period())

    async def reserve(
        self,
        provider: str,
        run: str,
        *,
        limits: Limits,
        seconds: float,
        lease: float = LEASE_S,
        labels: Mapping[str, str] | None = None,
    ) -> Reservation:
        wanted = Wanted(
            provider=provider,
            run=run,
            installation=self._installation,
            limits=limits,
            seconds=math.ceil(seconds),
            lease=lease,
            labels=labels or {},
        )
        return await self._do(lambda books: books.reserve(wanted))

    async def sent(self, id: str) -> Reservation:
        return await self._do(lambda books: books.sent(id))

    async def bound(
        self, id: str, ref: SandboxRef, *, expires_at: datetime | None = None
    ) -> Reservation:
        return await self._do(lambda books: books.bound(id, ref, expires_at))

    async def released(self, id: str) -> Reservation:
        return await self._do(lambda books: books.released(id))

    async def uncertain(self, id: str) -> Reservation:
        return await self._do(lambda books: books.uncertain(id))

    async def committed(self, id: str, *, ended_at: datetime) -> Reservation:
        return await self._do(lambda books: books.committed(id, ended_at))

    async def renew(
        self,
        id: str,
        run: str,
        *,
        lease: float = LEASE_S,
        expires_at: datetime | None = None,
    ) -> Reservation:
        return await self._do(
            lambda books: books.renew(id, run, lease=lease, expires_at=expires_at)
        )

    async def join(self, id: str, run: str, *, lease: float = LEASE_S) -> Reservation:
        return await self._do(lambda books: books.join(id, run, lease=lease))

    async def leave(
        self, id: str, run: str, *, keep_until: datetime | None = None
    ) -> Reservation:
        return await self._do(lambda books: books.leave(id, run, keep_until))

    async def expired(self) -> tuple[Reservation, ...]:
        over = await self._ask(lambda books: books.expired())
        return tuple(
            reservation
            for reservation in over
            if not any(is_alive(user.process) for user in reservation.users)
        )

    async def get(self, id: str) -> Reservation | None:
        return await self._ask(lambda books: books.get(id))

    async def by_ref(self, ref: SandboxRef) -> Reservation | None:
        return await self._ask(lambda books: books.by_ref(ref))

    async def find(self, labels: Mapping[str, str]) -> tuple[Reservation, ...]:
        live = await self.live()
        return tuple(
            reservation
            for reservation in live
            if reservation.state == "bound"
            and labels.items() <= reservation.labels.items()
        )

    async def live(self, provider: str | None = None) -> tuple[Reservation, ...]:
        return await self._ask(lambda books: books.live(provider))

    async def usage(
        self, provider: str, period: str | None = None
    ) -> Mapping[Meter, Usage]:
        return await self._ask(
            lambda books: books.usage(provider, period or books.period())
        )

    async def cool_down(self, provider: str, until: datetime, *, reason: str) -> None:
        row = (provider, seconds_of(until), reason)
        await self._do(
            lambda books: books.db.execute(
                "INSERT OR REPLACE INTO cool_down (provider, until, reason)"
                " VALUES (?, ?, ?)",
                row,
            )
        )

    async def cooled_down(self, provider: str) -> CoolDown | None:
        row: tuple[float, str] | None = await self._ask(
            lambda books: books.db.execute(
                "SELECT until, reason FROM cool_down WHERE provider = ? AND until > ?",
                (provider, books.now),
            ).fetchone()
        )
        if row is None:
            return None
        return CoolDown(provider=provider, until=aware(row[0]), reason=row[1])

    async def verify(self) -> tuple[Difference, ...]:
        return await self._ask(lambda books: books.verify())

    async def rebuild(self) -> tuple[Difference, ...]:
        return await self._do(lambda books: books.rebuild())

    async def _ask(self, work: Callable[[Books], Answer]) -> Answer:
        """Run `work`, which only reads, on one state of the books."""
        return await self._transact(work, begin="BEGIN")

    async def _do(self, work: Callable[[Books], Answer]) -> Answer:
        """Run `work` alone: nobody else writes between its statements."""
        return await self._transact(work, begin="BEGIN IMMEDIATE")

    async def _transact(self, work: Callable[[Books], Answer], *, begin: str) -> Answer:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._attempt(work, begin=begin)
            except sqlite3.Error as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise _told(error, self._path) from error
            from anyio import sleep  # 20 ms to load, and needed under contention only

            await sleep(random.uniform(_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S))

    def _attempt(self, work: Callable[[Books], Answer], *, begin: str) -> Answer:
        self._db.execute(begin)
        try:
            answer = work(Books(db=self._db, now=self._clock()))
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return answer


def _connect(path: Path) -> sqlite3.Connection:
    """Open and migrate; only the very first opening of a file can have to wait."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        db = sqlite3.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            migrate(db)
            (mode,) = db.execute("PRAGMA journal_mode").fetchone()
        except BaseException as error:
            db.close()
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
        else:
            if mode == "wal":
                # A killed process loses nothing; a power cut can lose the last
                # transactions, never the file's order. What they reserved is found
                # again by its label, so a wait for the disk in every step buys little.
                db.execute("PRAGMA synchronous = NORMAL")
            return db
        time.sleep(random.uniform(_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S))


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and _code(error) in _BUSY


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; the high bytes only refine it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _told(error: sqlite3.Error, path: Path) -> LedgerError:
    code = _code(error)
    if code in _BUSY:
        return LedgerError(
            f"the ledger {str(path)!r} stayed locked for {_PATIENCE_S:.0f} s",
            remedy="end the process that holds it open, then try again",
        )
    if code in _BROKEN:
        return LedgerError(
            f"the ledger {str(path)!r} is damaged: {error}",
            remedy="move it away, or restore a copy; it was not changed."
            " What it counted is lost with it",
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return LedgerError(
            f"the counters of the ledger {str(path)!r} are wrong: {error}",
            remedy="rebuild them from the ledger's events",
        )
    return LedgerError(
        f"the ledger {str(path)!r} cannot be used: {error}",
        remedy="check that the folder is yours and the disk has room,"
        " or set SANDBOOK_STATE",
    )
