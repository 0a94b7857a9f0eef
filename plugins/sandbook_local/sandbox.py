"""A local sandbox, as its client sees it."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import anyio

from sandbook.api import (
    Code,
    CodeContext,
    ExecRequest,
    PortUrl,
    Pty,
    PtyRequest,
    SandboxInfo,
    SandboxRef,
    SnapshotRef,
    Watch,
    WatchRequest,
)
from sandbook.errors import (
    AccessDenied,
    Busy,
    FileMissing,
    NotAFolder,
    ProviderError,
    SandboxGone,
    SpecRejected,
    Unsupported,
)
from sandbook_local import folders, programs
from sandbook_local.connection import Ended, Line
from sandbook_local.files import LocalFiles
from sandbook_local.inside import frames
from sandbook_local.inside.frames import Frame, Message
from sandbook_local.ports import LocalPorts
from sandbook_local.process import STOP_TIMEOUT, LocalProcess, lost
from sandbook_local.pty import LocalPty

if TYPE_CHECKING:
    from sandbook_local.drivers import LocalDriver

_TERMINAL_HISTORY = 1 << 20
_USER = "user"
_CWD_ERRORS = {2: FileMissing, 20: NotAFolder, 13: AccessDenied}


class LocalSandbox:
    """One sandbox of this computer."""

    def __init__(
        self, folder: Path, info: SandboxInfo, *, home: str, workdir: str
    ) -> None:
        self.ref: SandboxRef = info.ref
        self.home = home
        self.workdir = workdir
        self.files = LocalFiles(
            self.open_channel, ref=info.ref, home=home, workdir=workdir
        )
        self._folder = folder
        self._line = Line(folder)
        self._ports = LocalPorts(folder, info.ref)
        self._drivers: dict[str, LocalDriver] = {}

    async def start(self, request: ExecRequest) -> LocalProcess:
        """Start a program, or return the one that has this key.

        The whole of `stdin` is taken before the program starts, so that it reads to
        its end even when we die; to converse with a program use "pipe".

        Raises:
            FileMissing, NotAFolder, AccessDenied: The folder it was to start in.
            SpecRejected: Its arguments and variables are too long, or hold NUL.
        """
        self._refuse(request)
        stdin = await programs.take_stdin(request)
        try:
            return await self._start_reading(request, stdin)
        finally:
            if stdin is not None:
                os.close(stdin)

    async def _start_reading(
        self, request: ExecRequest, stdin: int | None
    ) -> LocalProcess:
        process = LocalProcess(self._line, self.ref, key=request.key, pid=None)
        answer = await self._start("exec.start", programs.order(request), stdin)
        self._check_start(answer, request)
        process.pid = _pid(answer)
        return process

    async def find(self, key: str) -> LocalProcess | None:
        """The program with this key, running or ended."""
        answer = await self._call("exec.find", {"do": "find", "key": key})
        if answer.get("known") is not True:
            return None
        return LocalProcess(self._line, self.ref, key=key, pid=_pid(answer))

    async def extend(self, lifetime: float) -> datetime | None:
        """Live at least `lifetime` seconds from now; never shortens."""
        answer = await self._call("extend", {"do": "extend", "lifetime": lifetime})
        return datetime.fromtimestamp(frames.number(answer, "expires_at"), UTC)

    async def info(self) -> SandboxInfo:
        """Its state, labels and end of life."""
        await self._call("info", {"do": "info"})
        found = folders.read_info(self._folder)
        if found is None:
            raise lost(self._folder, self.ref, "info")
        return found

    async def aclose(self) -> None:
        """Detach; the sandbox lives on, its forwarded ports are closed."""
        await self._ports.aclose()
        await self.files.aclose()
        self._line.close()

    async def open_channel(self) -> socket.socket:
        """A connection to a new file server inside."""
        frame = await self._exchange("files", {"do": "channel"})
        if not frame.descriptors:
            raise lost(self._folder, self.ref, "files")
        return socket.socket(fileno=frame.descriptors.pop())

    async def code(self, request: CodeContext) -> Code:
        """The context of this name, made where it is not there.

        Raises:
            Unsupported: There is no such language here.
            FileMissing, NotAFolder, AccessDenied: The folder it was to begin in.
        """
        # Most sandboxes run no code cells.
        from sandbook_local.code import LocalCode, resolve
        from sandbook_local.drivers import LocalDriver
        from sandbook_local.languages import refuse_unknown

        refuse_unknown(request.language, self.ref)
        driver = self._drivers.get(request.language)
        if driver is None:
            driver = LocalDriver(
                request.language,
                self._folder,
                self.ref,
                start=self.start,
                find=self.find,
            )
            self._drivers[request.language] = driver
        cwd = resolve(request.cwd, home=self.home, workdir=self.workdir)
        code = LocalCode(driver, request, cwd=cwd)
        await code.open()
        return code

    async def pty(self, request: PtyRequest) -> Pty:
        """Start a program in a terminal, or return the one that has this key."""
        wanted = ExecRequest(
            program=request.argv,
            key=request.key,
            env={**request.env, "TERM": request.term},
            cwd=request.cwd,
            user=request.user,
            head=0,
            tail=_TERMINAL_HISTORY,
        )
        self._refuse(wanted)
        process = LocalProcess(self._line, self.ref, key=request.key, pid=None)
        order = {**programs.order(wanted), "cols": request.cols, "rows": request.rows}
        answer = await self._start("pty", order)
        self._check_start(answer, wanted)
        process.pid = _pid(answer)
        return LocalPty(process)

    async def attach_pty(self, id: str) -> Pty:
        """The terminal with this id, with what it showed before."""
        process = await self.find(id)
        if process is None:
            raise SandboxGone(
                f"there is no terminal {id!r} in sandbox {self.ref.id!r}",
                provider=self.ref.provider,
                operation="pty.attach",
                ref=self.ref,
            )
        return LocalPty(process)

    async def find_pty(self, pid: int) -> Pty | None:
        """The terminal whose program `ps` shows with this pid."""
        answer = await self._call("pty.find", {"do": "terminal", "pid": pid})
        key = answer.get("key")
        if not isinstance(key, str):
            return None
        process = LocalProcess(self._line, self.ref, key=key, pid=pid)
        return LocalPty(process)

    def watch(self, request: WatchRequest) -> AbstractAsyncContextManager[Watch]:
        """Watch a file or folder; once entered, it is already watching.

        Raises, when entered:
            FileMissing, AccessDenied: What is to be watched.
            AtCapacity: The user has no more watches on this computer.
        """
        # Most sandboxes are never watched.
        from sandbook_local.watching import watching

        path = self.files.absolute(request.path)
        return watching(request, path, ref=self.ref, start=self._start_reading)

    async def port(self, number: int) -> PortUrl:
        """Where a port of the sandbox is reached on this computer, until `aclose`.

        Raises:
            PortClosed: Nothing listens there now.
            UsageError: It is no port.
        """
        return await self._ports.open(number)

    async def pause(self) -> None:
        """Stop all that runs in it, until somebody attaches and lets it go on.

        Commands keep the time they have left; the sandbox's own life goes on. What
        would have to run for its answer is refused meanwhile (`SpecRejected`).
        """
        # Most sandboxes are never paused.
        from sandbook_local import pausing

        try:
            await pausing.pause(self._folder)
        except (Ended, frames.ProtocolError) as error:
            raise lost(self._folder, self.ref, "pause") from error
        await self.files.aclose()

    async def snapshot(self, name: str) -> SnapshotRef:
        """Store its files: home, work folder and `/tmp`; nothing runs meanwhile.

        Pipes, sockets and devices are left out, and listed beside the files. It stays
        until it is deleted, also when the sandbox ends.

        Raises:
            NoSpace: This computer has no room for them.
        """
        # Most sandboxes are never stored.
        from sandbook_local.snapshots import Snapshots

        stored = Snapshots(self._folder.parent.parent)
        try:
            return await stored.take(self._folder, self.ref, name, workdir=self.workdir)
        except (Ended, frames.ProtocolError) as error:
            raise lost(self._folder, self.ref, "snapshot") from error

    def _refuse(self, request: ExecRequest) -> None:
        if request.user not in (None, _USER):
            self._unsupported(
                "exec", f"cannot run as {request.user!r}: there is only {_USER!r}"
            )
        if request.program == ():
            self._reject("a program without a name", "name the program to run")
        texts = [
            *programs.words(request),
            *request.env,
            *request.env.values(),
            request.cwd or "",
        ]
        if any("\0" in text for text in texts):
            self._reject(
                "a NUL in an argument or variable",
                "pass such data through stdin or a file",
            )

    async def _start(
        self, operation: str, order: Message, stdin: int | None = None
    ) -> Message:
        """Send an order to start; stopped again when the wait for it is cancelled."""
        call = secrets.token_hex(8)
        message = {**order, "call": call}
        try:
            descriptors = [] if stdin is None else [stdin]
            return (await self._exchange(operation, message, descriptors)).message
        except anyio.get_cancelled_exc_class():
            # `call` stops exactly this start, should it arrive after its stop.
            stop: Message = {"do": "stop", "key": order["key"], "call": call}
            with (
                anyio.move_on_after(STOP_TIMEOUT, shield=True),
                contextlib.suppress(ProviderError),
            ):
                await self._call(operation, stop)
            raise

    def _check_start(self, answer: Message, request: ExecRequest) -> None:
        refused = answer.get("refused")
        if refused is None:
            return
        if refused == "stopped":
            raise lost(self._folder, self.ref, "exec.start")
        if refused != "cwd":
            self._reject(
                "the arguments and variables are too long for this computer",
                "pass large data through stdin or a file",
            )
        number = frames.whole(answer, "errno")
        error = _CWD_ERRORS.get(number, AccessDenied)(
            f"cannot start in {request.cwd!r}: {os.strerror(number).lower()}",
            provider=self.ref.provider,
            operation="exec.start",
            ref=self.ref,
            remedy="make the folder first, or name one that is there",
        )
        error.errno, error.filename = number, request.cwd
        raise error

    async def _call(self, operation: str, message: Message) -> Message:
        return (await self._exchange(operation, message)).message

    async def _exchange(
        self, operation: str, message: Message, descriptors: list[int] | None = None
    ) -> Frame:
        try:
            frame = await self._line.request(message, descriptors=descriptors or ())
        except (Ended, frames.ProtocolError) as error:
            raise lost(self._folder, self.ref, operation) from error
        refused = frame.message.get("error")
        if refused == "Paused":
            from sandbook_local import pausing  # as above

            raise pausing.refused(self.ref, operation)
        if refused == "Busy":
            raise self._busy(operation, frames.text(frame.message, "text"))
        if refused is not None:
            self._unsupported(operation, frames.text(frame.message, "text"))
        return frame

    def _busy(self, operation: str, text: str) -> Busy:
        return Busy(
            text,
            provider=self.ref.provider,
            operation=operation,
            ref=self.ref,
            sent="no",
            remedy="start fewer programs at once",
        )

    def _reject(self, text: str, remedy: str) -> NoReturn:
        raise SpecRejected(
            text,
            provider=self.ref.provider,
            operation="exec.start",
            ref=self.ref,
            sent="no",
            remedy=remedy,
        )

    def _unsupported(self, operation: str, text: str) -> NoReturn:
        raise Unsupported(
            text,
            provider=self.ref.provider,
            operation=operation,
            ref=self.ref,
            sent="no",
            remedy="use another provider: `sandbook providers` shows what each can do",
        )


def _pid(answer: Message) -> int | None:
    pid = answer.get("pid")
    return pid if isinstance(pid, int) else None
