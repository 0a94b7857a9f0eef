"""The keepers that pid 1 started, and one more that waits for its order.

To copy pid 1 takes as long as to run a small program, so a keeper is forked ahead of
the command that it will start.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import signal

from sandbook_local.inside import frames, keeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import NoReturn

    from sandbook_local.inside.frames import Message

OWN_PROCESSES = 2
"""What runs in a sandbox beside keepers, workers and commands: init, and the spare."""

_MOST_PASSED = 64 << 10
"""Bytes of an order that a new socket surely takes at once."""


class Keepers:
    """Who keeps which command; `leave` lets a child go of what is init's own."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave
        self._commands: dict[int, int] = {}
        self._spare: _Spare | None = None

    def pids(self) -> Collection[int]:
        """All of them, with the one that waits."""
        spare = () if self._spare is None else (self._spare.pid,)
        return {*self._commands, *spare}

    def of(self, command: int) -> list[int]:
        """Who keeps this command; nobody once it has ended."""
        return [pid for pid, kept in self._commands.items() if kept == command]

    def __len__(self) -> int:
        """How many commands are kept."""
        return len(self._commands)

    def start(self, order: Message, descriptors: Sequence[int]) -> None:
        """Have a command started, by a keeper that knows it from now on."""
        pid = self._hand_over(order, descriptors)
        if pid is None:
            pid = self._fork(order, descriptors)
        if pid is not None:
            self._commands[pid] = frames.whole(order, "id")

    def fork_ahead(self) -> None:
        """Have a keeper wait for the next order; without one, it is forked then."""
        if self._spare is not None:
            return
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        with contextlib.suppress(OSError):  # as many processes as there may be
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._become(lambda: keeper.wait_for_order(theirs))
            self._spare = _Spare(pid, ours)
        theirs.close()

    def forget(self, pid: int) -> None:
        """It has ended."""
        self._commands.pop(pid, None)
        if self._spare is not None and self._spare.pid == pid:
            self._drop_spare()

    def leave(self) -> None:
        """In a child of init: let go of the way to the one that waits."""
        if self._spare is not None:
            self._spare.way.close()

    def _hand_over(self, order: Message, descriptors: Sequence[int]) -> int | None:
        spare = self._spare
        if spare is None or not spare.take(order, descriptors):
            return None
        self._drop_spare()
        return spare.pid

    def _drop_spare(self) -> None:
        self.leave()
        self._spare = None

    def _fork(self, order: Message, descriptors: Sequence[int]) -> int | None:
        try:
            pid = os.fork()
        except OSError as error:
            keeper.report(descriptors[0], b"n", error.errno or errno.EAGAIN)
            return None
        if pid == 0:
            self._become(lambda: keeper.keep(order, descriptors))
        return pid

    def _become(self, live: Callable[[], NoReturn]) -> NoReturn:
        try:
            self._leave()
            live()
        finally:
            os._exit(1)


class _Spare:
    """A keeper without a command, and the way to it."""

    __slots__ = ("pid", "way")

    def __init__(self, pid: int, way: _socket.socket) -> None:
        self.pid = pid
        self.way = way

    def take(self, order: Message, descriptors: Sequence[int]) -> bool:
        """Give it its order; False = it has ended, or the order is too long."""
        data = frames.pack(order, descriptors=len(descriptors))
        if len(data) > _MOST_PASSED:
            return False
        # Something inside may have stopped it while it waited.
        os.kill(self.pid, signal.SIGCONT)
        try:
            frames.send_all(self.way, data, descriptors)
        except OSError:
            return False
        return True
