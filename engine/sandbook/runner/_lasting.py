"""A sandbox whose parts outlast a broken connection.

Decides what may be asked a second time: whatever has a key, a place in its output, or
the same effect when it is done twice. Typing, piped input, removing and renaming are
not; a cell and a watch are lost with the connection, as the contract says.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
)
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from sandbook.api import (
    READ_LIMIT,
    Chunk,
    Code,
    CodeContext,
    CodeEvent,
    CodeRequest,
    EchoState,
    ExecRequest,
    ExecResult,
    Files,
    PortUrl,
    Process,
    Pty,
    PtyRequest,
    Sandbox,
    SandboxInfo,
    SandboxRef,
    SignalName,
    SnapshotRef,
    Stat,
    Transfer,
    Watch,
    WatchRequest,
)
from sandbook.errors import SandboxLost
from sandbook.runner._reattach import Line, Lost, Outage

_T = TypeVar("_T")


class LastingSandbox:
    """Implements `Sandbox`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.files: Files = _LastingFiles(line)

    @property
    def ref(self) -> SandboxRef:
        """How it is found again."""
        return self._line.sandbox.ref

    @property
    def home(self) -> str:
        """The absolute path of its home folder."""
        return self._line.sandbox.home

    async def start(self, request: ExecRequest) -> Process:
        """Start a program; a known key never starts twice, so it may be asked again."""
        if not _may_repeat(request.stdin):
            now = self._line.sandbox
            return _LastingProcess(self._line, now, await now.start(request))

        async def start(sandbox: Sandbox) -> tuple[Sandbox, Process]:
            return sandbox, await sandbox.start(request)

        return _LastingProcess(self._line, *await self._line.surely(start))

    async def find(self, key: str) -> Process | None:
        """The program with this key, running or ended."""

        async def find(sandbox: Sandbox) -> tuple[Sandbox, Process | None]:
            return sandbox, await sandbox.find(key)

        sandbox, found = await self._line.surely(find)
        return None if found is None else _LastingProcess(self._line, sandbox, found)

    async def code(self, request: CodeContext) -> Code:
        """The interpreter of this context."""

        async def code(sandbox: Sandbox) -> tuple[Sandbox, Code]:
            return sandbox, await sandbox.code(request)

        return _LastingCode(self._line, request, *await self._line.surely(code))

    async def pty(self, request: PtyRequest) -> Pty:
        """Start a program in a terminal; it has a key, too."""

        async def pty(sandbox: Sandbox) -> tuple[Sandbox, Pty]:
            return sandbox, await sandbox.pty(request)

        return _LastingPty(self._line, *await self._line.surely(pty))

    async def attach_pty(self, id: str) -> Pty:
        """The terminal with this id."""

        async def attach(sandbox: Sandbox) -> tuple[Sandbox, Pty]:
            return sandbox, await sandbox.attach_pty(id)

        return _LastingPty(self._line, *await self._line.surely(attach))

    async def find_pty(self, pid: int) -> Pty | None:
        """The terminal whose program `ps` shows with this pid."""

        async def find(sandbox: Sandbox) -> tuple[Sandbox, Pty | None]:
            return sandbox, await sandbox.find_pty(pid)

        sandbox, found = await self._line.surely(find)
        return None if found is None else _LastingPty(self._line, sandbox, found)

    def watch(self, request: WatchRequest) -> AbstractAsyncContextManager[Watch]:
        """What happens while nobody listens cannot be heard later: not made again."""
        return self._line.sandbox.watch(request)

    async def port(self, number: int) -> PortUrl:
        """Where this port is reached from here."""
        return await self._line.surely(lambda sandbox: sandbox.port(number))

    async def extend(self, lifetime: float) -> datetime | None:
        """Live longer; whoever keeps it alive comes again by himself."""
        return await self._line.sandbox.extend(lifetime)

    async def pause(self) -> None:
        """Stop it until somebody attaches."""
        await self._line.sandbox.pause()

    async def snapshot(self, name: str) -> SnapshotRef:
        """Store a copy of it."""
        return await self._line.sandbox.snapshot(name)

    async def info(self) -> SandboxInfo:
        """Its state, labels and end of life."""
        return await self._line.surely(lambda sandbox: sandbox.info())

    async def aclose(self) -> None:
        """Detach; the sandbox lives on."""
        await self._line.sandbox.aclose()


def _may_repeat(data: object) -> bool:
    """Whether there is all of it: what comes piece by piece is gone once given."""
    return not isinstance(data, AsyncIterable)


class _Program(Protocol):
    """What a process and a terminal have in common."""

    pid: int | None

    def output(self, *, after: int = 0) -> AsyncIterator[Chunk]: ...
    async def send(self, data: bytes) -> None: ...
    async def signal(self, name: SignalName) -> bool: ...
    async def wait(self) -> ExecResult: ...
    async def detach(self) -> None: ...


_P = TypeVar("_P", bound=_Program)


class _Lasting(Generic[_P]):
    """A program whose handle is had again by its name from the sandbox of now."""

    def __init__(self, line: Line, sandbox: Sandbox, program: _P, name: str) -> None:
        self._line = line
        self._sandbox = sandbox
        self._program = program
        self._name = name
        self._is_detached = False
        self.pid = program.pid

    async def _find(self, sandbox: Sandbox) -> _P | None:
        raise NotImplementedError

    async def _at(self, sandbox: Sandbox) -> _P:
        """The handle that belongs to this handle of the sandbox."""
        if sandbox is not self._sandbox:
            found = await self._find(sandbox)
            if found is None:
                raise _unknown(sandbox, self._name)
            if self._is_detached:
                await found.detach()
            self._sandbox, self._program = sandbox, found
        return self._program

    async def _surely(self, use: Callable[[_P], Awaitable[_T]]) -> _T:
        async def once(sandbox: Sandbox) -> _T:
            return await use(await self._at(sandbox))

        return await self._line.surely(once)

    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        """Chunks with `seq` above `after`, without a gap over a broken connection."""
        outage = Outage()
        while True:
            sandbox = self._line.sandbox
            try:
                program = await self._at(sandbox)
                async with _closing(program.output(after=after)) as chunks:
                    async for chunk in chunks:
                        after = chunk.seq
                        outage.over()
                        yield chunk
            except Lost as error:
                await self._line.again(sandbox, error, outage)
            else:
                return

    async def send(self, data: bytes) -> None:
        """Write to it; what may have arrived is not written again."""
        await (await self._at(self._line.sandbox)).send(data)

    async def signal(self, name: SignalName) -> bool:
        """Signal its whole tree."""
        return await self._surely(lambda program: program.signal(name))

    async def wait(self) -> ExecResult:
        """Wait for its end."""
        return await self._surely(lambda program: program.wait())

    async def detach(self) -> None:
        """Let it run on without us."""
        self._is_detached = True
        await self._program.detach()


class _LastingProcess(_Lasting[Process]):
    """Implements `Process`."""

    def __init__(self, line: Line, sandbox: Sandbox, process: Process) -> None:
        super().__init__(line, sandbox, process, process.key)
        self.key = process.key

    async def _find(self, sandbox: Sandbox) -> Process | None:
        return await sandbox.find(self.key)

    async def end_input(self) -> None:
        """Close its stdin."""
        await self._surely(lambda process: process.end_input())


class _LastingPty(_Lasting[Pty]):
    """Implements `Pty`."""

    def __init__(self, line: Line, sandbox: Sandbox, pty: Pty) -> None:
        super().__init__(line, sandbox, pty, pty.id)
        self.id = pty.id

    async def _find(self, sandbox: Sandbox) -> Pty | None:
        return await sandbox.attach_pty(self.id)

    async def resize(self, *, cols: int, rows: int) -> None:
        """Change its size."""
        await self._surely(lambda pty: pty.resize(cols=cols, rows=rows))

    async def echo(self) -> EchoState | None:
        """What becomes of what is typed now."""
        return await self._surely(lambda pty: pty.echo())

    async def hang_up(self) -> None:
        """End its program as a window does that is closed."""
        await self._surely(lambda pty: pty.hang_up())


class _LastingCode:
    """Implements `Code`: a cell is lost with the connection, its variables are not."""

    def __init__(
        self, line: Line, request: CodeContext, sandbox: Sandbox, code: Code
    ) -> None:
        self._line = line
        self._request = request
        self._sandbox = sandbox
        self._code = code
        self.id = code.id

    async def _here(self) -> Code:
        sandbox = self._line.sandbox
        if sandbox is not self._sandbox:
            code = await sandbox.code(self._request)
            if code.id != self.id:
                raise _unknown(sandbox, f"{self._request.language} variables")
            self._sandbox, self._code = sandbox, code
        return self._code

    async def run(self, cell: CodeRequest) -> AsyncIterator[CodeEvent]:
        """Run one cell; the last event is `Done`."""
        async with _closing((await self._here()).run(cell)) as events:
            async for event in events:
                yield event

    async def interrupt(self) -> None:
        """Stop the running cell, keeping the variables."""
        await (await self._here()).interrupt()

    async def restart(self) -> None:
        """Start afresh, with no variables."""
        await (await self._here()).restart()


class _LastingFiles:
    """Implements `Files`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    @property
    def _now(self) -> Files:
        return self._line.sandbox.files

    async def write(
        self, path: str, data: bytes | AsyncIterable[bytes], *, mode: int | None = None
    ) -> int:
        """Write a file whole or not at all, so that it may be done again."""
        if not isinstance(data, bytes):
            return await self._now.write(path, data, mode=mode)
        whole = data
        return await self._line.surely(lambda s: s.files.write(path, whole, mode=mode))

    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """Read a file."""
        return await self._line.surely(lambda s: s.files.read(path, limit=limit))

    @asynccontextmanager
    async def open(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Read a file piece by piece; a piece that was given is not given again."""
        async with AsyncExitStack() as stack:

            async def enter(sandbox: Sandbox) -> AsyncIterator[bytes]:
                return await stack.enter_async_context(sandbox.files.open(path))

            yield await self._line.surely(enter)

    async def stat(self, path: str, *, follow: bool = False) -> Stat:
        """Describe an entry, or what a link points to."""
        return await self._line.surely(lambda s: s.files.stat(path, follow=follow))

    async def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        """The entries of a folder, as they were at one look."""

        async def gather(sandbox: Sandbox) -> tuple[Stat, ...]:
            return tuple([e async for e in sandbox.files.list(path, depth=depth)])

        for entry in await self._line.surely(gather):
            yield entry

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove an entry; a second time it would be missing."""
        await self._now.remove(path, recursive=recursive)

    async def rename(self, old: str, new: str) -> None:
        """Move an entry; a second time it would be missing."""
        await self._now.rename(old, new)

    async def upload(self, local: Path, path: str) -> Transfer:
        """Copy from this computer; what is there already is replaced."""
        return await self._line.surely(lambda s: s.files.upload(local, path))

    async def download(self, path: str, local: Path) -> Transfer:
        """Copy to this computer; what is there already is replaced."""
        return await self._line.surely(lambda s: s.files.download(path, local))


def _unknown(sandbox: Sandbox, name: str) -> SandboxLost:
    return SandboxLost(
        f"sandbox {sandbox.ref.id} was found again, and {name!r} is not there any more",
        provider=sandbox.ref.provider,
        operation="find",
        ref=sandbox.ref,
        remedy="run afresh",
    )


@asynccontextmanager
async def _closing(items: AsyncIterator[_T]) -> AsyncGenerator[AsyncIterator[_T]]:
    """Close a generator with the block, and not when it is collected."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
