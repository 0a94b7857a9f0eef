"""The keepers that pid 1 started, and the one of them that waits for its next order.

To copy pid 1 takes as long as to run a small program, so a keeper that has seen the end
of all its command started is given the next. It says that it took its order before it
begins: until then anything inside may end it, and the order is carried out by another.
"""

from __future__ import annotations

import _socket
import errno
import os
import select
import signal

from sandbook_local.inside import frames, keeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from sandbook_local.inside.frames import Frame

_MOST_PASSED = 64 << 10
"""Bytes of an order that a socket surely takes at once."""

_ANSWERS_MS = 1000
"""So long may one that something inside stopped again and again keep us waiting."""


class Keepers:
    """Who keeps which command.

    `poll` is that of init, `leave` lets a child of it go of what is init's own.
    """

    def __init__(self, poll: select.poll, leave: Callable[[], None]) -> None:
        self._poll = poll
        self._leave = leave
        self._by_way: dict[int, _Keeper] = {}
        self._waiting: _Keeper | None = None

    def pids(self) -> set[int]:
        """All of them."""
        return {one.pid for one in self._by_way.values()}

    def busy(self) -> int:
        """How many have a command."""
        return len(self._by_way) - (self._waiting is not None)

    def of(self, command: int) -> int | None:
        """Who keeps this command; nobody once all that it started has ended."""
        found = self._find(command)
        if found is not None and found.order is not None:
            # It may have ended without taking its order, and another keeps it then.
            self._settle(found)
            found = self._find(command)
        return None if found is None else found.pid

    def start(self, order: Frame) -> None:
        """Have a command started, by a keeper that knows it from now on.

        The one that waits is ended when it cannot do it, so that there is no other.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is not None and waiting.take(order):
            return
        if waiting is not None:
            self._hang_up(waiting)
        self._fork(order)

    def look(self, descriptor: int) -> None:
        """Hear the keeper that speaks here, if one does."""
        one = self._by_way.get(descriptor)
        if one is not None:
            self._hear(one)

    def forget(self, pid: int) -> None:
        """It has ended."""
        one = next((one for one in self._by_way.values() if one.pid == pid), None)
        if one is not None:
            self._hear_last(one)

    def leave(self) -> None:
        """In a child of init: let go of all of them, and of their orders."""
        for one in self._by_way.values():
            one.close()

    def _find(self, command: int) -> _Keeper | None:
        every = self._by_way.values()
        return next((one for one in every if one.command == command), None)

    def _settle(self, one: _Keeper) -> None:
        """Wait until it has taken its order; who does not answer is ended."""
        if one.speaks():
            self._hear(one)
            return
        os.kill(one.pid, signal.SIGKILL)
        one.speaks()
        self._hear_last(one)

    def _hear_last(self, one: _Keeper) -> None:
        """Hear what it said before it ended."""
        while words := one.read():
            self._obey(one, words)
        if one in self._by_way.values():
            self._lose(one)

    def _hear(self, one: _Keeper) -> None:
        words = one.read()
        if words == b"":
            self._lose(one)
        elif words is not None:
            self._obey(one, words)

    def _obey(self, one: _Keeper, words: bytes) -> None:
        for word in words:
            if word == keeper.TAKEN:
                one.let_go_of_order()
            elif word == keeper.READY:
                self._be_ready(one)

    def _be_ready(self, one: _Keeper) -> None:
        one.command = None
        if self._waiting is None:
            self._waiting = one
        else:
            self._hang_up(one)

    def _hang_up(self, one: _Keeper) -> None:
        self._remove(one)
        one.close()

    def _lose(self, one: _Keeper) -> None:
        order, one.order = one.order, None
        self._hang_up(one)
        if order is not None:
            try:
                self._fork(order)
            finally:
                order.close()

    def _remove(self, one: _Keeper) -> None:
        self._poll.unregister(one.way)
        del self._by_way[one.way.fileno()]
        if self._waiting is one:
            self._waiting = None

    def _fork(self, order: Frame) -> None:
        try:
            ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
        except OSError as error:
            _refuse(order, error)
            return
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._become(lambda: keeper.keep(theirs, order))
            self._add(_Keeper(pid, ours, order))
        except OSError as error:
            ours.close()
            _refuse(order, error)
        finally:
            theirs.close()

    def _add(self, one: _Keeper) -> None:
        self._by_way[one.way.fileno()] = one
        self._poll.register(one.way, select.POLLIN)

    def _become(self, live: Callable[[], NoReturn]) -> NoReturn:
        try:
            self._leave()
            live()
        finally:
            os._exit(1)


class _Keeper:
    """A keeper, the way to it, its command, and its order until it has taken it.

    `_most` is how many processes its commands may have at most: it cannot raise that.
    """

    __slots__ = ("_most", "command", "order", "pid", "way")

    def __init__(self, pid: int, way: _socket.socket, first: Frame) -> None:
        self.pid = pid
        self.way = way
        self.order: Frame | None = None
        self.command: int | None = _number(first)
        self._most = _processes(first)

    def take(self, order: Frame) -> bool:
        """Give it its order, and keep the order until it has taken it.

        False = it has ended, the order is too long, or needs more than it may give.
        """
        if _processes(order) > self._most:
            return False
        data = frames.pack(order.message, descriptors=len(order.descriptors))
        if len(data) > _MOST_PASSED:
            return False
        try:
            # Something inside may have stopped it while it waited.
            os.kill(self.pid, signal.SIGCONT)
            frames.send_all(self.way, data, order.descriptors)
        except OSError:
            return False
        self.command = _number(order)
        self._most = _processes(order)
        self.order = frames.Frame(order.message, b"", order.descriptors)
        order.descriptors.clear()
        return True

    def speaks(self) -> bool:
        """Whether it has said something within a second, or has ended."""
        poll = select.poll()
        poll.register(self.way, select.POLLIN)
        return bool(poll.poll(_ANSWERS_MS))

    def read(self) -> bytes | None:
        """What it says now: None = nothing, empty = it has ended, or we hung up."""
        try:
            return self.way.recv(2, _socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:  # it had not read its order
            return b""

    def let_go_of_order(self) -> None:
        """Close what came with it."""
        if self.order is not None:
            self.order.close()
            self.order = None

    def close(self) -> None:
        """Hang up."""
        self.let_go_of_order()
        self.way.close()


def _number(order: Frame) -> int:
    return frames.whole(order.message, "id")


def _processes(order: Frame) -> int:
    return frames.whole(order.message, "processes")


def _refuse(order: Frame, error: OSError) -> None:
    """Say that there is nobody to keep a command."""
    keeper.report(order.descriptors[0], b"n", error.errno or errno.EAGAIN)
