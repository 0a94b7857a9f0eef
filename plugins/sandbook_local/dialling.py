"""The way to what listens inside a sandbox: a connected socket, passed out by init.

What comes is believed as little as the rest of a sandbox: one descriptor that is a
stream socket, or an errno.
"""

from __future__ import annotations

import socket
from pathlib import Path

from sandbook_local.connection import Connection, Ended, request
from sandbook_local.inside import frames
from sandbook_local.inside.frames import Frame, Message

_FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


class DialRefused(Exception):  # noqa: N818 (becomes an error where it is known of what)
    """Nothing could be connected to; `number` is the errno."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class DialBusy(Exception):  # noqa: N818 (as above)
    """The sandbox has too much to do to connect to anything now."""


async def dial_port(folder: Path, number: int) -> socket.socket:
    """Connect to a port of the sandbox's loopback.

    Raises:
        DialRefused, DialBusy, Ended, ProtocolError: What hindered it.
    """
    return _socket_of(await _ask(folder, {"do": "dial", "port": number}))


async def dial_path(folder: Path, path: str) -> socket.socket:
    """Connect to a socket by its path inside; raises as `dial_port` does."""
    return _socket_of(await _ask(folder, {"do": "dial", "path": path}))


async def look_for_listener(folder: Path, number: int) -> None:
    """Raise `DialRefused` where nothing listens; makes no connection to find out."""
    (await _ask(folder, {"do": "listens", "port": number})).close()


async def _ask(folder: Path, order: Message) -> Frame:
    frame = await request(folder, order)
    if frame.message.get("error") is not None:
        raise DialBusy(frame.message.get("text"))
    if not frame.descriptors:
        raise Ended
    way = Connection(socket.socket(fileno=frame.descriptors.pop()))
    try:
        answer = await way.receive()
    finally:
        way.close()
    number = frames.whole(answer.message, "errno")
    if number:
        answer.close()
        raise DialRefused(number)
    return answer


def _socket_of(answer: Frame) -> socket.socket:
    if len(answer.descriptors) != 1:
        answer.close()
        raise frames.ProtocolError("not one descriptor")
    try:
        found = socket.socket(fileno=answer.descriptors[0])
    except OSError as error:
        answer.close()
        raise frames.ProtocolError("a descriptor that is no socket") from error
    answer.descriptors.clear()
    if found.family not in _FAMILIES or found.type != socket.SOCK_STREAM:
        found.close()
        raise frames.ProtocolError("a socket of a strange kind")
    found.setblocking(False)
    return found
