"""One way into a sandbox: questions to the driver there, answered side by side.

The provider moves the bytes (`Transport`); what they mean is decided here.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import anyio

from sandbook.drivers import payload
from sandbook.drivers.inside.agent import MARK

_SEND_TIMEOUT = 30.0
_HELLO_TIMEOUT = 30.0
_MARK = MARK.decode()
_NOISE = 4096
_PING = 15.0
_PING_IN_CELLS = 3.0


class ChannelClosed(Exception):  # noqa: N818 - a state; the provider says what it means
    """The way to the driver is closed; whether it was the sandbox is not known here."""


class DriverRefused(Exception):  # noqa: N818 - as above
    """The sandbox lacks what the driver needs; the text says what it printed."""


class Transport(Protocol):
    """What the provider does: writes to the driver's stdin, and ends it."""

    async def send(self, data: bytes) -> None:
        """Write all of it, in order."""
        ...

    async def aclose(self) -> None:
        """Close its stdin, at which the driver ends."""
        ...


class Question:
    """The answers to one question, as they come."""

    def __init__(self, channel: Channel, number: int) -> None:
        self._channel = channel
        self._number = number
        self._answers: deque[dict[str, Any]] = deque()
        self._news = anyio.Event()
        self.is_over = False

    def hear(self, answer: dict[str, Any]) -> None:
        """Take an answer in."""
        self.is_over = self.is_over or "eof" in answer
        self._answers.append(answer)
        self._news.set()

    def wake(self) -> None:
        """Look again: the channel may be closed."""
        self._news.set()

    async def answers(self) -> AsyncIterator[dict[str, Any]]:
        """Each answer; ends when there will be no more."""
        while True:
            while self._answers:
                answer = self._answers.popleft()
                if "eof" in answer:
                    return
                yield answer
            if self._channel.closed:
                raise ChannelClosed
            self._news = anyio.Event()
            await self._news.wait()

    async def one(self) -> dict[str, Any]:
        """The only answer."""
        async for answer in self.answers():
            return answer
        raise ChannelClosed

    async def more(self, **said: object) -> None:
        """Say something to who answers."""
        if not self.is_over:
            await self._channel.send({"id": self._number, **said})


class Channel:
    """A driver that is running, from here."""

    home: str
    workdir: str
    root: str

    def __init__(self) -> None:
        self.closed = False
        self._transport: Transport | None = None
        self._asked: dict[int, Question] = {}
        self._count = 0
        self._cells = 0
        self._received = ""
        self._noise = ""
        self._greeting: dict[str, Any] | None = None
        self._greeted = anyio.Event()
        self._heard = anyio.Event()
        self._waiting = bytearray()
        self._sending = anyio.Lock()

    async def begin(
        self, transport: Transport, *, workdir: str | None, box: str
    ) -> None:
        """Hand the driver its program, and wait for its first word.

        `box` is the id of the sandbox: what a copy of it holds is not the copy's own.

        Raises:
            ChannelClosed, DriverRefused: It did not begin.
        """
        self._transport = transport
        with anyio.move_on_after(_HELLO_TIMEOUT):
            hello = payload.hello(workdir=workdir, box=box)
            await self._send(payload.source() + hello)
            await self._greeted.wait()
        told = self._greeting
        if told is None or "refused" in told:
            raise DriverRefused(told["refused"] if told else self.noise)
        self.home, self.workdir = told["home"], told["workdir"]
        self.root = told["root"]

    def hear(self, text: str) -> None:
        """Take in what the driver printed."""
        self._heard.set()
        self._received += text
        *lines, self._received = self._received.split("\n")
        for line in lines:
            self._take(line)

    def hear_noise(self, text: str) -> None:
        """Take in what it complained."""
        self._noise = (self._noise + text)[-_NOISE:]

    @property
    def greeted(self) -> bool:
        """Whether it said that it is there."""
        return self._greeting is not None

    @property
    def noise(self) -> str:
        """What it complained, or was said before it began."""
        return self._noise.strip()

    def close(self) -> None:
        """It is over; everybody who waits is told."""
        self.closed = True
        self._greeted.set()
        self._heard.set()
        for question in self._asked.values():
            question.wake()

    def _take(self, line: str) -> None:
        if self._greeting is None:
            # What a login shell prints comes before.
            if line.startswith(_MARK):
                self._greeting = json.loads(line.removeprefix(_MARK))
                self._greeted.set()
            else:
                self.hear_noise(line + "\n")
            return
        answer = json.loads(line)
        question = self._asked.get(answer.pop("id"))
        if question is not None:
            question.hear(answer)

    @asynccontextmanager
    async def ask(self, asked: Mapping[str, object]) -> AsyncGenerator[Question]:
        """Ask something; what is unanswered at the end of the block is dropped.

        Raises:
            ChannelClosed: Also while it is answered.
        """
        self._count += 1
        number = self._count
        in_cell = asked["do"] == "code"
        self._cells += in_cell
        question = self._asked[number] = Question(self, number)
        try:
            await self.send({"id": number, **asked})
            yield question
        finally:
            del self._asked[number]
            self._cells -= in_cell
            if not question.is_over and not self.closed:
                with anyio.CancelScope(shield=True), suppress(ChannelClosed):
                    await self.send({"id": number, "do": "close"})

    async def call(self, asked: Mapping[str, object]) -> dict[str, Any]:
        """Ask something that has one answer."""
        async with self.ask(asked) as question:
            answer = await question.one()
            question.is_over = True
            return answer

    async def ping(self, *, within: float) -> None:
        """Let the driver know that we are still here, and hear the same of it.

        Raises:
            ChannelClosed: It was closed, or nothing was heard for `within` seconds.
        """
        self._heard = anyio.Event()
        await self.send({"id": 0})
        with anyio.move_on_after(within) as limit:
            await self._heard.wait()
        if limit.cancelled_caught or self.closed:
            self.close()
            raise ChannelClosed

    async def keep(self, *, patience: float) -> None:
        """Ping now and then: often while a cell runs, which holds others up.

        Raises:
            ChannelClosed: It was closed, or nothing was heard for `patience` seconds.
        """
        pinged = time.monotonic()
        while True:
            await anyio.sleep(min(_PING_IN_CELLS, patience))
            due = min(_PING_IN_CELLS if self._cells else _PING, patience)
            if time.monotonic() - pinged >= due:
                await self.ping(within=patience)
                pinged = time.monotonic()

    async def send(self, message: Mapping[str, object]) -> None:
        """Send a line; those that wait meanwhile go together."""
        self._waiting += json.dumps(message).encode() + b"\n"
        # Half a line must not be left behind by who is cancelled.
        with anyio.CancelScope(shield=True):
            async with self._sending:
                data = bytes(self._waiting)
                self._waiting.clear()
                if data:
                    await self._send(data)

    async def _send(self, data: bytes) -> None:
        if self.closed or self._transport is None:
            raise ChannelClosed
        try:
            with anyio.fail_after(_SEND_TIMEOUT):
                await self._transport.send(data)
        except (OSError, TimeoutError) as error:
            self.close()
            raise ChannelClosed from error
        except ChannelClosed:
            self.close()
            raise

    async def aclose(self) -> None:
        """Let the driver end; what it started runs on."""
        was_closed, self.closed = self.closed, True
        self.close()
        if self._transport is not None and not was_closed:
            await self._transport.aclose()
