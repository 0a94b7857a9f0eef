"""The process that keeps one context: an interpreter, and the cells that wait for it.

It outlives whoever asked for it. A context has a `life`, which names the variables it
has now: who comes with another one is told once that they are gone, before anything
runs without them. A cell whose reader has left is interrupted: at once where he said
so or somebody else waits, else after a while, since he may have been cut off.
"""

from __future__ import annotations

import collections
import os
import secrets
import selectors
import signal
import socket
import time
from typing import Any

from sandbook.drivers.inside import languages, tree
from sandbook.drivers.inside.cell import STREAMS, Cell, Kept
from sandbook.drivers.inside.child import Child, words
from sandbook.drivers.inside.viewer import Viewer
from sandbook.drivers.inside.wire import Message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

GRACE = 3.0
"""Seconds in which an interrupted cell must end, or its interpreter is killed."""

_CUT_OFF = 30.0
"""Seconds in which a reader who was cut off may come again."""

_AGAIN = 0.5
_LOOK = 5.0


class Context:
    """The loop around one interpreter."""

    def __init__(self, folder: str, asked: Message, env: dict[str, str]) -> None:
        self.folder = folder
        self.language: str = asked["language"]
        self._cwd: str = asked["cwd"]
        self._env = env
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._viewers: list[Viewer] = []
        self._waiting: list[Viewer] = []
        self._cells: dict[str, Cell] = {}
        self._kept = Kept()
        self._queue: collections.deque[Cell] = collections.deque()
        self._running: Cell | None = None
        self._child: Child | None = None
        self._speaker: languages.Lines | languages.Shell | None = None
        self._is_ready = False
        self._count = 0
        self._life = secrets.token_hex(6)

    def listen(self) -> None:
        """Be reached by clients, and woken by children."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        at = os.open(self.folder, os.O_PATH)
        self._listener.bind(f"/proc/self/fd/{at}/sock")
        os.close(at)
        self._listener.listen(64)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, "listener")
        self._woken, self._wake = socket.socketpair()
        self._woken.setblocking(False)
        self._wake.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, "woken")
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        """Serve until our folder is gone, and so everybody who knew of us."""
        while os.path.exists(self.folder):
            for key, events in self._selector.select(self._patience()):
                self._turn(key.data, events)
            self._reap()
            due = [call for at, call in self._timers if at <= time.monotonic()]
            self._timers = [each for each in self._timers if each[1] not in due]
            for call in due:
                call()
        tree.signal_all(signal.SIGKILL)

    def _patience(self) -> float:
        due = min((at for at, _ in self._timers), default=float("inf"))
        return max(min(due - time.monotonic(), _LOOK), 0.0)

    def _after(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers.append((time.monotonic() + seconds, call))

    def _turn(self, what: object, events: int) -> None:
        if what == "listener":
            self._accept()
        elif what == "woken":
            self._woken.recv(4096)
        elif what == "orders" and self._child is not None:
            self._child.write()
        elif what == "answers" and self._child is not None:
            self._hear(self._child.read("answers"))
        elif isinstance(what, Viewer):
            self._talk(what, events)
        elif isinstance(what, str):
            self._print(what, whole=False)

    # Clients.

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        viewer = Viewer(sock)
        self._viewers.append(viewer)
        self._selector.register(sock, selectors.EVENT_READ, viewer)

    def _talk(self, viewer: Viewer, events: int) -> None:
        if events & selectors.EVENT_READ:
            asked = viewer.receive()
            if asked is None:
                self._drop(viewer)
                return
            for message in asked:
                self._obey(viewer, message)
        self._flush(viewer)

    def _flush(self, viewer: Viewer) -> None:
        if viewer.is_gone:
            return
        if not viewer.send():
            self._drop(viewer)
            return
        writes = selectors.EVENT_WRITE if viewer.waits() else 0
        wanted = selectors.EVENT_READ | writes
        self._selector.modify(viewer.sock, wanted, viewer)

    def _drop(self, viewer: Viewer) -> None:
        if viewer.is_gone:
            return
        viewer.is_gone = True
        self._selector.unregister(viewer.sock)
        viewer.sock.close()
        self._viewers.remove(viewer)
        cell = viewer.cell
        if cell is None:
            return
        cell.viewers -= 1
        if cell.viewers or cell.is_over:
            return
        if viewer.has_left or self._queue:
            self._stop(cell)
        else:
            self._after(_CUT_OFF, lambda: self._give_up(cell))

    def _give_up(self, cell: Cell) -> None:
        if not cell.viewers and not cell.is_over:
            self._stop(cell)

    def _obey(self, viewer: Viewer, asked: Message) -> None:
        what = asked.get("what")
        if what == "open":
            self._open(viewer)
        elif what == "restart":
            self._lose("its interpreter was restarted while it ran", kill=True)
            self._open(viewer)
        elif what == "run":
            self._submit(viewer, asked)
        elif what == "interrupt":
            if self._running is not None and self._speaker is not None:
                self._speaker.interrupt()
            viewer.answer({"done": True})
        elif what == "left":
            viewer.has_left = True

    def _open(self, viewer: Viewer) -> None:
        if self._is_ready:
            viewer.answer({"life": self._life})
            return
        self._waiting.append(viewer)
        self._start()

    def _submit(self, viewer: Viewer, asked: Message) -> None:
        cell = self._cells.get(asked["key"])
        is_new = cell is None
        if cell is None:
            cell = self._cells[asked["key"]] = Cell(asked)
            self._queue.append(cell)
        viewer.view(cell, after=asked["after"])
        cell.viewers += 1
        if not is_new:
            return
        fresh = cell
        if asked["timeout"] is not None:
            self._after(asked["timeout"], lambda: self._expire(fresh))
        running = self._running
        if running is not None and not running.viewers:
            self._stop(running)
        self._go_on()

    # The interpreter.

    def _start(self) -> None:
        if self._child is not None:
            return
        program = self.folder + "/program"
        self._child = Child(
            self._selector,
            languages.argv(self.language, program),
            env=self._env,
            cwd=self._cwd,
            orders=languages.orders(self.language),
        )
        self._speaker = languages.speaking(
            self.language, self, self._child, self.folder
        )

    def _hear(self, data: bytes) -> None:
        if data and self._speaker is not None:
            self._speaker.hear(data)
            self._tell()

    def _print(self, name: str, *, whole: bool) -> None:
        if self._child is None:
            return
        text = self._child.texts(name, whole=whole)
        if self._running is not None:
            self._running.text(name, text)
            self._tell()

    def _drain(self) -> None:
        for name in STREAMS:
            self._print(name, whole=True)

    def _reap(self) -> None:
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if self._child is not None and pid == self._child.pid:
                    self._ended(status)
        except ChildProcessError:
            return

    def _ended(self, status: int) -> None:
        if self._child is not None:
            self._hear(self._child.read("answers"))
        said = ""
        if self._running is None and self._child is not None:
            said = self._child.texts("stderr", whole=True).strip()[-500:]
        self._drain()
        why = words(status) + (f": {said}" if said else "")
        if not self._is_ready:
            self.refused(why)
            return
        self._lose(why, kill=False)
        self._go_on()

    # What it tells.

    def ready(self) -> None:
        """It can run cells."""
        self._is_ready = True
        self._tell_waiting({"life": self._life})
        self._go_on()

    def refused(self, why: str) -> None:
        """It cannot be started."""
        self._end_child(kill=True)
        self._tell_waiting({"refused": why})
        for cell in self._queue:
            cell.failed("NotStarted", why, "")
            self._finish(cell, "died", kept=False)
        self._queue.clear()

    def rich(self, data: dict[str, str], *, main: bool) -> None:
        """The cell showed something, or this is its value."""
        self._drain()
        if self._running is not None and data:
            self._running.rich(data, main=main)

    def failed(self, name: str, value: str, traceback: str) -> None:
        """The cell raised something."""
        self._drain()
        if self._running is not None:
            self._running.failed(name, value, traceback)

    def done(self, values: dict[str, Any]) -> None:
        """The cell is through."""
        self._drain()
        cell, self._running = self._running, None
        if cell is not None:
            status = "error" if cell.has_failed else "ok"
            status = "timed_out" if cell.timed_out else status
            self._finish(cell, status, kept=True, values=values)
        self._go_on()

    # How it goes on.

    def _go_on(self) -> None:
        while self._queue and self._queue[0].life != self._life:
            stale = self._queue.popleft()
            told = "its interpreter was ended before, and its variables with it"
            stale.failed("InterpreterDied", told, "")
            self._finish(stale, "died", kept=False)
        if not self._queue or self._running is not None:
            return
        if not self._is_ready or self._speaker is None:
            self._start()
            return
        cell = self._running = self._queue.popleft()
        self._count += 1
        why = languages.refusal(self.language, cell)
        if why is None:
            self._speaker.run(cell)
        else:
            self.failed("ValueError", why, "")
            self.done({})

    def _finish(
        self,
        cell: Cell,
        status: str,
        *,
        kept: bool,
        values: dict[str, Any] | None = None,
    ) -> None:
        cell.done(status, values or {}, kept=kept, count=self._count, life=self._life)
        self._kept.add(cell)
        self._tell()

    def _lose(self, why: str, *, kill: bool) -> None:
        """The variables are gone, whatever ran has ended."""
        self._end_child(kill=kill)
        self._life = secrets.token_hex(6)
        cell, self._running = self._running, None
        if cell is not None:
            if not cell.timed_out:
                cell.failed("InterpreterDied", why, "")
            status = "timed_out" if cell.timed_out else "died"
            self._finish(cell, status, kept=False)
        self._count = 0

    def _end_child(self, *, kill: bool) -> None:
        child, self._child, self._speaker = self._child, None, None
        self._is_ready = False
        if kill:
            tree.signal_all(signal.SIGKILL)
        if child is not None:
            child.close()

    def _expire(self, cell: Cell) -> None:
        if not cell.is_over:
            cell.timed_out = True
            self._stop(cell)

    def _stop(self, cell: Cell) -> None:
        """End a cell: one that waits at once, what runs by an interrupt or a kill."""
        if cell is not self._running:
            if cell in self._queue:
                self._queue.remove(cell)
                status = "timed_out" if cell.timed_out else "error"
                self._finish(cell, status, kept=True)
        elif not cell.is_stopping:
            cell.is_stopping = True
            self._interrupt(cell)
            self._after(GRACE, lambda: self._kill(cell))

    def _interrupt(self, cell: Cell) -> None:
        if cell is self._running and self._speaker is not None:
            self._speaker.interrupt()
            self._after(_AGAIN, lambda: self._interrupt(cell))

    def _kill(self, cell: Cell) -> None:
        if cell is self._running:
            self._lose("it did not end when it was interrupted", kill=True)
            self._go_on()

    def _tell(self) -> None:
        for viewer in list(self._viewers):
            if viewer.cell is not None:
                self._flush(viewer)

    def _tell_waiting(self, message: Message) -> None:
        waiting, self._waiting = self._waiting, []
        for viewer in waiting:
            viewer.answer(message)
            self._flush(viewer)
