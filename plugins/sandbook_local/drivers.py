"""How the drivers of code cells are had: found, or started.

A driver is a background command under a key of ours; when one has died, the next has
the next number, so that a key still names one execution.
"""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import anyio

from sandbook.api import ExecRequest, SandboxRef
from sandbook.errors import ConnectionLost, ProviderError
from sandbook_local import dialling, layout
from sandbook_local.connection import Connection, Ended
from sandbook_local.inside import frames
from sandbook_local.inside.code import ready
from sandbook_local.inside.plan import CODE
from sandbook_local.process import LocalProcess, lost

KEY = "sandbook/code"
_EXPLAIN_WITHIN = 5.0
_PAUSE = 0.01
_MOST = 1000

Start = Callable[[ExecRequest], Awaitable[LocalProcess]]
Find = Callable[[str], Awaitable[LocalProcess | None]]


class LocalDriver:
    """The way to the driver of one language in one sandbox."""

    def __init__(
        self, language: str, folder: Path, ref: SandboxRef, *, start: Start, find: Find
    ) -> None:
        self.ref = ref
        self._language = language
        self._folder = folder
        self._start = start
        self._find = find
        self._process: LocalProcess | None = None
        self._one_at_a_time = anyio.Lock()

    async def connect(self) -> Connection:
        """A new connection; starts the driver where it is not there."""
        found = await self._dial()
        if found is not None:
            return found
        async with self._one_at_a_time:
            return await self._dial() or await self._begin()

    async def explain(self) -> str:
        """Why it has hung up, in words."""
        process = self._process or await self._newest()
        self._process = None
        if process is None:
            return "its driver is gone"
        await process.detach()  # or to wait for it would be to end it
        with anyio.move_on_after(_EXPLAIN_WITHIN):
            result = await process.wait()
            said = result.stderr.data().decode(errors="replace").strip().splitlines()
            last = f": {said[-1]}" if said and not result.limit else ""
            return result.limit or f"its driver ended ({result.code}){last}"
        return "its driver hung up"

    async def _dial(self) -> Connection | None:
        path = ready.socket_path(self._language)
        while True:
            try:
                return Connection(await dialling.dial_path(self._folder, path))
            except dialling.DialRefused as error:
                if error.number != errno.EAGAIN:
                    return None
            except dialling.DialBusy:
                pass
            except (Ended, frames.ProtocolError) as error:
                raise lost(self._folder, self.ref, "code") from error
            await anyio.sleep(_PAUSE)

    async def _begin(self) -> Connection:
        for number in range(1, _MOST):
            key = f"{KEY}/{self._language}/{number}"
            process = await self._find(key)
            is_new = process is None
            if process is None:
                process = await self._start(self._request(key))
            await process.detach()
            if await self._is_ready(process):
                found = await self._dial()
                if found is not None:
                    self._process = process
                    return found
                await process.signal("KILL")
            if is_new:
                self._process = process
                raise self._error(await self.explain())
        raise self._error("its driver has died too often")

    async def _is_ready(self, process: LocalProcess) -> bool:
        """Whether it says that it listens; it does so once, and before anything."""
        while True:
            try:
                async with aclosing(process.output()) as output:
                    async for chunk in output:
                        if chunk.stream == "stdout":
                            return True
            except ConnectionLost:
                continue  # another client looked at the same time
            return False

    async def _newest(self) -> LocalProcess | None:
        newest: LocalProcess | None = None
        for number in range(1, _MOST):
            found = await self._find(f"{KEY}/{self._language}/{number}")
            if found is None:
                return newest
            newest = found
        return newest

    def _request(self, key: str) -> ExecRequest:
        program = [f"{CODE}/main.py", "code", self._language]
        if self._language == "python":
            # That of the private environment: what is installed there comes first.
            python = [f"{layout.HOME}/.venv/bin/python"]
        else:
            python = [layout.base_executable(), "-I", "-S"]
        return ExecRequest(
            program=(*python, *program), key=key, background=True, head=1024, tail=4096
        )

    def _error(self, why: str) -> ProviderError:
        return ProviderError(
            f"code in {self._language} cannot be run: {why}",
            provider=self.ref.provider,
            operation="code",
            ref=self.ref,
            remedy="see what is installed in the sandbox, or start one afresh",
        )
