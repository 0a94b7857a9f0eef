"""An interpreter as a program of its own: its streams, its orders, its answers."""

from __future__ import annotations

import codecs
import fcntl
import os
import selectors
import signal
from typing import Any

from sandbook.drivers.inside import tree
from sandbook.drivers.inside.cell import STREAMS

ANSWERS = 4
"""The descriptor on which it tells of its cells."""

_PIECE = 64 << 10
_DRAIN = 16 << 20
_HIGH = 100


class Child:
    """The program, and the pipes to it; `selector` hears of them by their name."""

    def __init__(
        self, selector: selectors.BaseSelector, argv: list[str], **place: Any
    ) -> None:
        self._selector = selector
        self._orders = b""
        reading, self._writing = os.pipe()
        pipes = {name: os.pipe() for name in (*STREAMS, "answers")}
        theirs = [reading, *(pipe[1] for pipe in pipes.values())]
        self.pid = _spawn(argv, theirs, **place)
        for descriptor in theirs:
            os.close(descriptor)
        self._pipes = {name: pipe[0] for name, pipe in pipes.items()}
        self._decoders = {
            name: codecs.getincrementaldecoder("utf-8")("replace") for name in STREAMS
        }
        for name, descriptor in self._pipes.items():
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ, name)
        os.set_blocking(self._writing, False)

    def order(self, data: bytes) -> None:
        """Tell it something, as soon as it takes it."""
        self._orders += data
        self.write()

    def write(self) -> None:
        """Let it have what it takes now."""
        waiting = self._writing in self._selector.get_map()
        try:
            while self._orders:
                self._orders = self._orders[os.write(self._writing, self._orders) :]
        except BlockingIOError:
            if not waiting:
                self._selector.register(self._writing, selectors.EVENT_WRITE, "orders")
            return
        except OSError:
            self._orders = b""  # its end is heard of elsewhere
        if waiting:
            self._selector.unregister(self._writing)

    def read(self, name: str) -> bytes:
        """What there is of a stream, or of its answers."""
        descriptor = self._pipes.get(name)
        if descriptor is None:
            return b""
        try:
            data = os.read(descriptor, _PIECE)
        except BlockingIOError:
            return b""
        if not data:
            self._selector.unregister(descriptor)
            os.close(descriptor)
            del self._pipes[name]
        return data

    def texts(self, name: str, *, whole: bool) -> str:
        """What it has printed up to now, or only a piece of it."""
        found: list[str] = []
        left = _DRAIN if whole else 1
        while left > 0:
            data = self.read(name)
            if not data:
                break
            left -= len(data)
            found.append(self._decoders[name].decode(data))
        return "".join(found)

    def interrupt(self) -> None:
        """Interrupt it, and what it started."""
        try:
            os.killpg(self.pid, signal.SIGINT)
        except ProcessLookupError:
            return

    def close(self) -> None:
        """Let go of its pipes."""
        registered = self._selector.get_map()
        for descriptor in (self._writing, *self._pipes.values()):
            if descriptor in registered:
                self._selector.unregister(descriptor)
            os.close(descriptor)
        self._pipes.clear()


def _spawn(
    argv: list[str], theirs: list[int], *, env: dict[str, str], cwd: str, orders: int
) -> int:
    """Start it; its orders come on the descriptor `orders`."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        tree.end_with_parent(parent)
        _wire((orders, 1, 2, ANSWERS), theirs)
        os.chdir(cwd)
        os.execvpe(argv[0], argv, env)  # noqa: S606 - its whole purpose
    except OSError as error:
        told = f"{argv[0]}: {error.strerror}\n"
        os.write(2, told.encode("utf-8", "surrogateescape"))
    finally:
        os._exit(127)


def _wire(targets: tuple[int, ...], theirs: list[int]) -> None:
    """Put descriptors in their places; stdin is empty where it is none of them."""
    empty = os.open("/dev/null", os.O_RDONLY)
    # First out of the way of each other.
    high = [fcntl.fcntl(d, fcntl.F_DUPFD_CLOEXEC, _HIGH) for d in (empty, *theirs)]
    for source, target in zip(high, (0, *targets)):
        os.dup2(source, target, inheritable=True)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def words(status: int) -> str:
    """How an interpreter ended, in words."""
    if not os.WIFSIGNALED(status):
        code = status >> 8
        return f"the interpreter ended by itself, with exit code {code}"
    number = os.WTERMSIG(status)
    told = f"the interpreter was ended by signal {number}"
    return told + (", as when memory runs out" if number == signal.SIGKILL else "")
