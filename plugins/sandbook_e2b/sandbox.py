"""A sandbox of E2B: the SDK for its life and bulk data, our driver for the rest."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, cast

import anyio

from sandbook.api import (
    Code,
    CodeContext,
    ExecRequest,
    PortUrl,
    Process,
    Pty,
    PtyRequest,
    SandboxInfo,
    SandboxRef,
    SnapshotRef,
    Watch,
    WatchRequest,
)
from sandbook.drivers import (
    Channel,
    DriverFiles,
    DriverRefused,
    Link,
    find,
    find_pty,
    join_pty,
    must_listen,
    open_code,
    open_pty,
    start,
    watching,
)
from sandbook.errors import (
    ProviderError,
    SandboxGone,
    SandboxLost,
    SpecRejected,
    Unsupported,
)
from sandbook_e2b import INFO, LONGEST, bulk, interpreter, records
from sandbook_e2b.driver import DriverCommand
from sandbook_e2b.failures import translate
from sandbook_e2b.metrics import Measured, newest
from sandbook_e2b.ports import place

if TYPE_CHECKING:
    from e2b import AsyncSandbox
    from e2b import SandboxInfo as Told

_RETRIES = 2
_UNNAMED = re.compile(r"[^a-z0-9_-]+")


class E2BSandbox:
    """One live machine at E2B."""

    ref: SandboxRef
    home: str

    def __init__(
        self,
        made: AsyncSandbox,
        *,
        account: str | None,
        workdir: str | None,
        sandbox_url: str | None,
    ) -> None:
        self._made = made
        self._account = account
        self._sandbox_url = sandbox_url
        self._workdir = workdir
        self.link = Link(self)
        self.files = DriverFiles(self.link)

    def __repr__(self) -> str:
        return f"<E2BSandbox {self._made.sandbox_id}>"

    async def open(self) -> None:
        """Learn what it is, and start the driver."""
        self._record = self._read(await self._told("attach"))
        self.ref = self._record.ref
        channel = await self.link.channel()
        self.home = channel.home

    def _read(self, told: Told) -> records.Record:
        return records.read(
            told.metadata,
            id=told.sandbox_id,
            account=self._account,
            started_at=told.started_at,
        )

    async def _told(self, operation: str) -> Told:
        try:
            return await self._made.get_info(retries=_RETRIES)
        except Exception as error:
            raise translate(error, operation) from error

    async def start(self, request: ExecRequest) -> Process:
        """Start a program, or return the one that has this key."""
        return await start(self.link, request)

    async def find(self, key: str) -> Process | None:
        """The program with this key, running or ended."""
        return await find(self.link, key)

    async def code(self, request: CodeContext) -> Code:
        """The variables of this language and name, which may be there already."""
        if request.language not in interpreter.LANGUAGES:
            return await open_code(self.link, request, others=interpreter.LANGUAGES)
        made = cast("Any", self._made)  # the SDK's second half does not tell its types
        code = interpreter.NativeCode(made, self.link, self.files, request)
        await code.open()
        return code

    async def pty(self, request: PtyRequest) -> Pty:
        """Start a program in a terminal, or return the one that has this key."""
        return await open_pty(self.link, request)

    async def attach_pty(self, id: str) -> Pty:
        """The terminal with this id, with what it showed before."""
        return await join_pty(self.link, id)

    async def find_pty(self, pid: int) -> Pty | None:
        """The terminal whose program `ps` shows with this pid."""
        return await find_pty(self.link, pid)

    def watch(self, request: WatchRequest) -> AbstractAsyncContextManager[Watch]:
        """Watch from the moment the block is entered until it is left."""
        return watching(self.link, request)

    async def port(self, number: int) -> PortUrl:
        """Where this port is reached from here; a closed one is refused."""
        await must_listen(self.link, number)
        return place(self._made, number, sandbox_url=self._sandbox_url)

    async def extend(self, lifetime: float) -> datetime | None:
        """Live at least `lifetime` seconds from now, not past the hard end."""
        told = await self._told("extend")
        now = datetime.now(UTC)
        wanted = now + timedelta(seconds=min(lifetime, LONGEST))
        wanted = min(wanted, self._record.hard_end)
        if wanted <= told.end_at:
            return told.end_at
        seconds = math.floor((wanted - now).total_seconds())
        try:
            await self._made.set_timeout(max(seconds, 1), retries=_RETRIES)
        except Exception as error:
            raise translate(error, "extend", self.ref) from error
        return now + timedelta(seconds=seconds)

    async def pause(self) -> None:
        """Let all that runs stand still, memory kept; until somebody attaches.

        Its driver ends before: who hears of nothing would hold it.
        """
        await self.link.aclose()
        # Not cut in the middle: nobody would know whether it is paused.
        with anyio.CancelScope(shield=True):
            try:
                await self._made.pause(retries=_RETRIES)
            except Exception as error:
                raise translate(error, "pause", self.ref) from error

    async def snapshot(self, name: str) -> SnapshotRef:
        """Keep a copy of its files and memory; names need not be new."""
        shown = f"{_UNNAMED.sub('-', name.lower()).strip('-')}-{secrets.token_hex(4)}"
        try:
            told = await self._made.create_snapshot(shown, retries=0)
        except Exception as error:
            raise translate(error, "snapshot", self.ref) from error
        return SnapshotRef(
            provider=INFO.name,
            id=told.snapshot_id,
            account=self._account,
            kind="memory",
        )

    async def metrics(self) -> Measured | None:
        """What it uses, by the newest measurement there is."""
        try:
            return newest(await self._made.get_metrics(retries=_RETRIES))
        except Exception as error:
            raise translate(error, "metrics", self.ref) from error

    async def info(self) -> SandboxInfo:
        """Its state, labels and end of life."""
        told = await self._told("info")
        return self._record.info(state=told.state.value, end_at=told.end_at)

    async def aclose(self) -> None:
        """Let the driver end; the sandbox and its commands live on."""
        await self.link.aclose()

    # What the driver's clients need of us.

    async def open_channel(self) -> Channel:
        """Start a driver.

        Raises:
            Unsupported: The template lacks what it needs.
        """
        channel = Channel()
        running = DriverCommand(self._made, channel)
        try:
            await running.begin(workdir=self._workdir)
        except DriverRefused as error:
            await self.must_live("start")
            self._refuse_template(error)
        except Exception as error:
            told = translate(error, "start", self.ref)
            if isinstance(told, SandboxLost):
                await self._must_not_be_paused("start")
            raise told from error
        return channel

    def _refuse_template(self, error: Exception) -> NoReturn:
        raise Unsupported(
            f"python3 does not run our driver there: {str(error) or 'it said nothing'}",
            provider=INFO.name,
            operation="start",
            ref=self.ref,
            sent="no",
            remedy="take a template that has python3 (3.8 or newer) and /tmp",
        ) from error

    async def must_live(self, operation: str) -> None:
        """Raise `SandboxLost` where it has ended, `SpecRejected` where it is paused."""
        try:
            if await self._made.is_running():
                return
        except Exception as error:
            raise translate(error, operation, self.ref) from error
        await self._must_not_be_paused(operation)
        raise SandboxLost(
            f"sandbox {self.ref.id!r} has ended",
            provider=INFO.name,
            operation=operation,
            ref=self.ref,
            remedy="its life is over, or it was destroyed: run afresh",
        )

    async def _must_not_be_paused(self, operation: str) -> None:
        try:
            told = await self._told(operation)
        except SandboxGone:
            return
        if told.state.value == "paused":
            raise SpecRejected(
                f"sandbox {self.ref.id!r} is paused",
                provider=INFO.name,
                operation=operation,
                ref=self.ref,
                sent="no",
                remedy="attach to it again, and say that it may go on (resume_paused)",
            )

    async def store(self, path: str, data: AsyncIterator[bytes]) -> None:
        """Write a file, streamed."""
        try:
            await bulk.store(self._made, path, data)
        except ProviderError:
            raise
        except Exception as error:
            raise translate(error, "files.write", self.ref) from error

    async def load(self, path: str) -> AsyncIterator[bytes]:
        """Read a file, streamed."""
        try:
            async with aclosing(bulk.load(self._made, path)) as pieces:
                async for piece in pieces:
                    yield piece
        except Exception as error:
            raise translate(error, "files.read", self.ref) from error
