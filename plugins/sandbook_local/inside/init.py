"""Pid 1 of a sandbox: starts keepers and workers, ends trees, adopts nobody.

Single-threaded, without rights, and not dumpable, so that no command can read or
trace it. When it dies, the kernel ends everything else in the sandbox.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import select
import signal
import sys

from sandbook_local.inside import (
    dials,
    frames,
    freezing,
    keepers,
    kernel,
    pausing,
    processes,
)
from sandbook_local.inside.plan import CODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from sandbook_local.inside.frames import Frame, Message
    from sandbook_local.inside.plan import Plan

PROXY_PORT = 3128
_BACKLOG = 128


class Init:
    """What pid 1 knows: the way to the supervisor, and whom it started."""

    def __init__(self, plan: Plan, channel: _socket.socket) -> None:
        self._plan = plan
        self._channel = channel
        self._reader = frames.Reader()
        self._workers: set[int] = set()
        self._wake = os.pipe()
        self._pause = pausing.Pause()
        self._poll = select.poll()
        self._keepers = keepers.Keepers(self._poll, self._leave)
        self._dials = dials.Dials(self._poll)

    def serve(self) -> None:
        """Serve until the supervisor is gone."""
        self._listen_for_children()
        self._greet()
        self._poll.register(self._channel, select.POLLIN)
        self._poll.register(self._wake[0], select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in self._poll.poll()]
            if self._wake[0] in ready:
                os.read(self._wake[0], 512)
                self._reap()
            for descriptor in ready:
                self._dials.look(descriptor)
                self._keepers.look(descriptor)
            if self._channel.fileno() in ready and not self._serve_channel():
                return

    def _listen_for_children(self) -> None:
        for descriptor in self._wake:
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)

    def _greet(self) -> None:
        """Hand out what the supervisor needs from inside, and wait for its word."""
        flags = os.O_RDONLY | os.O_DIRECTORY
        folders = ("/proc", self._plan.home, "/dev/pts")
        descriptors = [os.open(folder, flags) for folder in folders]
        opened = tuple(descriptors)
        listener = None
        if self._plan.egress:
            listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", PROXY_PORT))
            listener.listen(_BACKLOG)
            descriptors.append(listener.fileno())
        greeting = frames.pack({"ready": True}, descriptors=len(descriptors))
        frames.send_all(self._channel, greeting, descriptors)
        for descriptor in opened:
            os.close(descriptor)
        if listener is not None:
            listener.close()
        # The word comes after the supervisor became our parent: only then does the
        # kernel bind our life to its.
        if self._channel.recv(1) != b"!":
            os._exit(1)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)

    def _serve_channel(self) -> bool:
        if not self._reader.receive(self._channel):
            return False
        while (frame := self._reader.next()) is not None:
            try:
                self._obey(frame)
            finally:
                frame.close()
        return True

    def _obey(self, frame: Frame) -> None:
        match frames.text(frame.message, "do"):
            case "spawn":
                self._spawn(frame)
            case "worker":
                self._work(frame)
            case "dial":
                self._dials.start(frame.message, frame.descriptors.pop())
            case "pause" | "resume" | "pack" | "unpack" as do:
                self._hold(do, frame)
            case "listens":
                dials.tell_listening(frame.message, frame.descriptors.pop())
            case _:
                number = frames.whole(frame.message, "id")
                pid = self._keepers.of(number)
                if pid is not None:
                    _end(frame.message, pid)

    def _hold(self, do: str, frame: Frame) -> None:
        if do in ("pack", "unpack"):
            self._move_files(do, frame)
            return
        if do == "pause":
            self._pause.begin()
        else:
            self._pause.end()
        _done(frame)

    def _move_files(self, do: str, frame: Frame) -> None:
        """Pack or unpack all files while everybody stands still; we, too, wait."""
        way, file = frame.descriptors
        still = pausing.Pause()
        still.begin()
        try:
            worker = os.fork()
            if worker == 0:
                self._leave()
                freezing.work(do, self._plan, file, _socket.socket(fileno=way))
            freezing.wait_for(worker)
        finally:
            still.end()

    def _spawn(self, frame: Frame) -> None:
        own = self._keepers.busy() + len(self._workers) + 2
        frame.message["processes"] = self._plan.pids + own
        self._keepers.start(frame)

    def _work(self, frame: Frame) -> None:
        pid = os.fork()
        if pid == 0:
            self._leave()
            _serve_files(frame.descriptors[0], self._plan)
        self._workers.add(pid)

    def _leave(self) -> None:
        """In a child: let go of what is init's own."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._channel.close()
        self._reader.close()
        self._keepers.leave()
        self._dials.drop()
        for descriptor in self._wake:
            os.close(descriptor)

    def _reap(self) -> None:
        strays = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            self._keepers.forget(pid)
            self._workers.discard(pid)
            strays = strays or status != 0
        if strays:
            processes.kill_adopted(self._keepers.pids() | self._workers)


def _done(frame: Frame) -> None:
    """Tell whoever waits at the other end of the way that came with an order."""
    way = _socket.socket(fileno=frame.descriptors.pop())
    with contextlib.suppress(OSError):  # nobody may be there any more
        frames.send_all(way, frames.pack({}))
    way.close()


def _end(message: Message, keeper_pid: int) -> None:
    match frames.text(message, "do"):
        case "signal":
            processes.signal_below(keeper_pid, frames.whole(message, "number"))
        case "kill":
            processes.kill_below(keeper_pid)
            # Something inside may have stopped it, and it has an end to report.
            os.kill(keeper_pid, signal.SIGCONT)
        case "drop":
            os.kill(keeper_pid, signal.SIGKILL)
        case other:
            raise frames.ProtocolError(f"unknown order {other!r}")


def _serve_files(descriptor: int, plan: Plan) -> NoReturn:
    """Be a worker for files, with the rights of a command."""
    import socket

    import sandbook_local.inside

    sandbook_local.inside.__path__ = [CODE]
    try:
        from sandbook_local.inside import files

        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        files.serve(socket.socket(fileno=descriptor), plan.home, plan.workdir)
        os._exit(0)
    except Exception as error:  # noqa: BLE001 (the log is the only place to say it)
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(1)
