"""Messages over a stream: one JSON object a line."""

from __future__ import annotations

import base64
import json
import os
import select
import socket
from typing import Any, Dict

Message = Dict[str, Any]
PIECE = 48 << 10
"""Bytes of data in one message."""


def packed(data: bytes) -> str:
    """Bytes as text."""
    return base64.b64encode(data).decode("ascii")


def unpacked(text: str) -> bytes:
    """Read what `packed` made."""
    return base64.b64decode(text)


class Line:
    """A connected socket, read and written a message at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._received = bytearray()

    def fileno(self) -> int:
        """For `select`."""
        return self.sock.fileno()

    def send(self, message: Message) -> None:
        """Write one; waits while the other side does not read."""
        self.sock.sendall(json.dumps(message).encode("ascii") + b"\n")

    def receive(self) -> Message | None:
        """The next one; None at the end."""
        while b"\n" not in self._received:
            if not self.fill():
                return None
        line, _, rest = self._received.partition(b"\n")
        self._received = bytearray(rest)
        message: Message = json.loads(line)
        return message

    def fill(self) -> bool:
        """Take what there is; False at the end."""
        try:
            data = self.sock.recv(256 << 10)
        except OSError:
            return False
        self._received += data
        return bool(data)

    def lines(self) -> bytes:
        """The whole lines taken so far, as they are."""
        whole, cut, rest = self._received.rpartition(b"\n")
        self._received = bytearray(rest)
        return bytes(whole + cut)


def relay(one: Line, other: Line) -> bool | None:
    """Pass whole lines both ways until a side ends.

    None = `other` did; else whether `one` had said anything before it ended.
    """
    heard = False
    while True:
        ready: list[Line] = select.select([one, other], [], [])[0]
        if one in ready:
            if not one.fill():
                return heard
            told = one.lines()
            heard = heard or bool(told)
            other.sock.sendall(told)
        if other in ready:
            if not other.fill():
                return None
            try:
                one.sock.sendall(other.lines())
            except OSError:
                # It has ended, and more of its last words may have come since.
                return _rest(one, other) or heard


def _rest(one: Line, other: Line) -> bool:
    heard = False
    while one.fill():
        heard = True
        other.sock.sendall(one.lines())
    return heard


def dial(folder: str) -> socket.socket:
    """Connect to the keeper of a folder, whose path may be longer than a socket's."""
    at = os.open(folder, os.O_PATH)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(f"/proc/self/fd/{at}/sock")
    except BaseException:
        sock.close()
        raise
    finally:
        os.close(at)
    return sock
