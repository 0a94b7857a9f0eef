"""Who is connected to a keeper, and what is on its way to them."""

from __future__ import annotations

import json
import socket
from collections import deque
from typing import Any

from sandbook.drivers.inside.spool import STREAMS, Frame
from sandbook.drivers.inside.wire import packed

AHEAD = 256 << 10
"""Bytes that may wait for one who is slow, before the command has to wait."""


class Client:
    """One connection: what it asked, what it still gets."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = bytearray()
        self.to_send = bytearray()
        self.role = ""
        self.is_over = False
        self.room = 0
        self.frames: deque[Frame] = deque()
        self.ahead = 0
        self.input = b""

    @property
    def reads(self) -> bool:
        """Whether it came for the output or the end."""
        return self.role in ("output", "wait")

    def answer(self, message: dict[str, Any], *, last: bool = True) -> None:
        """Tell it something."""
        self.to_send += json.dumps(message).encode("ascii") + b"\n"
        self.is_over = self.is_over or last

    def give(self, frame: Frame) -> None:
        """Let it have a piece of output, as soon as it has room."""
        self.frames.append(frame)
        self.ahead += len(frame.data)

    def move(self) -> None:
        """Put pieces on the way while there is room."""
        while self.frames and self.room > 0 and len(self.to_send) < AHEAD:
            frame = self.frames.popleft()
            self.ahead -= len(frame.data)
            self.room -= len(frame.data)
            self._tell(frame)

    def finish(self) -> None:
        """Hand the rest out, however little room there is, and tell the end."""
        while self.frames:
            self._tell(self.frames.popleft())
        self.ahead = 0
        self.answer({"ended": True})

    def _tell(self, frame: Frame) -> None:
        told = [frame.seq, STREAMS[frame.stream], frame.at, packed(frame.data)]
        self.answer({"chunk": told}, last=False)
