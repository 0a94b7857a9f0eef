"""A terminal of a driver: a command whose only stream is a terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sandbook.api import (
    Chunk,
    EchoState,
    ExecRequest,
    ExecResult,
    PtyRequest,
    SignalName,
)
from sandbook.drivers.link import Link
from sandbook.drivers.process import DriverProcess, start
from sandbook.errors import SandboxGone

_HISTORY = 2 << 20
_GRACE = 2.0


async def open_pty(link: Link, request: PtyRequest) -> DriverPty:
    """Start a program in a terminal, or return the one that has this key."""
    wanted = ExecRequest(
        program=request.argv,
        key=request.key,
        env={**request.env, "TERM": request.term},
        cwd=request.cwd,
        user=request.user,
        stdin="pipe",
        head=0,
        tail=_HISTORY,
    )
    size = {"cols": request.cols, "rows": request.rows}
    return DriverPty(await start(link, wanted, pty=size), link)


async def join_pty(link: Link, id: str) -> DriverPty:
    """The terminal with this id."""
    answer = await link.call({"do": "find", "key": id}, operation="pty.attach")
    if not answer["known"] or not answer["pty"]:
        ref = link.host.ref
        raise SandboxGone(
            f"there is no terminal {id!r} in sandbox {ref.id!r}",
            provider=ref.provider,
            operation="pty.attach",
            ref=ref,
            remedy="open a new one",
        )
    return DriverPty(DriverProcess(link, key=id, pid=answer["pid"] or None), link)


async def find_pty(link: Link, pid: int) -> DriverPty | None:
    """The terminal whose program has this number."""
    answer = await link.call({"do": "find_pty", "pid": pid}, operation="pty.find")
    key = answer["key"]
    if key is None:
        return None
    return DriverPty(DriverProcess(link, key=key, pid=pid), link)


class DriverPty:
    """A terminal; its id is the key of its program."""

    def __init__(self, process: DriverProcess, link: Link) -> None:
        self._process = process
        self._link = link
        self.id = process.key
        self.pid = process.pid

    def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        """Everything it showed with `seq` above `after`, as far as it is kept."""
        return self._process.output(after=after)

    async def send(self, data: bytes) -> None:
        """Type."""
        await self._process.send(data)

    async def resize(self, *, cols: int, rows: int) -> None:
        """Change its size; the program gets SIGWINCH."""
        asked = {"do": "resize", "key": self.id, "cols": cols, "rows": rows}
        await self._link.call(asked, operation="pty.resize")

    async def echo(self) -> EchoState | None:
        """What becomes of what is typed now; None where it has ended."""
        answer = await self._link.call(
            {"do": "echo", "key": self.id}, operation="pty.echo"
        )
        state: EchoState | None = answer.get("echo")
        return state

    async def signal(self, name: SignalName) -> bool:
        """Signal its tree; False = it had already ended."""
        return await self._process.signal(name)

    async def hang_up(self) -> None:
        """End its program as a window does that is closed."""
        asked = {"do": "hang_up", "key": self.id, "grace": _GRACE}
        await self._link.call(asked, operation="pty.hang_up")

    async def wait(self) -> ExecResult:
        """Wait for its end."""
        return await self._process.wait()

    async def detach(self) -> None:
        """Leave; the program runs on."""
        await self._process.detach()
