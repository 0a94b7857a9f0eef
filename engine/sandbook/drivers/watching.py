"""A watch of a driver: what changes in a folder, told as it happens."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import anyio

from sandbook.api import WatchEvent, WatchRequest, pattern_regex
from sandbook.drivers.channel import ChannelClosed, Question
from sandbook.drivers.failures import failure
from sandbook.drivers.link import Link
from sandbook.errors import ConnectionLost, SandbookError

_TRIES = 5
_LEAVE_TIMEOUT = 5.0


class DriverWatch:
    """A running watch; each event is told once, to whoever asks first."""

    def __init__(self, link: Link, request: WatchRequest, *, by: str) -> None:
        self._link = link
        self._request = request
        self._by = by
        self._name = secrets.token_hex(8)
        self._held = AsyncExitStack()
        self._question: Question | None = None
        self._marks: list[anyio.Event] = []
        self._seq: int | None = None
        self._is_left = self._is_over = False

    async def open(self) -> None:
        """Begin, or go on after the way to the driver was lost."""
        for _ in range(_TRIES):
            try:
                await self._open()
            except ChannelClosed:
                await self._link.host.must_live("watch")
            else:
                return
        self._link.lose("watch")

    async def _open(self) -> None:
        channel = await self._link.channel()
        asked = {
            "do": "watch",
            "path": self._request.path,
            "recursive": self._request.recursive,
            "ignore": [pattern_regex(each) for each in self._request.ignore],
            "name": self._name,
            "after": self._seq,
            "by": self._by,
        }
        await self._held.aclose()
        question = await self._held.enter_async_context(channel.ask(asked))
        answer = await question.one()
        if "error" in answer:
            question.is_over = True
            raise failure(self._link, answer["error"], self._request.path, "watch")
        self._question, self._seq = question, self._seq or 0
        for _ in self._marks:
            await question.more(do="mark")

    async def events(self) -> AsyncIterator[WatchEvent]:
        """The changes since it was entered, as they happen, until it is left.

        Where the way to the driver was lost and is there again, that is an "overflow".

        Raises:
            SandboxLost: The sandbox has ended.
            ConnectionLost: Something inside has ended the watch.
        """
        try:
            while not self._is_left:
                try:
                    async for event in self._told():
                        yield event
                except ChannelClosed:
                    if not self._is_left:
                        await self._link.host.must_live("watch")
                        await self.open()
                else:
                    self._must_be_left()
        except SandbookError:
            self._end_marks()
            raise

    async def _told(self) -> AsyncIterator[WatchEvent]:
        question = self._question
        if question is None:
            return
        async for answer in question.answers():
            if "event" in answer:
                self._seq, *told = answer["event"]
                yield _event(told)
            elif self._marks:
                self._marks.pop(0).set()

    def _must_be_left(self) -> None:
        if not self._is_left:
            ref = self._link.host.ref
            raise ConnectionLost(
                f"the watch of {self._request.path!r} was ended from inside",
                provider=ref.provider,
                operation="watch",
                ref=ref,
                remedy="let commands leave alone what they did not start",
            )

    def _end_marks(self) -> None:
        self._is_over = True
        while self._marks:
            self._marks.pop().set()

    async def catch_up(self) -> None:
        """Wait until what has happened so far was told; somebody must be reading.

        Where the watch has ended there is nothing to wait for: who reads hears of that.
        """
        if self._is_over or self._is_left or self._question is None:
            return
        mark = anyio.Event()
        self._marks.append(mark)
        with suppress(ChannelClosed):  # who reads hears of it, and asks again for us
            await self._question.more(do="mark")
        await mark.wait()

    async def leave(self) -> None:
        """Let it end, and whoever still reads."""
        self._is_left = True
        with anyio.move_on_after(_LEAVE_TIMEOUT, shield=True):
            if self._question is not None:
                with suppress(ChannelClosed):
                    await self._question.more(do="leave")
                self._question.hear({"eof": True})
            await self._held.aclose()
        self._end_marks()


@asynccontextmanager
async def watching(
    link: Link, request: WatchRequest, *, by: str = "inotify"
) -> AsyncGenerator[DriverWatch]:
    """Watch until the block is left; `by` is "looking" to ask the kernel nothing."""
    watch = DriverWatch(link, request, by=by)
    try:
        await watch.open()
        yield watch
    finally:
        await watch.leave()


def _event(told: list[Any]) -> WatchEvent:
    kind, path, was, at = told
    return WatchEvent(kind=kind, path=path, was=was, at=datetime.fromtimestamp(at, UTC))
