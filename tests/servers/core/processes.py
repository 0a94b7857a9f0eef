"""The programs of a machine, by pid, with what vendors do differently as rules."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import anyio
from anyio.abc import TaskGroup, TaskStatus

from sandbook.api import (
    Chunk,
    ExecRequest,
    ExecResult,
    Process,
    Pty,
    PtyRequest,
    Sandbox,
    SignalName,
)
from sandbook.errors import ProviderError, UsageError
from tests.servers.core.listening import Ended, Event, Expired, Listener, Output, Stream
from tests.servers.core.programs import run_to_end_of_output, run_to_exit
from tests.servers.core.waking import WakingTime

_keys = itertools.count(1)
_CUTTING: tuple[SignalName, ...] = ("KILL", "TERM")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRules:
    """Where vendors differ.

    `reach` is whom a signal or a deadline hits. A process `ends_at` "exit" with its
    leader; at "output" when nobody holds its output open any more, unless KILL, TERM or
    its deadline cut that off. Output that is `unheard` is kept for who comes later, or
    dropped.
    """

    reach: Literal["leader", "tree"] = "tree"
    ends_at: Literal["exit", "output"] = "exit"
    unheard: Literal["kept", "dropped"] = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Of a terminal."""

    cols: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRequest:
    """A program to run; with a `terminal` in one, and without `stdin` of its own."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    stdin: bool = False
    terminal: Size | None = None
    timeout: float | None = None
    tag: str | None = None


class NoInput(Exception):  # noqa: N818 (a state, never shown)
    """It takes no input of this kind, or none any more."""


class _Program(Protocol):
    """What a process and a terminal have in common."""

    pid: int | None

    async def send(self, data: bytes) -> None: ...
    async def signal(self, name: SignalName) -> bool: ...
    async def wait(self) -> ExecResult: ...


class RunningProcess:
    """A program from its start to its end."""

    def __init__(
        self,
        sandbox: Sandbox,
        request: ProgramRequest,
        rules: ProcessRules,
        *,
        time: WakingTime,
    ) -> None:
        self.request = request
        self._time = time
        self.pid = 0
        self.ended: Ended | None = None
        self._sandbox = sandbox
        self._rules = rules
        self._listeners: list[Listener] = []
        self._kept: list[Output] = []
        self._program: _Program | None = None
        self._output_scope = anyio.CancelScope()
        self._takes_input = request.stdin or request.terminal is not None

    def listen(self, listener: Listener) -> None:
        """Tell it what happens from now on; where output is kept, also what did."""
        listener.begin_with(self._kept)
        if self.ended is None:
            self._listeners.append(listener)
        else:
            listener.end_with(self.ended)

    async def send(self, data: bytes) -> None:
        """Write to its stdin, or type."""
        if not self._takes_input or self._program is None:
            raise NoInput
        try:
            await self._program.send(data)
        except UsageError as error:
            # It has ended, or closed it, and we have not heard of that yet.
            raise NoInput from error

    async def end_input(self) -> None:
        """Close its stdin."""
        if self.request.terminal is not None:
            raise NoInput
        if self._takes_input:
            self._takes_input = False
            assert self._program is not None
            await self._as_process().end_input()

    async def resize(self, size: Size) -> None:
        """Change the size of its terminal."""
        if self.request.terminal is None:
            raise NoInput
        await self._as_pty().resize(cols=size.cols, rows=size.rows)

    async def signal(self, name: SignalName) -> None:
        """Send it a signal."""
        assert self._program is not None
        if self._rules.ends_at == "output" and name in _CUTTING:
            self._output_scope.cancel()
        if self._rules.reach == "tree":
            await self._program.signal(name)
            return
        text = f"kill -{name} {self.pid}"
        await _run(self._sandbox, ("/bin/sh", "-c", text))

    async def run(self, when_started: Callable[[], None]) -> None:
        """Run it to its end; raises only what keeps it from starting."""
        try:
            if self.request.terminal is None:
                await self._run_command(when_started)
            else:
                await self._run_terminal(when_started)
        finally:
            for listener in self._listeners:
                listener.end()

    async def _run_command(self, when_started: Callable[[], None]) -> None:
        request = ExecRequest(
            program=self.request.argv,
            key=f"program-{next(_keys)}",
            stdin="pipe" if self.request.stdin else None,
            env=self.request.env,
            cwd=self.request.cwd,
        )
        to_end = self._rules.ends_at == "output"
        how = run_to_end_of_output if to_end else run_to_exit
        async with how(self._sandbox, request) as running:
            self._begin(running.leader, when_started)
            await self._live(running.leader, running.output)

    async def _run_terminal(self, when_started: Callable[[], None]) -> None:
        assert self.request.terminal is not None
        pty = await self._sandbox.pty(
            PtyRequest(
                argv=self.request.argv,
                key=f"terminal-{next(_keys)}",
                cols=self.request.terminal.cols,
                rows=self.request.terminal.rows,
                env=self.request.env,
                cwd=self.request.cwd,
                term=self.request.env.get("TERM", "xterm-256color"),
            )
        )
        self._begin(pty, when_started)
        await self._live(pty, pty.output())

    def _begin(self, program: _Program, when_started: Callable[[], None]) -> None:
        self._program = program
        self.pid = program.pid or 0
        when_started()

    async def _live(self, program: _Program, output: AsyncIterator[Chunk]) -> None:
        try:
            async with anyio.create_task_group() as group:
                if self.request.timeout is not None:
                    group.start_soon(self._expire, self.request.timeout)
                await self._pass_on(output)
                await self._end(program)
                group.cancel_scope.cancel()
        except* ProviderError:
            pass  # the machine has ended, and whoever listens hears nothing more

    async def _expire(self, timeout: float) -> None:  # noqa: ASYNC109 (its lifetime)
        await self._time.sleep(timeout)
        await self._tell(Expired())
        await self.signal("KILL")

    async def _pass_on(self, output: AsyncIterator[Chunk]) -> None:
        has_terminal = self.request.terminal is not None
        with self._output_scope:
            async for chunk in output:
                stream: Stream = "pty" if has_terminal else chunk.stream
                piece = Output(stream=stream, data=chunk.data)
                if self._rules.unheard == "kept":
                    self._kept.append(piece)
                await self._tell(piece)

    async def _end(self, program: _Program) -> None:
        result = await program.wait()
        killed = result.end == "signalled" and result.code is not None
        self.ended = Ended(
            code=None if killed else result.code,
            signal=(result.code or 128) - 128 if killed else None,
        )
        await self._tell(self.ended)

    async def _tell(self, event: Event) -> None:
        for listener in list(self._listeners):
            if not await listener.put(event):
                self._listeners.remove(listener)

    def _as_process(self) -> Process:
        return self._program  # type: ignore[return-value]  # not a terminal

    def _as_pty(self) -> Pty:
        return self._program  # type: ignore[return-value]  # a terminal


class Processes:
    """The running programs of one machine."""

    def __init__(
        self,
        sandbox: Sandbox,
        group: TaskGroup,
        rules: ProcessRules,
        *,
        time: WakingTime,
    ) -> None:
        self._sandbox = sandbox
        self._time = time
        self._group = group
        self._rules = rules
        self._running: dict[int, RunningProcess] = {}

    def __iter__(self) -> Iterator[RunningProcess]:
        """Those that run."""
        return iter(list(self._running.values()))

    async def start(
        self, request: ProgramRequest, listener: Listener | None = None
    ) -> RunningProcess:
        """Run a program; the listener misses nothing.

        Raises:
            FileError: The folder it was to start in.
            SpecRejected: Its arguments.
        """
        process = RunningProcess(self._sandbox, request, self._rules, time=self._time)
        if listener is not None:
            process.listen(listener)
        await self._group.start(self._run, process)
        return process

    def find(self, *, pid: int = 0, tag: str | None = None) -> RunningProcess | None:
        """The running program with this pid, or this tag."""
        if pid:
            return self._running.get(pid)
        return next((p for p in self if tag and p.request.tag == tag), None)

    async def _run(
        self, process: RunningProcess, *, task_status: TaskStatus[None]
    ) -> None:
        def when_started() -> None:
            self._running[process.pid] = process
            task_status.started()

        try:
            await process.run(when_started)
        finally:
            self._running.pop(process.pid, None)


async def _run(sandbox: Sandbox, argv: tuple[str, ...]) -> ExecResult:
    request = ExecRequest(program=argv, key=f"own-{next(_keys)}")
    return await (await sandbox.start(request)).wait()
