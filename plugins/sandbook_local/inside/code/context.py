"""One context: an interpreter with its variables, and the cells that wait for it.

A context has a `life`, which names the variables it has now. Who comes with another
one is told that its variables are gone, once, before anything runs without them.
"""

from __future__ import annotations

import collections
import secrets

from sandbook_local.inside import loop
from sandbook_local.inside.code.events import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from sandbook_local.inside.frames import Message
    from sandbook_local.inside.peer import Peer

    class Interpreter(Protocol):
        """A language's interpreter; what it gives is told to its `Context`."""

        def run(self, cell: Cell) -> None:
            """Begin a cell; it is idle now."""
            ...

        def interrupt(self) -> None:
            """Interrupt what runs."""
            ...

        def waited(self) -> float:
            """Seconds in which it wanted a processor and had none, up to now."""
            ...

        def kill(self) -> None:
            """End it at once, with what it started; nothing is heard of it again."""
            ...

    Make = Callable[["Context"], Interpreter]

GRACE = 3.0
"""Seconds in which an interrupted cell must end, or its interpreter is killed."""

_AGAIN = 0.5
_MOST_LOOKS = 31


class Grace:
    """What an interrupted interpreter has left of its time.

    On a busy machine it may have no processor for long, and we none to hear of its
    end: neither is its fault, so neither counts, up to five times the whole.
    """

    def __init__(self, waited: float) -> None:
        self._left = GRACE
        self._looks = 0
        self._at = loop.now()
        self._waited = waited

    def is_over(self, waited: float) -> bool:
        """Look again, now that it has waited so long for a processor."""
        now = loop.now()
        passed = min(now - self._at, _AGAIN) - (waited - self._waited)
        self._at, self._waited = now, waited
        self._left -= max(passed, 0.0)
        self._looks += 1
        # Of the last pieces a part may be missing for ever.
        return self._left < _AGAIN / 10 or self._looks >= _MOST_LOOKS


class Cell:
    """One request to run something."""

    def __init__(self, message: Message, *, key: str, life: str) -> None:
        self.message = message
        self.key = key
        self.life = life
        self.output = Output()
        self.deadline: float | None = None
        self.is_stopping = False
        self.has_failed = False
        self.timed_out = False


class Context:
    """Runs one cell at a time."""

    def __init__(
        self,
        name: str,
        lp: loop.Loop,
        make: Make,
        *,
        cwd: str,
        env: Mapping[str, str],
        when_ended: Callable[[Cell], None],
    ) -> None:
        self.name = name
        self.loop = lp
        self.cwd = cwd
        self.env = env
        self.life = secrets.token_hex(6)
        self._make = make
        self._when_ended = when_ended
        self._interpreter: Interpreter | None = None
        self._is_ready = False
        self._count = 0
        self._running: Cell | None = None
        self._queue: collections.deque[Cell] = collections.deque()
        self._when_started: list[Callable[[str | None], None]] = []

    # What clients ask.

    def open(self, call: Callable[[str | None], None]) -> None:
        """Call once the interpreter is ready, with None, or what hinders it."""
        if self._is_ready:
            call(None)
            return
        self._when_started.append(call)
        self._start()

    def submit(self, cell: Cell, peer: Peer, *, timeout: float | None) -> None:
        """Run a cell when those before it are through."""
        self._queue.append(cell)
        if timeout is not None:
            cell.deadline = loop.now() + timeout
            self.loop.call_at(cell.deadline, lambda: self._expire(cell))
        cell.output.view(peer, lambda: self._give_up(cell))
        self._go_on()

    def interrupt(self) -> None:
        """Interrupt the cell that runs."""
        if self._running is not None and self._interpreter is not None:
            self._interpreter.interrupt()

    def restart(self) -> None:
        """Begin anew, without variables."""
        self._lose("its interpreter was restarted while it ran", kill=True)
        self._start()

    def adopt(self, cell: Cell, peer: Peer) -> None:
        """Show a cell that is known to one more client."""
        cell.output.view(peer, lambda: self._give_up(cell))

    # What the interpreter tells.

    def ready(self) -> None:
        """It can run cells."""
        self._is_ready = True
        self._tell_started(None)
        self._go_on()

    def refused(self, why: str) -> None:
        """It could not be started."""
        self._interpreter = None
        self._tell_started(why)
        for cell in (*filter(None, [self._running]), *self._queue):
            cell.output.failed("NotStarted", why, "")
            self._finish(cell, "died", state_kept=False)
        self._running = None
        self._queue.clear()

    def text(self, stream: str, data: str) -> None:
        """The cell printed something."""
        if self._running is not None:
            self._running.output.text(stream, data)

    def rich(self, data: Mapping[str, bytes], *, main: bool) -> None:
        """The cell showed something, or this is its value."""
        if self._running is not None and data:
            self._running.output.rich(data, main=main)

    def failed(self, name: str, value: str, traceback: str) -> None:
        """The cell raised something."""
        if self._running is not None:
            self._running.has_failed = True
            self._running.output.failed(name, value, traceback)

    def failed_unless_told(self, name: str, value: str, traceback: str) -> None:
        """The cell raised something, of which we may have heard already."""
        if self._running is not None and not self._running.has_failed:
            self.failed(name, value, traceback)

    def done(self, values: Mapping[str, object]) -> None:
        """The cell is through."""
        cell, self._running = self._running, None
        if cell is None:
            return
        status = "error" if cell.has_failed else "ok"
        if cell.timed_out:
            status = "timed_out"
        self._finish(cell, status, state_kept=True, values=values)
        self._go_on()

    def died(self, why: str) -> None:
        """The interpreter is gone, by itself."""
        if not self._is_ready:
            self.refused(why)
            return
        self._lose(why, kill=False)
        self._go_on()

    # How it goes on.

    def _start(self) -> None:
        if self._interpreter is None:
            self._interpreter = self._make(self)

    def _tell_started(self, why: str | None) -> None:
        waiting = self._when_started[:]
        self._when_started.clear()
        for call in waiting:
            call(why)

    def _go_on(self) -> None:
        while self._queue and self._queue[0].life != self.life:
            stale = self._queue.popleft()
            told = "its interpreter was ended before, and its variables with it"
            stale.output.failed("InterpreterDied", told, "")
            self._finish(stale, "died", state_kept=False)
        if not self._queue or self._running is not None:
            return
        if not self._is_ready or self._interpreter is None:
            self._start()
            return
        self._running = self._queue.popleft()
        self._count += 1
        self._interpreter.run(self._running)

    def _finish(
        self,
        cell: Cell,
        status: str,
        *,
        state_kept: bool,
        values: Mapping[str, object] | None = None,
    ) -> None:
        told: Message = {"status": status, "values": dict(values or {})}
        told |= {"state_kept": state_kept, "count": self._count, "life": self.life}
        cell.output.end(told)
        self._when_ended(cell)

    def _lose(self, why: str, *, kill: bool) -> None:
        """The variables are gone, whatever ran has ended."""
        interpreter, self._interpreter = self._interpreter, None
        if kill and interpreter is not None:
            interpreter.kill()
        self._is_ready = False
        self.life = secrets.token_hex(6)
        cell, self._running = self._running, None
        if cell is not None:
            if not cell.timed_out:
                cell.output.failed("InterpreterDied", why, "")
            status = "timed_out" if cell.timed_out else "died"
            self._finish(cell, status, state_kept=False)
        self._count = 0

    def _expire(self, cell: Cell) -> None:
        if cell.output.is_ended:
            return
        cell.timed_out = True
        self._stop(cell)

    def _give_up(self, cell: Cell) -> None:
        """Nobody waits for it any more."""
        self._stop(cell)

    def _stop(self, cell: Cell) -> None:
        if cell is not self._running:
            if cell in self._queue:
                self._queue.remove(cell)
            if not cell.output.is_ended:
                status = "timed_out" if cell.timed_out else "error"
                self._finish(cell, status, state_kept=True)
            return
        if cell.is_stopping:
            return
        cell.is_stopping = True
        if self._interpreter is not None:
            grace = Grace(self._interpreter.waited())
            self._interpreter.interrupt()
            self._look_again(cell, grace)

    def _look_again(self, cell: Cell, grace: Grace) -> None:
        self.loop.call_at(loop.now() + _AGAIN, lambda: self._insist(cell, grace))

    def _insist(self, cell: Cell, grace: Grace) -> None:
        """Interrupt until it ends: one that comes just before it begins is lost."""
        if cell is not self._running or self._interpreter is None:
            return
        if grace.is_over(self._interpreter.waited()):
            self._lose("it was given up, and did not end when interrupted", kill=True)
            self._go_on()
            return
        self._interpreter.interrupt()
        self._look_again(cell, grace)
