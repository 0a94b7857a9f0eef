"""A terminal while its script runs: it is read, typed into, left and joined again."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from sandbook.api import EchoState, ExecResult, Pty, Recording, Sandbox, StepScope
from sandbook.errors import SandbookError
from sandbook.terminal import Screen
from sandbook.verbs._script._echo import ask_echo

_ANSWERS_WAITING: Final = 256
_HANG_UP_S: Final = 10.0
_TOLD: Final = 20


class Stopped(Exception):  # noqa: N818 - why a line could not be done; never shown itself
    """A line failed, or could not be done."""

    def __init__(self, cause: str, *, kind: str = "expect") -> None:
        super().__init__(cause)
        self.cause = cause
        self.kind = kind


class Changes(Protocol):
    """Somebody who must see each change of the screen."""

    def __call__(self) -> None:
        """The screen has changed."""
        ...


@dataclass(slots=True)
class Session:
    """The terminal of one step.

    `result` is there once the program has ended and all that it showed was read;
    `is_left` = it runs on without us. `sent` is what was typed, to be told.
    """

    step: StepScope
    sandbox: Sandbox
    pty: Pty
    screen: Screen
    recording: Recording | None
    tasks: TaskGroup
    result: ExecResult | None = None
    is_left: bool = False
    sent: deque[str] = field(default_factory=lambda: deque(maxlen=_TOLD))
    last_output: float = field(default_factory=anyio.current_time)
    watcher: Changes | None = None
    _trouble: SandbookError | None = None
    _changed: anyio.Event = field(default_factory=anyio.Event)
    _after: int = 0
    _reader: anyio.CancelScope | None = None
    _read_all: anyio.Event = field(default_factory=anyio.Event)
    _typing: anyio.Lock = field(default_factory=anyio.Lock)

    # Reading.

    def open(self) -> None:
        """Begin to read."""
        self._reader = anyio.CancelScope()
        self._read_all = anyio.Event()
        self.tasks.start_soon(self._read, self.pty, self._reader, self._read_all)

    async def _read(
        self, pty: Pty, scope: anyio.CancelScope, done: anyio.Event
    ) -> None:
        send, receive = anyio.create_memory_object_stream[bytes](_ANSWERS_WAITING)
        try:
            with scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._answer, pty, receive)
                    await self._read_until_end(pty, send)
                    tasks.cancel_scope.cancel()
        finally:
            send.close()
            receive.close()
            done.set()
            self._notify()

    async def _read_until_end(
        self, pty: Pty, answers: MemoryObjectSendStream[bytes]
    ) -> None:
        try:
            async for chunk in pty.output(after=self._after):
                self._after = chunk.seq
                answer = self._take(chunk.data)
                if answer:
                    # A program that asks and never reads must not stop us here.
                    with suppress(anyio.WouldBlock):
                        answers.send_nowait(answer)
                # A burst would otherwise keep everything else from running.
                await anyio.lowlevel.checkpoint()
            self.result = await pty.wait()
        except SandbookError as error:
            self._trouble = error

    def _take(self, data: bytes) -> bytes:
        self.last_output = anyio.current_time()
        if self.recording is not None:
            self.recording.output(data)
        answer = self.screen.feed(data)
        self.step.show("stdout", self.screen.take_plain().encode("utf-8", "replace"))
        self._notify()
        return answer

    def _notify(self) -> None:
        if self.watcher is not None:
            self.watcher()
        self._changed.set()
        self._changed = anyio.Event()

    async def _answer(
        self, pty: Pty, answers: MemoryObjectReceiveStream[bytes]
    ) -> None:
        async for answer in answers:
            # What ends while it is answered needs no answer.
            with suppress(SandbookError):
                async with self._typing:
                    await pty.send(answer)

    def change(self) -> anyio.Event:
        """Is set when something is shown, or the program ends, after now.

        Raises:
            SandbookError: The terminal was lost.
        """
        if self._trouble is not None:
            raise self._trouble
        return self._changed

    # Typing.

    async def send(self, data: bytes) -> None:
        """Type.

        Raises:
            Stopped: The program has ended.
        """
        self._refuse_ended()
        try:
            async with self._typing:
                await self.pty.send(data)
        except SandbookError as error:
            # It may have ended a moment ago, and its last words are on their way.
            with anyio.move_on_after(1):
                await self._read_all.wait()
            self._refuse_ended()
            raise error from None

    def _refuse_ended(self) -> None:
        if self.result is not None:
            raise Stopped("the program has ended, so nothing can be typed", kind="exit")

    async def echo(self) -> EchoState | None:
        """What becomes of what is typed now; quick, so None where nobody knows."""
        return None if self.result is not None else await self.pty.echo()

    async def echo_surely(self) -> EchoState | None:
        """The same; where the provider cannot tell, the sandbox is asked."""
        state = await self.echo()
        if state is None and self.result is None:
            return await ask_echo(self.step, self.sandbox, self.pty)
        return state

    # Leaving.

    async def resize(self, cols: int, rows: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(cols, rows)
        if self.recording is not None:
            self.recording.resize(cols, rows)
        if self.result is None:
            await self.pty.resize(cols=cols, rows=rows)

    async def leave(self) -> None:
        """Let the program run on, unwatched."""
        await self.pty.detach()
        self.is_left = True
        await self._stop_reading()

    async def come_back(self) -> None:
        """Watch it again, from where we left."""
        self.pty = await self.sandbox.attach_pty(self.pty.id)
        self.is_left = False
        self.open()

    async def _stop_reading(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await self._read_all.wait()

    async def settle(self, within: float) -> None:
        """Give a program that is about to end the time to do so."""
        if not self.is_left and self.result is None:
            with anyio.move_on_after(within):
                await self._read_all.wait()

    async def close(self) -> None:
        """End what still runs, as closing the window would; not what was left."""
        if self.is_left or self.result is not None or self._trouble is not None:
            return
        await self.pty.hang_up()
        with anyio.move_on_after(_HANG_UP_S):
            await self._read_all.wait()
        await self._stop_reading()
