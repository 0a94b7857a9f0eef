"""What cells gave: kept in order, bounded, and sent to whoever asks, again if need be.

The head of each stream goes out as it comes. When that is full, what comes later is
kept as a tail, which follows at the end with how much was left out between them.
"""

from __future__ import annotations

from sandbook_local.inside import frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbook_local.inside.frames import Message
    from sandbook_local.inside.peer import Peer

_HEAD = 1 << 20
_TAIL = 128 << 10
_PIECE = 64 << 10
_RICH = 16 << 20
_RICH_OF_A_CELL = 64 << 20
"""Bytes."""

STREAMS = ("stdout", "stderr")


class _Stream:
    """What one stream of a cell has given."""

    __slots__ = ("dropped", "head", "tail")

    def __init__(self) -> None:
        self.head = 0
        self.tail = ""
        self.dropped = 0


class Output:
    """Everything one cell gave, ready to be sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.size = 0
        self.is_ended = False
        self._streams = {name: _Stream() for name in STREAMS}
        self._rich = 0
        self._viewers: list[Viewer] = []

    def text(self, stream: str, data: str) -> None:
        """It printed something."""
        state = self._streams[stream]
        room = _HEAD - state.head
        shown, rest = data[: max(room, 0)], data[max(room, 0) :]
        state.head += len(shown)
        for at in range(0, len(shown), _PIECE):
            self._add_text(stream, shown[at : at + _PIECE])
        if rest:
            kept = state.tail + rest
            state.tail = kept[-_TAIL:]
            state.dropped += len(kept) - len(state.tail)

    def rich(self, data: Mapping[str, bytes], *, main: bool) -> None:
        """It showed something, by MIME type."""
        size = sum(map(len, data.values()))
        if size > _RICH or self._rich + size > _RICH_OF_A_CELL:
            told = f"[a result of {size} bytes is left out: it is too large]\n"
            self.text("stderr", told)
            return
        self._rich += size
        sizes = {name: len(value) for name, value in data.items()}
        self._add(frames.pack({"event": "rich", "main": main, "sizes": sizes}))
        for value in data.values():
            for at in range(0, len(value), frames.BLOB_LIMIT):
                self._add(frames.pack({}, value[at : at + frames.BLOB_LIMIT]))

    def failed(self, name: str, value: str, traceback: str) -> None:
        """It ended with an exception."""
        told: Message = {"event": "failed", "name": name, "value": value[:_HEAD]}
        self._add(frames.pack({**told, "traceback": traceback[:_HEAD]}))

    def end(self, told: Message) -> None:
        """It is over."""
        for stream, state in self._streams.items():
            if state.dropped:
                left_out = f"\n[truncated: {state.dropped} characters left out]\n"
                self._add_text(stream, left_out)
            for at in range(0, len(state.tail), _PIECE):
                self._add_text(stream, state.tail[at : at + _PIECE])
        self._add(frames.pack({"event": "done", **told}))
        self.is_ended = True
        for viewer in tuple(self._viewers):
            viewer.finish()

    def forget(self) -> None:
        """Keep only how it ended; whoever asks again is told so."""
        said = "[what it gave before is not kept any more]\n"
        last = [frame for frame in self.frames if b'"event":"failed"' in frame[:40]]
        told: Message = {"event": "text", "stream": "stderr", "data": said}
        self.frames = [frames.pack(told), *last[-1:], self.frames[-1]]
        self.size = sum(map(len, self.frames))

    def view(self, peer: Peer, left: Callable[[], None]) -> None:
        """Send all of it to a client; `left` is called when nobody listens any more."""
        viewer = Viewer(self, peer)
        self._viewers.append(viewer)

        def leave() -> None:
            self._viewers.remove(viewer)
            if not self._viewers and not self.is_ended:
                left()

        peer.when_closed.append(leave)
        viewer.start()

    def _add_text(self, stream: str, data: str) -> None:
        if data:
            told: Message = {"event": "text", "stream": stream, "data": data}
            self._add(frames.pack(told))

    def _add(self, frame: bytes) -> None:
        self.frames.append(frame)
        self.size += len(frame)
        for viewer in tuple(self._viewers):
            viewer.advance()


class Viewer:
    """One client's place in the output of a cell."""

    def __init__(self, output: Output, peer: Peer) -> None:
        self._output = output
        # What is forgotten later is still what this one began to read.
        self._frames = output.frames
        self._peer = peer
        self._next = 0

    def start(self) -> None:
        """Send what is there, and what comes, as the client can take it."""
        self._peer.source = self._pull
        self.advance()
        if self._output.is_ended:
            self.finish()

    def advance(self) -> None:
        """Send what is new."""
        self._peer.flush()

    def finish(self) -> None:
        """Hang up when all is sent."""
        self._peer.finish()

    def _pull(self) -> bytes | None:
        if self._next >= len(self._frames):
            return None
        self._next += 1
        return self._frames[self._next - 1]
