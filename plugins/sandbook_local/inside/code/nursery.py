"""A process that has loaded a kernel's packages, and forks itself into kernels.

It has one thread, no loop and no context of ZeroMQ, so that a fork of it is whole. It
tells the driver of every kernel's end.
"""

from __future__ import annotations

import _socket
import gc
import os
import select
import signal
import sys
import traceback

from sandbook_local.inside import frames, kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from sandbook_local.inside.frames import Message


def leave(warm: Callable[[], None]) -> _socket.socket:
    """Start the nursery as a child of this process; the way to it.

    `warm` loads what kernels share with this process, and is called here, before. No
    garbage is looked for in it: there is next to none, and looking takes long.
    """
    warm()
    gc.freeze()
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    parent = os.getpid()
    if os.fork():
        theirs.close()
        os.set_inheritable(ours.fileno(), False)
        return ours
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            keep = theirs.fileno()
            os.closerange(3, keep)
            os.closerange(keep + 1, 1024)
            _Nursery(theirs).serve()
    finally:
        os._exit(0)


class _Nursery:
    def __init__(self, channel: _socket.socket) -> None:
        self._channel = channel
        self._reader = frames.Reader()
        self._kernels: dict[int, str] = {}
        self._wake = os.pipe()
        for descriptor in self._wake:
            os.set_blocking(descriptor, False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)

    def serve(self) -> None:
        """Fork as ordered, until the driver is gone."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._wake[0], select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poll.poll()]
            if self._wake[0] in ready:
                os.read(self._wake[0], 512)
                self._reap()
            if self._channel.fileno() in ready:
                if not self._reader.receive(self._channel):
                    return
                while (frame := self._reader.next()) is not None:
                    self._fork(frame.message)

    def _fork(self, message: Message) -> None:
        name = frames.text(message, "folder")
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._tell({"folder": name, "refused": os.strerror(error.errno or 0)})
            return
        if pid == 0:
            self._be_kernel(message, parent)
        self._kernels[pid] = name
        self._tell({"folder": name, "pid": pid})

    def _be_kernel(self, message: Message, parent: int) -> NoReturn:
        from sandbook_local.inside.code import kernel_app

        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._channel.close()
            for descriptor in self._wake:
                os.close(descriptor)
            kernel_app.settle(parent)
            kernel_app.be_kernel(
                frames.text(message, "folder"),
                key=frames.text(message, "key"),
                cwd=frames.text(message, "cwd"),
                env=frames.mapping(message, "env"),
            )
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0
        except BaseException:  # noqa: BLE001 (the log of the sandbox is all there is)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = self._kernels.pop(pid, None)
            if name is not None:
                self._tell({"folder": name, "ended": status})

    def _tell(self, message: Message) -> None:
        frames.send_all(self._channel, frames.pack(message))
