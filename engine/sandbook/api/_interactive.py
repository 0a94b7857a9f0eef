"""Interpreters, terminals, watches and ports of a sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from sandbook.api._base import JSON
from sandbook.api._exec import Chunk, ExecResult, SignalName, StreamName


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeContext:
    """A set of variables: one per language and name."""

    language: str
    name: str = "main"
    cwd: str | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRequest:
    """One cell; `bind` become variables before it, `read` is evaluated after it."""

    key: str
    source: str
    bind: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    read: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Something a cell printed."""

    stream: StreamName
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rich:
    """A result by MIME type, images decoded; `main` = the value of the cell."""

    data: Mapping[str, bytes]
    main: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An exception in the cell.

    "SaveError": an expression of `read` raised, or has no value that fits JSON. Before
    an end that "died", `value` says what became of the interpreter.
    """

    name: str
    value: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The end of a cell; `state_kept` says whether the variables are still there."""

    status: Literal["ok", "error", "timed_out", "died"]
    values: Mapping[str, JSON]
    state_kept: bool
    count: int


CodeEvent: TypeAlias = Text | Rich | Failed | Done


class Code(Protocol):
    """An interpreter that keeps its variables."""

    id: str

    def run(self, cell: CodeRequest) -> AsyncIterator[CodeEvent]:
        """Run one cell; the last event is `Done`."""
        ...

    async def interrupt(self) -> None:
        """Stop the running cell, keeping the variables."""
        ...

    async def restart(self) -> None:
        """Start afresh, with no variables."""
        ...


EchoState = Literal["shown", "hidden", "program"]
"""What becomes of a typed text.

"shown" = the terminal shows it, "hidden" = a line is read and not shown, as for a
password, "program" = keys go to the program one by one, which shows what it likes.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PtyRequest:
    """A program in a terminal of `cols` columns and `rows` rows."""

    argv: tuple[str, ...]
    key: str
    cols: int = 80
    rows: int = 24
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    cwd: str | None = None
    user: str | None = None
    term: str = "xterm-256color"


class Pty(Protocol):
    """A terminal; `id` is the handle to attach by, `pid` what `ps` shows."""

    id: str
    pid: int | None

    def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        """Everything the terminal shows, as bytes."""
        ...

    async def send(self, data: bytes) -> None:
        """Type."""
        ...

    async def resize(self, *, cols: int, rows: int) -> None:
        """Change its size; the program gets SIGWINCH."""
        ...

    async def echo(self) -> EchoState | None:
        """What becomes of what is typed now; None = this provider cannot tell.

        Where it cannot, the engine asks `stty` in the sandbox, for which it needs
        `pid`.
        """
        ...

    async def signal(self, name: SignalName) -> bool:
        """Signal its tree; False = it had already ended."""
        ...

    async def hang_up(self) -> None:
        """End its program as a window does that is closed: HUP, a grace, KILL.

        Does not wait for its end, and is nothing where it has ended.
        """
        ...

    async def wait(self) -> ExecResult:
        """Wait for its end."""
        ...

    async def detach(self) -> None:
        """Leave; the program runs on."""
        ...


WatchKind = Literal["created", "modified", "deleted", "renamed", "overflow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest:
    """A file or folder to watch.

    `ignore` are patterns (`pattern_regex`): what fits one by its path relative to the
    watched folder, or by its name, is not told, nor what is below it.
    """

    path: str
    recursive: bool = True
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchEvent:
    """One change; paths are relative to the watched folder, `was` = renamed from.

    `.` is the folder itself; a watched file is told by its own name. "overflow" says
    that changes may have been missed: those that a look at the files can find follow.
    """

    kind: WatchKind
    path: str
    was: str | None
    at: datetime


class Watch(Protocol):
    """A running watch."""

    def events(self) -> AsyncIterator[WatchEvent]:
        """The changes since the watch was entered; each is told once."""
        ...

    async def catch_up(self) -> None:
        """Wait until what has happened so far was told, as far as that can be known.

        Somebody must be reading the events meanwhile.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PortUrl:
    """Where a port of the sandbox is reached from here, and the headers to send."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
