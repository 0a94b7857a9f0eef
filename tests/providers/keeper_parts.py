"""The parts of a keeper that hold bytes, and its look at the processes below it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Mapping

FRAME = struct.Struct("!QBdI")
STDOUT, STDERR, SUPERSEDED, END = range(4)

Frame = tuple[int, int, float, bytes]


class Spool:
    """The first `head` and last `tail` bytes of a stream, as they came in."""

    def __init__(self, head: int, tail: int) -> None:
        self.limits = (head, tail)
        self.first: list[Frame] = []
        self.last: deque[Frame] = deque()
        self.total = self.first_size = self.last_size = 0

    def add(self, frame: Frame) -> None:
        size = len(frame[3])
        self.total += size
        if self.first_size < self.limits[0]:
            self.first.append(frame)
            self.first_size += size
            return
        self.last.append(frame)
        self.last_size += size
        while self.last and self.last_size - len(self.last[0][3]) >= self.limits[1]:
            self.last_size -= len(self.last.popleft()[3])

    def frames(self) -> list[Frame]:
        return [*self.first, *self.last]

    def captured(self) -> tuple[bytes, bytes, int]:
        head_limit, tail_limit = self.limits
        start = b"".join(frame[3] for frame in self.first)
        rest = start[head_limit:] + b"".join(frame[3] for frame in self.last)
        tail = rest[-tail_limit:] if tail_limit else b""
        return start[:head_limit], tail, self.total


class Connection:
    """One client: what it still has to be sent, and what it waits for."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = bytearray()
        self.to_send = bytearray()
        self.role = "new"
        self.close_when_sent = False
        self.stdin_left = 0


def descendants() -> list[int]:
    """Every process below this one, zombies left out."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - a keeper starts without pathlib
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split()
            if fields[0] != b"Z":
                parents[int(name)] = int(fields[1])
    found: list[int] = []
    level = {os.getpid()}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found.extend(level)
    return found


def kill_all(number: int) -> None:
    """Signal every process below this one."""
    for pid in descendants():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def listening(folder: str) -> socket.socket:
    """Bind by way of the folder's descriptor: the path may be over 107 bytes."""
    at = os.open(folder, os.O_PATH)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"/proc/self/fd/{at}/sock")
    os.close(at)
    listener.listen(32)
    listener.setblocking(False)
    return listener


def open_stdin(kind: str | None, folder: str) -> tuple[int, int | None]:
    """What the program reads, and where we write it, if we do."""
    if kind == "pipe":
        here, there = os.pipe()
        os.set_blocking(there, False)
        return here, there
    source = "/dev/null" if kind is None else f"{folder}/stdin"
    return os.open(source, os.O_RDONLY), None


def is_over(life: str) -> bool:
    """Whether the sandbox whose `life` file this is has ended."""
    try:
        with open(life, encoding="ascii") as file:  # noqa: PTH123
            return time.time() >= float(file.read())
    except FileNotFoundError:
        return True


def store(folder: str, spools: list[Spool], told: Mapping[str, object]) -> None:
    """Write the chunks and kept bytes to `spool`, and what is told to `result.json`."""
    result = dict(told)
    with open(f"{folder}/spool", "wb") as file:  # noqa: PTH123
        file.writelines(
            FRAME.pack(*frame[:3], len(frame[3])) + frame[3]
            for frame in sorted(spools[0].frames() + spools[1].frames())
        )
        for name, spool in zip(("stdout", "stderr"), spools, strict=True):
            head, tail, total = spool.captured()
            result[name] = (file.tell(), len(head), len(tail), total)
            file.write(head + tail)
    with open(f"{folder}/result.new", "w", encoding="ascii") as file:  # noqa: PTH123
        json.dump(result, file)
    os.rename(f"{folder}/result.new", f"{folder}/result.json")  # noqa: PTH104
