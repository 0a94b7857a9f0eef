"""The ledger's statements in SQLite, each inside a transaction of its caller."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sandbook.api import SandboxRef
from sandbook.errors import LedgerError
from sandbook.ledger._rows import (
    CounterKey,
    Parameter,
    aware,
    counter_key,
    read_reservation,
    read_user,
    seconds_of,
)
from sandbook.ledger._states import (
    check_arrow,
    check_same_sandbox,
    counter_period,
    exhausted,
    lived_seconds,
    meters_of,
    settlement,
)
from sandbook.ledger._types import (
    METERS,
    Difference,
    Limits,
    Meter,
    Reservation,
    ReservationState,
    Usage,
)
from sandbook.state import process_identity

_LIVE = """SELECT id FROM reservation
    WHERE state IN ('held', 'sent', 'bound', 'uncertain')
    AND (:provider IS NULL OR provider = :provider) ORDER BY seq DESC"""
_EXPIRED = """SELECT id FROM reservation
    WHERE state IN ('held', 'sent', 'bound', 'uncertain')
    AND lease_until <= :now AND (keep_until IS NULL OR keep_until <= :now)
    ORDER BY seq"""
_BY_REF = """SELECT id FROM reservation
    WHERE provider = :provider AND sandbox = :sandbox ORDER BY seq DESC LIMIT 1"""
_INSERT = """INSERT INTO reservation (id, provider, run, installation, period, state,
        seconds, labels, created_at, lease_until)
    VALUES (:id, :provider, :run, :installation, :period, 'held',
        :seconds, :labels, :now, :lease_until)"""
_MOVE = """UPDATE reservation SET state = :to, sandbox = COALESCE(:sandbox, sandbox),
        ref = COALESCE(:ref, ref), expires_at = COALESCE(:expires_at, expires_at),
        ended_at = :ended_at, charged = :charged
    WHERE id = :id AND state = :now"""
_COUNTER = """INSERT OR IGNORE INTO counter (provider, period, meter)
    VALUES (:provider, :period, :meter)"""
_TAKE = """UPDATE counter SET held = held + :more
    WHERE provider = :provider AND period = :period AND meter = :meter
    AND (:most IS NULL OR used + held + :more <= :most)"""
_CHANGE = """UPDATE counter SET used = used + :used, held = held + :held
    WHERE provider = :provider AND period = :period AND meter = :meter"""
_RENEW = """UPDATE reservation SET lease_until = :lease_until,
        expires_at = COALESCE(:expires_at, expires_at)
    WHERE id = :id AND state IN ('held', 'sent', 'bound', 'uncertain')"""
# SQLite's two-argument MAX is NULL when either is; hence the inner COALESCE.
_LEAVE = """UPDATE reservation SET
        keep_until = MAX(
            COALESCE(keep_until, :keep_until), COALESCE(:keep_until, keep_until)),
        lease_until = CASE WHEN EXISTS (SELECT 1 FROM user WHERE reservation = :id)
            THEN lease_until ELSE :now END
    WHERE id = :id"""
_JOIN = """INSERT INTO user (reservation, run, process) VALUES (:id, :run, :process)
    ON CONFLICT (reservation, run) DO UPDATE SET process = excluded.process"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a run asks to reserve; `seconds` are whole, `lease` in seconds."""

    provider: str
    run: str
    installation: str
    limits: Limits
    seconds: int
    lease: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """An open transaction, and the instant it judges by (seconds after 1970)."""

    db: sqlite3.Connection
    now: float

    def period(self) -> str:
        """The month of now, or of the newest reservation when that is later."""
        month = aware(self.now).strftime("%Y-%m")
        newest = self.one("SELECT period FROM reservation ORDER BY seq DESC LIMIT 1")
        return max(month, str(newest)) if newest else month

    def reserve(self, wanted: Wanted) -> Reservation:
        """Take from every meter or from none (the caller rolls back)."""
        period = self.period()
        taken = meters_of(wanted.seconds)
        for meter, more in taken.items():
            self._take(wanted, meter, more=more, period=period)
        new = os.urandom(8).hex()
        row: dict[str, Parameter] = {
            "id": new,
            "provider": wanted.provider,
            "run": wanted.run,
            "installation": wanted.installation,
            "period": period,
            "seconds": wanted.seconds,
            "labels": json.dumps(dict(wanted.labels)),
            "now": self.now,
            "lease_until": self.now + wanted.lease,
        }
        self.db.execute(_INSERT, row)
        self._join(new, wanted.run)
        reservation = self.need(new)
        change: dict[Meter, Usage] = {
            meter: Usage(held=more) for meter, more in taken.items()
        }
        self._append(reservation, "held", change)
        return reservation

    def _take(self, wanted: Wanted, meter: Meter, *, more: int, period: str) -> None:
        key = counter_key(wanted.provider, meter, period)
        self.db.execute(_COUNTER, key)
        most = wanted.limits.of(meter)
        if self.db.execute(_TAKE, {**key, "more": more, "most": most}).rowcount:
            return
        usage = self.usage(wanted.provider, period)[meter]
        raise exhausted(
            wanted.provider,
            meter,
            more=more,
            usage=usage,
            limits=wanted.limits,
            period=period,
        )

    def sent(self, id: str) -> Reservation:
        return self._move(self.need(id), "sent")

    def uncertain(self, id: str) -> Reservation:
        return self._move(self.need(id), "uncertain")

    def released(self, id: str) -> Reservation:
        return self._move(self.need(id), "released")

    def bound(
        self, id: str, ref: SandboxRef, expires_at: datetime | None
    ) -> Reservation:
        now = self.need(id)
        check_same_sandbox(now, ref)
        fields: dict[str, Parameter] = {
            "sandbox": ref.id,
            "ref": json.dumps(ref.to_json()),
            "expires_at": seconds_of(expires_at),
        }
        return self._move(now, "bound", fields)

    def committed(self, id: str, ended_at: datetime) -> Reservation:
        now = self.need(id)
        charged = lived_seconds(now.ref, ended_at) if now.ref else None
        fields: dict[str, Parameter] = {
            "ended_at": seconds_of(ended_at),
            "charged": charged,
        }
        return self._move(now, "committed", fields)

    def _move(
        self,
        now: Reservation,
        to: ReservationState,
        fields: Mapping[str, Parameter] | None = None,
    ) -> Reservation:
        if now.state == to:
            return now
        check_arrow(now, to)
        empty: dict[str, Parameter] = dict.fromkeys(
            ("sandbox", "ref", "expires_at", "ended_at", "charged")
        )
        row = {**empty, **(fields or {}), "id": now.id, "now": now.state, "to": to}
        self.db.execute(_MOVE, row)
        after = self.need(now.id)
        change = settlement(now, to, charged=after.charged)
        for meter, usage in change.items():
            key = counter_key(now.provider, meter, now.period)
            self.db.execute(_CHANGE, {**key, "used": usage.used, "held": usage.held})
        self._append(after, to, change)
        return after

    def _append(
        self,
        reservation: Reservation,
        state: ReservationState,
        change: Mapping[Meter, Usage],
    ) -> None:
        told = {meter: [usage.used, usage.held] for meter, usage in change.items()}
        self.db.execute(
            "INSERT INTO event (at, reservation, state, provider, period, change)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                self.now,
                reservation.id,
                state,
                reservation.provider,
                reservation.period,
                json.dumps(told),
            ),
        )

    def renew(
        self, id: str, run: str, *, lease: float, expires_at: datetime | None
    ) -> Reservation:
        now = self.need(id)
        if now.is_live and run not in {user.run for user in now.users}:
            raise LedgerError(
                f"run {run!r} is no user of reservation {id!r}",
                remedy="join the reservation before renewing it",
            )
        row: dict[str, Parameter] = {
            "id": id,
            "lease_until": self.now + lease,
            "expires_at": seconds_of(expires_at),
        }
        self.db.execute(_RENEW, row)
        return self.need(id)

    def join(self, id: str, run: str, *, lease: float) -> Reservation:
        now = self.need(id)
        if not now.is_live:
            raise LedgerError(
                f"reservation {id!r} is {now.state!r}: its sandbox is gone",
                remedy="reserve a new one",
            )
        self._join(id, run)
        return self.renew(id, run, lease=lease, expires_at=None)

    def _join(self, id: str, run: str) -> None:
        process = json.dumps(process_identity().to_json())
        self.db.execute(_JOIN, {"id": id, "run": run, "process": process})

    def leave(self, id: str, run: str, keep_until: datetime | None) -> Reservation:
        gone = self.db.execute(
            "DELETE FROM user WHERE reservation = ? AND run = ?", (id, run)
        )
        if gone.rowcount:
            row = {"id": id, "keep_until": seconds_of(keep_until), "now": self.now}
            self.db.execute(_LEAVE, row)
        return self.need(id)

    def need(self, id: str) -> Reservation:
        found = self.get(id)
        if found is None:
            raise LedgerError(
                f"there is no reservation {id!r}",
                remedy="was it made with another state folder?",
            )
        return found

    def get(self, id: str) -> Reservation | None:
        cursor = self.db.execute("SELECT * FROM reservation WHERE id = ?", (id,))
        row = cursor.fetchone()
        if row is None:
            return None
        names = [column[0] for column in cursor.description]
        users = self.db.execute(
            "SELECT run, process FROM user WHERE reservation = ? ORDER BY run", (id,)
        )
        return read_reservation(
            dict(zip(names, row, strict=True)),
            tuple(read_user(run, process) for run, process in users.fetchall()),
        )

    def live(self, provider: str | None) -> tuple[Reservation, ...]:
        return self._all(self.db.execute(_LIVE, {"provider": provider}).fetchall())

    def expired(self) -> tuple[Reservation, ...]:
        return self._all(self.db.execute(_EXPIRED, {"now": self.now}).fetchall())

    def by_ref(self, ref: SandboxRef) -> Reservation | None:
        row = {"provider": ref.provider, "sandbox": ref.id}
        found = self._all(self.db.execute(_BY_REF, row).fetchall())
        return found[0] if found else None

    def _all(self, ids: Iterable[tuple[str]]) -> tuple[Reservation, ...]:
        return tuple(self.need(one) for (one,) in ids)

    def usage(self, provider: str, period: str) -> dict[Meter, Usage]:
        counters = self.counters(provider)
        return {
            meter: counters.get(
                (provider, counter_period(meter, period), meter), Usage()
            )
            for meter in METERS
        }

    def counters(self, provider: str | None = None) -> dict[CounterKey, Usage]:
        rows = self.db.execute(
            "SELECT provider, period, meter, used, held FROM counter"
            " WHERE :provider IS NULL OR provider = :provider",
            {"provider": provider},
        )
        return {
            (name, period, meter): Usage(used=used, held=held)
            for name, period, meter, used, held in rows.fetchall()
        }

    def counted_by_events(self) -> dict[CounterKey, Usage]:
        sums: dict[CounterKey, Usage] = {}
        rows = self.db.execute("SELECT provider, period, change FROM event")
        for provider, period, change in rows.fetchall():
            for meter, (used, held) in json.loads(change).items():
                key = (provider, counter_period(meter, period), meter)
                old = sums.get(key, Usage())
                sums[key] = Usage(used=old.used + used, held=old.held + held)
        return sums

    def verify(self) -> tuple[Difference, ...]:
        counters, events = self.counters(), self.counted_by_events()
        return tuple(
            Difference(
                provider=key[0],
                period=key[1],
                meter=key[2],
                counter=counters.get(key, Usage()),
                events=events.get(key, Usage()),
            )
            for key in sorted(counters.keys() | events.keys())
            if counters.get(key, Usage()) != events.get(key, Usage())
        )

    def rebuild(self) -> tuple[Difference, ...]:
        wrong = self.verify()
        self.db.executemany(
            "INSERT OR REPLACE INTO counter (provider, period, meter, used, held)"
            " VALUES (?, ?, ?, ?, ?)",
            [
                (at.provider, at.period, at.meter, at.events.used, at.events.held)
                for at in wrong
            ],
        )
        return wrong

    def one(self, query: str) -> Parameter:
        row: tuple[Parameter] | None = self.db.execute(query).fetchone()
        return row[0] if row else None
