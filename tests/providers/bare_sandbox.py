"""A bare sandbox and its commands: each is run by a keeper of its own."""

from __future__ import annotations

import json
import pwd
import shutil
import subprocess
import sys
from collections.abc import AsyncIterable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NoReturn, TypeVar

import anyio
from anyio import to_thread

from sandbook.api import (
    Capabilities,
    Code,
    CodeContext,
    ExecRequest,
    PortUrl,
    Program,
    Pty,
    PtyRequest,
    SandboxInfo,
    Shell,
    SnapshotRef,
    Watch,
    WatchRequest,
)
from sandbook.errors import (
    FileMissing,
    NotAFolder,
    SandboxLost,
    SpecRejected,
    Unsupported,
)
from tests.providers.bare_files import BareFiles
from tests.providers.bare_process import BareProcess
from tests.providers.bare_store import Record, Store, command_folder

KEEPER = str(Path(__file__).with_name("keeper.py"))
_T = TypeVar("_T")


class BareSandbox:
    """One folder and the commands that run in it."""

    def __init__(self, store: Store, record: Record, have: Capabilities) -> None:
        """A handle; any number of them may be open."""
        self._have = have
        self.ref = record.ref
        self._store = store
        self._record = record
        self._path = store.path(record.ref.id)
        self.home = str(self._path / "home")
        self.files = BareFiles(self)

    @property
    def workdir(self) -> str:
        """Where relative paths start."""
        return self._record.workdir

    def check_alive(self, operation: str) -> None:
        """Raise `SandboxLost` when it has ended."""
        if self._store.end_of_life(self.ref.id) is None:
            raise SandboxLost(
                f"the sandbox {self.ref.id!r} has ended",
                provider="bare",
                operation=operation,
                ref=self.ref,
                remedy="create a new one",
            )

    async def start(self, request: ExecRequest) -> BareProcess:
        """Start a program under a keeper, or return the one that has this key."""
        folder = command_folder(self._path, request.key)
        process = BareProcess(self, request.key, folder)
        # Not interruptible: half a start could not be taken back.
        with anyio.CancelScope(shield=True):
            prepared = await _in_thread(partial(self._prepare, request, folder))
            if prepared:
                await self._launch(request, folder)
        try:
            await process.started()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await process.signal("KILL")
            raise
        return process

    def _prepare(self, request: ExecRequest, folder: Path) -> bool:
        """Claim the key; False when it is known. Everything wrong is told before."""
        self.check_alive("start")
        if folder.is_dir():
            return False
        asked = self._describe(request)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            return False
        (folder / "request.json").write_text(json.dumps(asked), encoding="utf-8")
        return True

    async def _launch(self, request: ExecRequest, folder: Path) -> None:
        await _store_input(request, folder / "stdin")
        await anyio.run_process(
            (sys.executable, "-I", "-S", KEEPER, str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
        )

    def _describe(self, request: ExecRequest) -> dict[str, object]:
        user = self._find_user(request.user)
        argv = _argv(request.program)
        env = {**self.base_env(), **self._record.env, **request.env}
        return {
            "argv": argv,
            "env": env,
            "cwd": self._find_cwd(request.cwd),
            "stdin": None
            if request.stdin is None
            else "pipe"
            if request.stdin == "pipe"
            else "file",
            "user": None if user is None else user.pw_uid,
            "group": None if user is None else user.pw_gid,
            "timeout": request.timeout,
            "grace": request.grace,
            "head": request.head,
            "tail": request.tail,
            "background": request.background,
        }

    def base_env(self) -> dict[str, str]:
        """What a command sees besides what it is given; nothing of ours."""
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        temporary = str(self._path / "tmp")
        return {"PATH": path, "HOME": self.home, "TMPDIR": temporary, "LANG": "C.UTF-8"}

    def _find_cwd(self, cwd: str | None) -> str:
        path = Path(self.workdir, cwd or "")
        if path.is_dir():
            return str(path)
        error = NotAFolder if path.exists() else FileMissing
        raise error(
            f"no folder {cwd!r} to run in",
            provider="bare",
            operation="start",
            ref=self.ref,
            sent="no",
            remedy="make it first, or leave out cwd",
        )

    def _find_user(self, name: str | None) -> pwd.struct_passwd | None:
        if name is None:
            return None
        if "exec.user" not in self._have.native:
            _unsupported(f"exec.user ({name!r})")
        try:
            return pwd.getpwnam(name)
        except KeyError as error:
            raise SpecRejected(
                f"there is no user {name!r}",
                provider="bare",
                operation="start",
                sent="no",
                remedy="name a user of this computer",
            ) from error

    async def find(self, key: str) -> BareProcess | None:
        """The program with this key, running or ended."""
        await _in_thread(partial(self.check_alive, "find"))
        folder = command_folder(self._path, key)
        if not folder.is_dir():
            return None
        process = BareProcess(self, key, folder)
        await process.started()
        return process

    async def code(self, request: CodeContext) -> Code:
        """Refuse: there are no interpreters."""
        _unsupported(f"code.{request.language}")

    async def pty(self, request: PtyRequest) -> Pty:
        """Refuse: there are no terminals."""
        _unsupported(f"pty for {request.key!r}")

    async def attach_pty(self, id: str) -> Pty:
        """Refuse: there are no terminals."""
        _unsupported(f"pty {id!r}")

    async def find_pty(self, pid: int) -> Pty | None:
        """Refuse: there are no terminals."""
        _unsupported(f"pty of process {pid}")

    def watch(self, request: WatchRequest) -> AbstractAsyncContextManager[Watch]:
        """Refuse: nothing is watched."""
        _unsupported(f"watch of {request.path!r}")

    async def port(self, number: int) -> PortUrl:
        """Refuse: ports are not forwarded."""
        _unsupported(f"ports such as {number}")

    async def extend(self, lifetime: float) -> datetime | None:
        """Live at least `lifetime` seconds from now."""
        end = await _in_thread(partial(self._store.extend, self._record, lifetime))
        if end is None:
            self.check_alive("extend")
            return None
        return datetime.fromtimestamp(end, UTC)

    async def pause(self) -> None:
        """Refuse: nothing is paused."""
        _unsupported("pause")

    async def snapshot(self, name: str) -> SnapshotRef:
        """Refuse: nothing is copied."""
        _unsupported(f"snapshot {name!r}")

    async def info(self) -> SandboxInfo:
        """Its state, labels and end of life."""
        told = await _in_thread(partial(self._store.info, self._record))
        return replace(told, isolation=self._have.isolation)

    async def aclose(self) -> None:
        """Nothing is held."""


def _argv(program: Program) -> list[str]:
    if not isinstance(program, Shell):
        return list(program)
    bash = shutil.which("bash") if program.dialect == "bash" else None
    strict = ["-e"] if program.strict else []
    if bash is None:
        return ["/bin/sh", *strict, "-c", program.text]
    pipefail = ["-o", "pipefail"] if program.strict else []
    return [bash, "--noprofile", "--norc", *strict, *pipefail, "-c", program.text]


async def _store_input(request: ExecRequest, path: Path) -> None:
    """Put stdin where the keeper opens it; "pipe" and None need nothing."""
    source = request.stdin
    if isinstance(source, bytes):
        await anyio.Path(path).write_bytes(source)
    elif isinstance(source, AsyncIterable):
        async with await anyio.open_file(path, "wb") as file:
            async for piece in source:
                await file.write(piece)


def _unsupported(what: str) -> NoReturn:
    raise Unsupported(
        f"bare sandboxes cannot do {what}",
        provider="bare",
        operation="start",
        sent="no",
        remedy="use another provider",
    )


async def _in_thread(call: Callable[[], _T]) -> _T:
    return await to_thread.run_sync(call)
