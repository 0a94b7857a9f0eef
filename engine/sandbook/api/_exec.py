"""Programs run in a sandbox: what is asked, what comes back."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

KEPT_BYTES = 5 << 20
"""Bytes kept of the start, and as many of the end, of each stream."""

SignalName = Literal["INT", "TERM", "KILL"]
StreamName = Literal["stdout", "stderr"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A shell text.

    `dialect` "bash" falls back to sh where the sandbox has no bash. `strict` adds
    errexit, and in bash pipefail.
    """

    text: str
    strict: bool = True
    dialect: Literal["bash", "sh"] = "bash"


Program: TypeAlias = "Shell | tuple[str, ...]"
StdinSource: TypeAlias = "bytes | AsyncIterable[bytes] | Literal['pipe'] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecRequest:
    """One program to start.

    `key` names the execution for good: a key that is known never starts twice.
    `stdin` None is /dev/null, `b""` an empty stream, "pipe" is fed by `send`.
    At `timeout` seconds the whole process tree gets TERM, and KILL `grace` seconds
    later. `head` and `tail` are the bytes kept per stream. A `background` program
    is not drained unless somebody reads it.
    """

    program: Program
    key: str
    stdin: StdinSource = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: str | None = None
    user: str | None = None
    timeout: float | None = None
    grace: float = 2.0
    head: int = KEPT_BYTES
    tail: int = KEPT_BYTES
    background: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of output; `seq` rises strictly within one process, over both streams."""

    seq: int
    stream: StreamName
    data: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What was kept of a stream: its first and last bytes, and how many fell out."""

    head: bytes = b""
    tail: bytes = b""
    total: int = 0
    dropped: int = 0

    def data(self) -> bytes:
        """What was kept, with a line in the middle that says what was dropped."""
        if not self.dropped:
            return self.head + self.tail
        return b"%s\n[... %d bytes dropped ...]\n%s" % (
            self.head,
            self.dropped,
            self.tail,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """How a program ended.

    `code` is 0-255, 128+n for signal n, 127 for a missing and 126 for a not
    executable program, None for "timed_out" and "lost". `limit` says in words which
    limit of the sandbox it met, where the provider knows.
    """

    end: Literal["exited", "signalled", "timed_out", "lost"]
    code: int | None
    stdout: Captured
    stderr: Captured
    seconds: float
    limit: str | None = None


class Process(Protocol):
    """A program in a sandbox, running or ended."""

    key: str
    pid: int | None

    def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        """Chunks with `seq` above `after`; ends at exit, not at end-of-file.

        One consumer at a time: the newest wins, the older one's iteration ends with
        `ConnectionLost`.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Write to its stdin, waiting while the pipe is full."""
        ...

    async def end_input(self) -> None:
        """Close its stdin."""
        ...

    async def signal(self, name: SignalName) -> bool:
        """Signal its whole tree; False = it had already ended."""
        ...

    async def wait(self) -> ExecResult:
        """Wait for its end, draining what nobody reads."""
        ...

    async def detach(self) -> None:
        """Let it run on without us."""
        ...
