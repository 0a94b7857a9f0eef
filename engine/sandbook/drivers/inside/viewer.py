"""Who is connected to a context, and what of a cell is on its way to them."""

from __future__ import annotations

import json
import socket

from sandbook.drivers.inside.cell import Cell
from sandbook.drivers.inside.wire import Message

_AHEAD = 256 << 10
"""Bytes that are taken out of a cell before they are sent."""


class Viewer:
    """One connection: what it asked, what it still gets."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.cell: Cell | None = None
        self.is_gone = self.has_left = False
        self._lines: list[bytes] = []
        self._next = 0
        self._received = bytearray()
        self._out = bytearray()

    def receive(self) -> list[Message] | None:
        """What it asks; None when it has hung up."""
        try:
            data = self.sock.recv(256 << 10)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self._received += data
        *lines, rest = bytes(self._received).split(b"\n")
        self._received = bytearray(rest)
        return [json.loads(line) for line in lines]

    def answer(self, message: Message) -> None:
        """Tell it something."""
        self._out += json.dumps(message).encode("ascii") + b"\n"

    def view(self, cell: Cell, *, after: int) -> None:
        """Let it have what a cell gives, beyond the first lines."""
        self.cell = cell
        # What is forgotten later is still what this one began to read.
        self._lines = cell.lines
        # Who has heard more than is kept hears how it ended.
        is_forgotten = cell.is_over and after >= len(cell.lines)
        self._next = 0 if is_forgotten else after

    def send(self) -> bool:
        """Send what can be sent now; False when there is nobody."""
        while True:
            while self._next < len(self._lines) and len(self._out) < _AHEAD:
                self._out += self._lines[self._next]
                self._next += 1
            if not self._out:
                return True
            try:
                sent = self.sock.send(self._out)
            except BlockingIOError:
                return True
            except OSError:
                return False
            del self._out[:sent]

    def waits(self) -> bool:
        """Whether there is more to send than it takes."""
        return bool(self._out)
