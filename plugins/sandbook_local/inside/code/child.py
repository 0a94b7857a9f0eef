"""An interpreter that is a program of its own, with its streams as our pipes."""

from __future__ import annotations

import codecs
import fcntl
import os
import signal

from sandbook_local.inside import kernel, loop, processes
from sandbook_local.inside.code import endings
from sandbook_local.inside.code.events import STREAMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbook_local.inside.code.context import Context

_PIECE = 64 << 10
_DRAIN = 16 << 20
_HIGH = 100
ORDERS, ANSWERS = 3, 4
"""The descriptors by which it hears of cells and tells of them."""


class Child:
    """The program; `hear` gets the bytes of its answers, `ended` why it is gone.

    Its orders come on the descriptor `orders`.
    """

    def __init__(
        self,
        lp: loop.Loop,
        context: Context,
        argv: Sequence[str],
        *,
        hear: Callable[[bytes], None],
        ended: Callable[[str, int], None],
        orders: int = ORDERS,
    ) -> None:
        self._loop = lp
        self._context: Context | None = context
        self._hear = hear
        self._ended = ended
        self._orders = b""
        self._is_writing = False
        reading, self._writing = os.pipe()
        pipes = {name: os.pipe() for name in (*STREAMS, "answers")}
        theirs = [reading, *(pipe[1] for pipe in pipes.values())]
        self.pid = _spawn(argv, context, (orders, 1, 2, ANSWERS), theirs)
        for descriptor in theirs:
            os.close(descriptor)
        self._pipes = {name: pipe[0] for name, pipe in pipes.items()}
        self._decoders = {
            name: codecs.getincrementaldecoder("utf-8")("replace") for name in STREAMS
        }
        for descriptor in (self._writing, *self._pipes.values()):
            os.set_blocking(descriptor, False)
        for name, descriptor in self._pipes.items():
            lp.watch(descriptor, loop.READ, self._reader(name))
        self._end = os.pidfd_open(self.pid)
        lp.watch(self._end, loop.READ, lambda _: self._reap())

    def order(self, data: bytes) -> None:
        """Tell it something, as soon as it takes it."""
        self._orders += data
        self._write()

    def drain(self) -> None:
        """Take what it printed up to now."""
        for name in STREAMS:
            left = _DRAIN
            while left > 0 and (count := self._read(name)):
                left -= count

    def interrupt(self) -> None:
        """Interrupt it, and what it started."""
        try:
            os.killpg(self.pid, signal.SIGINT)
        except ProcessLookupError:
            return

    def waited(self) -> float:
        """Seconds in which it wanted a processor in vain."""
        return processes.waited(self.pid)

    def kill(self) -> None:
        """End it, and what is below it; nothing is heard of it again."""
        self._context = None
        processes.kill_below(self.pid)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _write(self) -> None:
        try:
            while self._orders:
                sent = os.write(self._writing, self._orders)
                self._orders = self._orders[sent:]
        except BlockingIOError:
            if not self._is_writing:
                self._is_writing = True
                self._loop.watch(self._writing, loop.WRITE, lambda _: self._write())
            return
        except BrokenPipeError:
            self._orders = b""  # its end is heard of elsewhere
        if self._is_writing:
            self._is_writing = False
            self._loop.forget(self._writing)

    def _reader(self, name: str) -> Callable[[int], None]:
        def read(_events: int) -> None:
            self._read(name)

        return read

    def _read(self, name: str) -> int:
        descriptor = self._pipes.get(name)
        if descriptor is None:
            return 0
        try:
            data = os.read(descriptor, _PIECE)
        except BlockingIOError:
            return 0
        if not data:
            self._loop.forget(descriptor)
            os.close(descriptor)
            del self._pipes[name]
        elif name == "answers":
            self._hear(data)
        elif self._context is not None:
            self._context.text(name, self._decoders[name].decode(data))
        return len(data)

    def _reap(self) -> None:
        _, status = os.waitpid(self.pid, 0)
        self.drain()
        context, self._context = self._context, None
        self._loop.forget(self._end)
        if self._is_writing:
            self._loop.forget(self._writing)
        for descriptor in self._pipes.values():
            self._loop.forget(descriptor)
        for descriptor in (self._end, self._writing, *self._pipes.values()):
            os.close(descriptor)
        self._pipes.clear()
        if context is not None:
            self._ended(endings.words(status), os.waitstatus_to_exitcode(status))


def _spawn(
    argv: Sequence[str],
    context: Context,
    targets: Sequence[int],
    theirs: Sequence[int],
) -> int:
    """Start it; `theirs` are to be its descriptors `targets`."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            _wire(targets, theirs)
            os.chdir(context.cwd)
            env = {**os.environ, **context.env}
            os.execvpe(argv[0], [*argv], env)  # noqa: S606 (its whole purpose)
    except OSError as error:
        os.write(2, f"{argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _wire(targets: Sequence[int], theirs: Sequence[int]) -> None:
    """Put descriptors in their places; stdin is empty where it is none of them."""
    empty = os.open("/dev/null", os.O_RDONLY)
    # First out of the way of each other.
    high = [fcntl.fcntl(d, fcntl.F_DUPFD_CLOEXEC, _HIGH) for d in (empty, *theirs)]
    for source, target in zip(high, (0, *targets), strict=True):
        os.dup2(source, target, inheritable=True)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
