"""A client's connection as the supervisor sees it; clients come and go as they like."""

from __future__ import annotations

import _socket
import collections

from sandbook_local.inside import frames, loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbook_local.inside.frames import Frame, Message

_FULL = 256 << 10
_GONE = (BrokenPipeError, ConnectionResetError)


class Peer:
    """One end of a connection, with what still has to be sent."""

    def __init__(
        self,
        lp: loop.Loop,
        channel: _socket.socket,
        serve: Callable[[Peer, Frame], None],
    ) -> None:
        self._loop = lp
        self._channel = channel
        self._serve = serve
        self._reader = frames.Reader()
        self._outgoing: collections.deque[tuple[bytes, list[int]]] = collections.deque()
        self._pending = 0
        self._events = loop.READ
        self._finishing = False
        self.source: Callable[[], bytes | None] | None = None
        self.when_done: list[Callable[[], None]] = []
        self.when_closed: list[Callable[[], None]] = []
        self.stays = False
        self.is_open = True
        channel.setblocking(False)
        lp.watch(channel.fileno(), loop.READ, self._on_event)

    @property
    def waiting(self) -> int:
        """Frames that the other side has not taken yet."""
        return len(self._outgoing)

    def send(self, message: Message, *, descriptors: Sequence[int] = ()) -> None:
        """Send a frame as soon as there is room; takes over the descriptors."""
        self._queue(
            frames.pack(message, descriptors=len(descriptors)), list(descriptors)
        )
        self.flush()

    def finish(self) -> None:
        """Close once everything is sent, or wait for more if the client stays."""
        self._finishing = True
        self.flush()

    def flush(self) -> None:
        """Send what can be sent now, asking `source` for more while there is room."""
        if not self.is_open:
            return
        try:
            self._fill()
            while self._outgoing and self._send_first():
                self._fill()
        except _GONE:
            self.close()
            return
        self._await_room()

    def close(self) -> None:
        """Hang up."""
        if not self.is_open:
            return
        self.is_open = False
        self._loop.forget(self._channel.fileno())
        self._reader.close()
        for _, descriptors in self._outgoing:
            frames.Frame({}, b"", descriptors).close()
        self._channel.close()
        self._be_done()
        for call in self.when_closed:
            call()

    def _be_done(self) -> None:
        self.source = None
        self._finishing = False
        calls, self.when_done = self.when_done, []
        for call in calls:
            call()

    def _fill(self) -> None:
        while self.source is not None and self._pending < _FULL:
            data = self.source()
            if data is None:
                return
            self._queue(data, [])

    def _queue(self, data: bytes, descriptors: list[int]) -> None:
        self._outgoing.append((data, descriptors))
        self._pending += len(data)

    def _send_first(self) -> bool:
        data, descriptors = self._outgoing[0]
        extra = frames.ancillary(descriptors)
        try:
            sent = self._channel.sendmsg([data], extra, _socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        self._pending -= sent
        frames.Frame({}, b"", descriptors).close()
        if sent < len(data):
            self._outgoing[0] = (data[sent:], [])
            return False
        self._outgoing.popleft()
        return True

    def _await_room(self) -> None:
        if not self._outgoing and self._finishing:
            if not self.stays:
                self.close()
                return
            self._be_done()
        events = loop.READ | (loop.WRITE if self._outgoing else 0)
        if events != self._events:
            self._events = events
            self._loop.change(self._channel.fileno(), events)

    def _on_event(self, events: int) -> None:
        if events & loop.WRITE:
            self.flush()
        if self.is_open and events & ~loop.WRITE:
            self._receive()

    def _receive(self) -> None:
        try:
            if not self._reader.receive(self._channel):
                self.close()
                return
            while self.is_open and (frame := self._reader.next()) is not None:
                self._serve(self, frame)
                frame.close()
        except BlockingIOError:
            return
        except (*_GONE, frames.ProtocolError):
            self.close()


def accept(server: _socket.socket) -> int:
    """A descriptor; `accept` itself is in `socket`, which takes 5 ms to load."""
    found: object = server._accept()[0]  # type: ignore[attr-defined]  # noqa: SLF001
    if not isinstance(found, int):
        raise TypeError("not a descriptor")
    return found
