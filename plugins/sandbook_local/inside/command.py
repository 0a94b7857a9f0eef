"""One command as the supervisor knows it: its pipes, its deadline, how it ended."""

from __future__ import annotations

import errno
import os
import signal
import time

from sandbook_local.inside import keeper, loop, spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from sandbook_local.inside.frames import Message

    class Consumer(Protocol):
        """Somebody who reads the output as it comes."""

        def lag(self) -> int:
            """Kept bytes that it has not taken yet."""
            ...

        def needs(self, stream: str) -> int:
            """The first byte of a stream that it has not taken yet."""
            ...

        def advance(self) -> None:
            """Take what is new."""
            ...

    class Orders(Protocol):
        """The sandbox around a command."""

        def order(self, message: Message, descriptors: Iterable[int] = ()) -> None:
            """Send init an order."""
            ...

        def explain_failure(self) -> str | None:
            """The limit that a command which just failed may have met, in words."""
            ...


STREAMS = ("stdout", "stderr")
LAG = 1 << 20
"""Bytes a consumer may be behind before the command has to wait for it."""

_FIRST_READER = 10.0
"""Seconds that it waits for who started it, before any of its output is lost."""
_DRAIN = 1 << 20
_KILL_AGAIN = 0.25
_KILL_TRIES = 20
_EVERYTHING = 1 << 62


class Limits:
    """How long a command may run and how much of its output is kept."""

    __slots__ = ("grace", "head", "tail", "timeout")

    def __init__(
        self, *, timeout: float | None, grace: float, head: int, tail: int
    ) -> None:
        self.timeout = timeout
        self.grace = grace
        self.head = head
        self.tail = tail


class Command:
    """A command, from its order to long after its end."""

    def __init__(
        self,
        number: int,
        key: str,
        *,
        limits: Limits,
        folder: int,
        lp: loop.Loop,
        init: Orders,
    ) -> None:
        self.number = number
        self.key = key
        self.pid: int | None = None
        self.end: str | None = None
        self.code: int | None = None
        self.limit: str | None = None
        self.refusal: tuple[str, int] | None = None
        self.seconds = 0.0
        self.stdin: int | None = None
        self.has_terminal = False
        self.consumer: Consumer | None = None
        self._is_met = False
        self.streams = {
            name: spool.Stream(
                folder, f"{number}.{name}", head=limits.head, tail=limits.tail
            )
            for name in STREAMS
        }
        self._limits = limits
        self._loop = lp
        self._init = init
        self._began = loop.now()
        self._seq = 0
        self._pipes: dict[str, int] = {}
        self._held: set[str] = set()
        self._status = -1
        self._exit: int | None = None
        self._timed_out = False
        self._timer: loop.Timer | None = None
        self._tries = 0
        self._held_at = 0.0
        self._later: tuple[float, Callable[[], None]] | None = None
        self._when_started: list[Callable[[], None]] = []
        self._when_ended: list[Callable[[], None]] = []

    # How it starts.

    def start(self, order: Message, stdin: int | None, *, program: str) -> None:
        """Send its order to init; `stdin` -1 asks for a pipe, None for nothing."""
        self._program = program
        ends = {name: os.pipe() for name in ("status", *STREAMS)}
        reading = stdin
        piped: int | None = None
        if stdin == -1:
            reading, piped = os.pipe()
        self.stdin = piped
        passed = [ends[name][1] for name in ("status", *STREAMS)]
        try:
            self._init.order(order, [*passed, *([] if reading is None else [reading])])
        finally:
            for descriptor in passed:
                os.close(descriptor)
            if piped is not None and reading is not None:
                os.close(reading)
        self._status = ends["status"][0]
        self._loop.watch(self._status, loop.READ, lambda _: self._read_status())
        for name in STREAMS:
            self._pipes[name] = ends[name][0]
            os.set_blocking(ends[name][0], False)
            self._watch_pipe(name)
        if self._limits.timeout is not None:
            self._timer = self._loop.call_at(
                self._began + self._limits.timeout, self._expire
            )

    def start_in_terminal(
        self, order: Message, ours: int, theirs: int, *, program: str
    ) -> None:
        """Send its order to init; all its streams are `theirs`, which is closed."""
        self._program = program
        self.has_terminal = True
        reading, writing = os.pipe()
        self.stdin = os.dup(ours)
        try:
            self._init.order(order, [writing, theirs, theirs, theirs])
        finally:
            for descriptor in (writing, theirs):
                os.close(descriptor)
        self._status = reading
        self._loop.watch(self._status, loop.READ, lambda _: self._read_status())
        self._pipes["stdout"] = ours
        os.set_blocking(ours, False)
        self._watch_pipe("stdout")

    def when_started(self, call: Callable[[], None]) -> None:
        """Call once it runs, has failed to, or has ended."""
        if self.pid is not None or self.end is not None or self.refusal is not None:
            call()
        else:
            self._when_started.append(call)

    def when_ended(self, call: Callable[[], None]) -> None:
        """Call once it has ended."""
        if self.end is not None:
            call()
        else:
            self._when_ended.append(call)

    # How it is ended.

    def signal(self, number: int) -> bool:
        """Signal its tree; False = it had already ended."""
        if self.end is not None:
            return False
        if number == signal.SIGKILL:
            self._kill()
        else:
            self._init.order({"do": "signal", "id": self.number, "number": number})
        return True

    def stop(self, number: int) -> None:
        """End its tree: this signal, and KILL after its grace."""
        if self.signal(number):
            self._set_timer(self._limits.grace, self._kill)

    def stop_for(self, limit: str) -> None:
        """Kill it, and what it left behind, because of a limit named in words."""
        if self.end is None:
            self.limit = limit
            self._kill()
        elif self.is_kept():
            self._init.order({"do": "kill", "id": self.number})

    def is_kept(self) -> bool:
        """Whether it, or something that it started, still runs."""
        return self._status >= 0

    def hold(self) -> None:
        """Let its time stand still, as it does itself; but a kill goes on."""
        self._held_at = loop.now()
        timer = self._timer
        if timer is not None and timer.call is not None and not self._tries:
            self._later = timer.deadline - loop.now(), timer.call
            timer.cancel()

    def go_on(self) -> None:
        """Let its time go on."""
        if self.end is not None:
            return
        self._began += loop.now() - self._held_at
        if self._later is not None and not self._tries:
            self._set_timer(*self._later)
        self._later = None

    def _expire(self) -> None:
        self._timed_out = True
        self.stop(signal.SIGTERM)

    def _kill(self) -> None:
        """Kill its tree again and again: a process can outlive a KILL for a while."""
        self._tries += 1
        if self._tries > _KILL_TRIES:
            self._init.order({"do": "drop", "id": self.number})
            self._finish()
            return
        self._init.order({"do": "kill", "id": self.number})
        self._set_timer(_KILL_AGAIN, self._kill)

    def _set_timer(self, delay: float, call: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(loop.now() + delay, call)

    # What its keeper says.

    def _read_status(self) -> None:
        report = os.read(self._status, keeper.REPORT.size)
        if len(report) < keeper.REPORT.size:
            self._loop.forget(self._status)
            os.close(self._status)
            self._status = -1
            self._finish()
            return
        letter, number = keeper.REPORT.unpack(report)
        if letter == b"s":
            self.pid = number
        elif letter == b"x" and self._exit is None:
            self._exit = number
            if not self._timed_out:
                self._finish()
        elif letter in b"cen":
            self._fail(letter.decode(), number)
        _call_all(self._when_started)

    def _fail(self, letter: str, number: int) -> None:
        if letter == "c" or number == errno.E2BIG:
            self.refusal = (letter, number)
            return
        missing = letter == "e" and number in (errno.ENOENT, errno.ENOTDIR)
        self._exit = (keeper.MISSING if missing else keeper.NOT_EXECUTABLE) << 8
        words = f"sandbook: {self._program!r}: {os.strerror(number)}\n"
        if letter == "n":
            self.limit = "the limit of processes is reached"
            words = f"sandbook: no process for {self._program!r}: {self.limit}\n"
        self._append("stderr", words.encode())

    def _finish(self) -> None:
        if self.end is not None:
            return
        self._drain()
        if self._timer is not None:
            self._timer.cancel()
        self.seconds = loop.now() - self._began
        self.end, self.code = self._outcome()
        if self.code and self.limit is None:
            self.limit = self._init.explain_failure()
        self.close_input()
        _call_all(self._when_started)
        if self.consumer is not None:
            self.consumer.advance()
        _call_all(self._when_ended)
        self._release()

    def _outcome(self) -> tuple[str, int | None]:
        if self._timed_out:
            return "timed_out", None
        if self._exit is None:
            # Somebody inside killed the keeper: the command went with it.
            return "signalled", 128 + signal.SIGKILL
        code = os.waitstatus_to_exitcode(self._exit)
        return ("exited", code) if code >= 0 else ("signalled", 128 - code)

    # What it prints.

    def release(self) -> None:
        """Let it print again, if its consumer has caught up."""
        if self.consumer is None or self.consumer.lag() < LAG:
            self._release()

    def meet(self) -> None:
        """Somebody has come for its output or its end, or nobody will."""
        if not self._is_met:
            self._is_met = True
            self.release()

    def close_input(self) -> None:
        """Close our end of its stdin."""
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None

    def _release(self) -> None:
        for name in tuple(self._held):
            self._held.discard(name)
            self._watch_pipe(name)

    def _watch_pipe(self, name: str) -> None:
        descriptor = self._pipes[name]
        self._loop.watch(descriptor, loop.READ, lambda _: self._on_output(name))

    def _on_output(self, name: str) -> None:
        self._read(name)
        consumer = self.consumer
        if self.end is not None:
            return
        if consumer is not None:
            consumer.advance()
            if consumer.lag() >= LAG:
                self._hold_output()
        elif not self._is_met and any(s.is_full() for s in self.streams.values()):
            self._hold_output()
            self._loop.call_at(loop.now() + _FIRST_READER, self.meet)

    def _hold_output(self) -> None:
        for name in self._pipes.keys() - self._held:
            self._held.add(name)
            self._loop.forget(self._pipes[name])

    def _read(self, name: str) -> int:
        """Read once; 0 = nothing there or end-of-file. After its end: into the void."""
        stream = self.streams[name]
        try:
            data = os.read(self._pipes[name], min(spool.PIECE, stream.room()))
        except BlockingIOError:
            return 0
        except OSError:
            # Nobody has the other end of a terminal open any more.
            data = b""
        if not data:
            descriptor = self._pipes.pop(name)
            self._held.discard(name)
            self._loop.forget(descriptor)
            os.close(descriptor)
        elif self.end is None:
            self._append(name, data)
        return len(data)

    def _append(self, name: str, data: bytes) -> None:
        self._seq += 1
        stream = self.streams[name]
        stream.append(self._seq, time.time(), data)
        consumer = self.consumer
        stream.trim(_EVERYTHING if consumer is None else consumer.needs(name))

    def _drain(self) -> None:
        """Take what was printed before the end; what lives on cannot hold us here."""
        for name in STREAMS:
            left = _DRAIN
            while left > 0 and name in self._pipes and (count := self._read(name)):
                left -= count


def _call_all(calls: list[Callable[[], None]]) -> None:
    waiting = calls[:]
    calls.clear()
    for call in waiting:
        call()
