"""What a watch has seen so far, and whether it is what was expected."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import SequenceMatcher

import anyio

from sandbook.api import JSON, Bound, Watch, WatchEvent, WatchKind
from sandbook.errors import SandbookError
from sandbook.verbs import _arguments as get
from sandbook.verbs._paths import matcher

WITHIN = 5.0
KEPT = 1_000
"""Events that a result holds; of what it judges, none is left out."""

_TOLD = 5
_COMPARED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One expectation; no `kinds` or no `path` = any."""

    kinds: tuple[str, ...]
    path: str
    within: float
    settled: float
    fits: re.Pattern[str]

    @classmethod
    def of(cls, value: Mapping[str, Bound]) -> Wanted:
        """As it is written."""
        path = get.text(value, "path")
        return cls(
            kinds=get.texts(value, "event"),
            path=path,
            within=get.number(value, "within", WITHIN),
            settled=get.number(value, "settled", 0.0),
            fits=matcher(path or "**"),
        )

    def words(self) -> str:
        """As people read it, `created a.txt`."""
        kinds = " or ".join(self.kinds) or "any change"
        return f"{kinds} {self.path}".strip() if self.path else kinds

    def is_on(self, path: str) -> bool:
        """Whether it is about this path."""
        return bool(self.fits.match(path))


@dataclass(slots=True, kw_only=True)
class Expected:
    """How far an expectation has come; times are those of the clock of waiting."""

    wanted: Wanted
    first: float | None = None
    last: float = 0.0

    def hear(self, kind: str, path: str, now: float) -> None:
        """Take an event."""
        if not self.wanted.is_on(path):
            return
        self.last = now
        if self.first is None and kind in (self.wanted.kinds or (kind,)):
            self.first = now

    def is_met(self, now: float) -> bool:
        """Whether it was seen, and nothing came behind it for as long as it says."""
        return self.first is not None and now - self.last >= self.wanted.settled

    def moment(self, start: float) -> float:
        """When it has to be looked at again: it may be met then, or is too late."""
        wanted = self.wanted
        if self.first is None:
            return start + wanted.within
        return min(self.last, start + wanted.within) + wanted.settled

    def is_late(self, start: float, now: float) -> bool:
        """Whether it can be met no more."""
        end = start + self.wanted.within
        return now >= (end if self.first is None else end + self.wanted.settled)


@dataclass(slots=True, kw_only=True)
class Seen:
    """The events of one watch."""

    expected: Sequence[Expected]
    only: Sequence[re.Pattern[str]] = ()
    count: int = 0
    overflows: int = 0
    stray: str | None = None
    error: SandbookError | None = None
    _kept: list[JSON] = field(default_factory=list[JSON])
    _counts: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    _news: anyio.Event = field(default_factory=anyio.Event)

    async def collect(self, watch: Watch) -> None:
        """Take events until cancelled; an error is kept for whoever waits."""
        try:
            async for event in watch.events():
                self.hear(event)
        except SandbookError as error:
            self.error = error
            self._tell()

    def hear(self, event: WatchEvent) -> None:
        """Take one event."""
        if event.kind == "overflow":
            self.overflows += 1
            self._tell()
            return
        self.count += 1
        self._counts[event.kind, event.path] += 1
        if len(self._kept) < KEPT:
            self._kept.append(
                {
                    "event": event.kind,
                    "path": event.path,
                    "from": event.was,
                    "time": event.at.isoformat(),
                }
            )
        if self.only and not any(p.match(event.path) for p in self.only):
            self.stray = self.stray or f"{event.kind} {event.path}"
        now = anyio.current_time()
        for each in self.expected:
            each.hear(event.kind, event.path, now)
        self._tell()

    def hear_of(self, kind: WatchKind, path: str) -> None:
        """Take what a look at the files found, unless it was told."""
        if not self._counts[kind, path]:
            self.hear(WatchEvent(kind=kind, path=path, was=None, at=datetime.now(UTC)))

    async def news(self, until: float) -> None:
        """Wait for the next event, but not beyond that moment."""
        with anyio.move_on_after(max(until - anyio.current_time(), 0)):
            await self._news.wait()

    def fields(self) -> dict[str, JSON]:
        """The result."""
        return {"events": self._kept}

    def near(self, wanted: Wanted) -> str:
        """What was seen instead, the nearest first, each once."""
        if not self._counts:
            return "nothing has changed"

        def nearness(seen: tuple[str, str]) -> tuple[bool, float, str]:
            kind, path = seen
            alike = SequenceMatcher(None, path, wanted.path, autojunk=False).ratio()
            return not wanted.is_on(path), -alike, path + kind

        # To compare is slow; of thousands nobody reads more than the newest.
        newest = list(self._counts)[-_COMPARED:]
        chosen = sorted(newest, key=nearness)[:_TOLD]
        told = [
            f"{kind} {path}" + (f" ({times} times)" if times > 1 else "")
            for kind, path in chosen
            if (times := self._counts[kind, path])
        ]
        more = len(self._counts) - len(chosen)
        also = f" and {more} more" if more else ""
        return f"seen: {', '.join(told)}{also}"

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()


@asynccontextmanager
async def collecting(seen: Seen, watch: Watch) -> AsyncGenerator[None]:
    """Take the events of a watch while the block runs."""
    trouble: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(seen.collect, watch)
        try:
            yield
        except Exception as error:  # noqa: BLE001 (a task group would wrap it)
            trouble = error
        finally:
            tasks.cancel_scope.cancel()
    if trouble is not None:
        raise trouble
