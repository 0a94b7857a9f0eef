"""What is kept of a command's output: the first and last bytes of each stream.

Chunks are numbered by bytes: `seq` is how many bytes of both streams there were up to
its end. So neighbours can be joined, and cut again anywhere, without a number changing.
"""

from __future__ import annotations

import json
import os
import struct
from collections import deque
from typing import Any, Iterator

HEAD = struct.Struct("!QBdI")
STREAMS = ("stdout", "stderr")
_MANY = 2048
_SMALL = 16 << 10


class Frame:
    """A piece of one stream; `seq` is at its end."""

    __slots__ = ("at", "data", "seq", "stream")

    def __init__(self, seq: int, stream: int, at: float, data: bytes) -> None:
        self.seq = seq
        self.stream = stream
        self.at = at
        self.data = data

    def after(self, seq: int) -> Frame:
        """What of it comes after `seq`; never itself, which may yet be joined."""
        over = max(seq - (self.seq - len(self.data)), 0)
        return Frame(self.seq, self.stream, self.at, self.data[over:])


class Spool:
    """The first `head` and last `tail` bytes of a stream."""

    def __init__(self, head: int, tail: int) -> None:
        self.limits = (head, tail)
        self.first: list[Frame] = []
        self.last: deque[Frame] = deque()
        self.total = self.first_size = self.last_size = 0

    def add(self, frame: Frame) -> None:
        """Keep it, and let go of what is neither first nor last."""
        size = len(frame.data)
        self.total += size
        if self.first_size < self.limits[0]:
            self.first_size += size
            if not _joined(self.first, frame):
                self.first.append(frame)
            return
        self.last_size += size
        if not _joined(self.last, frame):
            self.last.append(frame)
        while self.last and self.last_size - len(self.last[0].data) >= self.limits[1]:
            self.last_size -= len(self.last.popleft().data)

    def is_full(self) -> bool:
        """Whether the next piece would make it let go of one."""
        return self.first_size + self.last_size >= sum(self.limits)

    def captured(self) -> tuple[bytes, bytes, int]:
        """Its first bytes, its last, and how many there were."""
        head, tail = self.limits
        start = b"".join(frame.data for frame in self.first)
        rest = start[head:] + b"".join(frame.data for frame in self.last)
        return start[:head], rest[-tail:] if tail else b"", self.total


def _joined(frames: Any, frame: Frame) -> bool:
    """Join a small piece to its neighbour where there are very many of them."""
    if len(frames) < _MANY:
        return False
    before: Frame = frames[-1]
    if before.seq != frame.seq - len(frame.data) or len(before.data) > _SMALL:
        return False
    before.data += frame.data
    before.seq = frame.seq
    return True


def in_order(spools: list[Spool]) -> list[Frame]:
    """All that is kept, by number."""
    kept = [frame for spool in spools for frame in (*spool.first, *spool.last)]
    return sorted(kept, key=lambda frame: frame.seq)


def store(folder: str, spools: list[Spool], told: dict[str, Any]) -> None:
    """Leave what is kept, and how it ended, for who comes later."""
    result = dict(told)
    with open(folder + "/spool", "wb") as file:
        for frame in in_order(spools):
            file.write(HEAD.pack(frame.seq, frame.stream, frame.at, len(frame.data)))
            file.write(frame.data)
        result["frames"] = file.tell()
        for name, spool in zip(STREAMS, spools):
            head, tail, total = spool.captured()
            result[name] = (file.tell(), len(head), len(tail), total)
            file.write(head + tail)
    with open(folder + "/result.new", "w", encoding="ascii") as text:
        json.dump(result, text)
    os.rename(folder + "/result.new", folder + "/result.json")


def read_result(folder: str) -> dict[str, Any]:
    """How it ended; `FileNotFoundError` where nobody left that."""
    with open(folder + "/result.json", encoding="ascii") as file:
        found: dict[str, Any] = json.load(file)
    return found


def read_frames(folder: str, *, after: int) -> Iterator[Frame]:
    """The pieces kept of an ended command that come after `after`."""
    end = read_result(folder)["frames"]
    with open(folder + "/spool", "rb") as file:
        while file.tell() < end:
            seq, stream, at, size = HEAD.unpack(file.read(HEAD.size))
            data = file.read(size)
            if seq > after:
                yield Frame(seq, stream, at, data).after(after)


def read_part(folder: str, place: int, size: int, piece: int) -> Iterator[bytes]:
    """Bytes of the spool, piece by piece."""
    with open(folder + "/spool", "rb") as file:
        file.seek(place)
        while size > 0:
            data = file.read(min(size, piece))
            if not data:
                return
            size -= len(data)
            yield data
