"""Cells in the languages that only E2B's own code interpreter knows.

It has contexts and rich results. What it has not is kept beside it, in files of the
driver's folder: which context has which name, and what a cell gave, by its key. Whether
the variables are still there is asked of it: cells are counted, from one by whom begins
anew. A cell that it throws away, because one before it was interrupted, looks like one
that had nothing to say, but has no count: it is sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import anyio

from sandbook.api import (
    CodeContext,
    CodeEvent,
    CodeRequest,
    Done,
    Failed,
    SandboxRef,
    Text,
)
from sandbook.drivers import DriverFiles, Link
from sandbook.errors import (
    FileMissing,
    NotAFolder,
    ProviderError,
    SpecRejected,
    Unsupported,
)
from sandbook_e2b import results
from sandbook_e2b.failures import translate

if TYPE_CHECKING:
    from e2b_code_interpreter import AsyncSandbox, Execution  # pyright: ignore[reportMissingTypeStubs]  # it has types

LANGUAGES = frozenset({"r", "java", "typescript"})
"""Those that our driver does not know."""

_TEMPLATE = "code-interpreter-v1"
_PROBE = "0"
_PROBE_TIMEOUT = 3.0
_SETTLE_TIMEOUT = 15.0
_ABORTED_AGAIN = 0.2
_CLOSED = "port is not open"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A context of the interpreter; `count` is what it counted last."""

    id: str
    life: str
    cells: int = 0
    count: int = 0


class NativeCode:
    """A context; `id` is another one when its variables are gone."""

    def __init__(
        self, made: AsyncSandbox, link: Link, files: DriverFiles, context: CodeContext
    ) -> None:
        self._made = made
        self._link = link
        self._files = files
        self._context = context
        self._life = ""
        self._running: asyncio.Task[Any] | None = None
        self.id = ""

    @property
    def _ref(self) -> SandboxRef:
        return self._link.host.ref

    async def open(self) -> None:
        """Find or make the context."""
        known = await self._known()
        if known is None or not await self._lives(known):
            known = await self._make()
        self._take(known)

    def _take(self, known: _Known) -> None:
        self._life = known.life
        self.id = f"{self._context.language}/{self._context.name}/{known.life}"

    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        """Run a cell, or tell again what the one with this key gave.

        Leaving the loop before `Done` gives it up: it is interrupted.

        Raises:
            SpecRejected: It has values that go in or come out.
        """
        if cell.bind or cell.read:
            self._refuse_values()
        if not self._life:
            await self.open()
        place = await self._place(f"cell/{self.id}/{cell.key}")
        told = await self._told_before(place) or await self._told_of_loss()
        if told:
            for event in told:
                yield event
            return
        await self._files.write(place, b"", mode=0o600)
        events: list[CodeEvent] = []
        async with aclosing(self._run(cell)) as told_now:
            async for event in told_now:
                events.append(event)
                if isinstance(event, Done):
                    await self._files.write(place, results.written(events), mode=0o600)
                yield event

    async def interrupt(self) -> None:
        """Interrupt the cell that runs here; the variables stay."""
        if self._running is not None:
            self._running.cancel()

    async def restart(self) -> None:
        """Start afresh, with no variables."""
        known = await self._known()
        if known is None or not await self._lives(known):
            self._take(await self._make())
            return
        with self._translated("code.restart"):
            await self._made.restart_code_context(known.id)
        fresh = _Known(id=known.id, life=secrets.token_hex(6))
        await self._keep(fresh)
        self._take(fresh)

    # One cell.

    async def _run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        known = await self._must_know()
        heard: asyncio.Queue[CodeEvent | None] = asyncio.Queue()
        self._running = asyncio.create_task(self._execute(cell, known, heard))
        has_failed = False
        try:
            while (event := await heard.get()) is not None:
                has_failed = has_failed or isinstance(event, Failed)
                yield event
            end = await self._end(known, self._running, has_failed=has_failed)
        finally:
            task, self._running = self._running, None
            task.cancel()
            with anyio.CancelScope(shield=True), suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        for event in end:
            yield event

    async def _execute(
        self,
        cell: CodeRequest,
        known: _Known,
        heard: asyncio.Queue[CodeEvent | None],
    ) -> Execution:
        """Run it until it was not thrown away; closing the connection interrupts it."""

        def failed(error: Any) -> None:
            name, value, traceback = error.name, error.value, error.traceback
            heard.put_nowait(Failed(name=name, value=value, traceback=traceback))

        try:
            while True:
                done = await self._made.run_code(
                    cell.source,
                    context=self._as_context(known),
                    on_stdout=lambda m: heard.put_nowait(
                        Text(stream="stdout", data=m.line)
                    ),
                    on_stderr=lambda m: heard.put_nowait(
                        Text(stream="stderr", data=m.line)
                    ),
                    on_result=lambda r: heard.put_nowait(results.rich(r)),
                    on_error=failed,
                    envs=dict(self._context.env) or None,
                    timeout=0 if cell.timeout is None else max(cell.timeout, 0.001),
                )
                if done.execution_count is not None:
                    return done
                await asyncio.sleep(_ABORTED_AGAIN)
        finally:
            heard.put_nowait(None)

    async def _end(
        self, known: _Known, task: asyncio.Task[Execution], *, has_failed: bool
    ) -> list[CodeEvent]:
        """How it ended, and whether the variables are still there."""
        await asyncio.wait([task])
        said: list[CodeEvent] = []
        if task.cancelled():
            status, count = "error", None
            said.append(Failed(name="Interrupted", value="interrupted", traceback=""))
        elif (error := task.exception()) is not None:
            if type(error).__name__ != "TimeoutException":
                raise self._error(error, "code.run")
            await self._link.host.must_live("code.run")  # its end looks the same
            status, count = "timed_out", None
        else:
            status, count = ("error" if has_failed else "ok"), None
            if not has_failed:
                count = task.result().execution_count
        kept = count is not None
        if count is None:
            count = await self._settled(known)
            # One that begins anew counts this as its first.
            kept = count is not None and count > max(known.count, 1)
        fresh = _Known(
            id=known.id,
            life=known.life if kept else secrets.token_hex(6),
            cells=known.cells + 1 if kept else 0,
            count=count or 0,
        )
        await self._keep(fresh)
        self._take(fresh)
        done = Done(
            status=status,  # type: ignore[arg-type]  # one of the four
            values={},
            state_kept=kept,
            count=known.cells + 1,
        )
        return [*said, done]

    async def _settled(self, known: _Known) -> int | None:
        """What it counts when it answers again; None where it had to begin anew."""
        with anyio.move_on_after(_SETTLE_TIMEOUT):
            while True:
                try:
                    done = await self._made.run_code(
                        _PROBE,
                        context=self._as_context(known),
                        timeout=_PROBE_TIMEOUT,
                    )
                except Exception as error:
                    if type(error).__name__ != "TimeoutException":
                        raise self._error(error, "code.run") from error
                    await self._link.host.must_live("code.run")
                else:
                    if done.execution_count is not None:
                        return int(done.execution_count)
                await asyncio.sleep(_ABORTED_AGAIN)
        with self._translated("code.restart"):
            await self._made.restart_code_context(known.id)
        return None

    async def _told_of_loss(self) -> list[CodeEvent]:
        """Nothing while the variables are those that this handle knows."""
        known = await self._known()
        if known is not None and known.life == self._life:
            return []
        self._life = ""
        why = "its interpreter was ended before, and its variables with it"
        return [
            Failed(name="InterpreterDied", value=why, traceback=""),
            Done(status="died", values={}, state_kept=False, count=0),
        ]

    # What is kept beside it.

    async def _place(self, name: str) -> str:
        root = (await self._link.channel()).root
        return f"{root}/native/{hashlib.sha256(name.encode()).hexdigest()[:32]}"

    async def _context_place(self) -> str:
        return await self._place(f"{self._context.language}/{self._context.name}")

    async def _known(self) -> _Known | None:
        try:
            data = await self._files.read(await self._context_place())
        except FileMissing:
            return None
        return _Known(**json.loads(data))

    async def _must_know(self) -> _Known:
        known = await self._known()
        if known is None:
            known = await self._make()
        return known

    async def _keep(self, known: _Known) -> None:
        data = json.dumps(asdict(known)).encode()
        await self._files.write(await self._context_place(), data, mode=0o600)

    async def _told_before(self, place: str) -> list[CodeEvent]:
        try:
            data = await self._files.read(place)
        except FileMissing:
            return []
        if data:
            return results.read(data)
        why = "it was interrupted when its reader left"
        return [
            Failed(name="Interrupted", value=why, traceback=""),
            Done(status="error", values={}, state_kept=True, count=0),
        ]

    # The interpreter.

    def _as_context(self, known: _Known) -> Any:
        from e2b_code_interpreter import Context  # pyright: ignore[reportMissingTypeStubs]  # the SDK is loaded by now

        return Context(known.id, self._context.language, "")

    async def _lives(self, known: _Known) -> bool:
        with self._translated("code"):
            found = await self._made.list_code_contexts()
        return known.id in [context.id for context in found]

    async def _make(self) -> _Known:
        cwd = await self._folder()
        with self._translated("code"):
            made = await self._made.create_code_context(
                cwd=cwd, language=self._context.language
            )
        known = _Known(id=made.id, life=secrets.token_hex(6))
        await self._keep(known)
        return known

    async def _folder(self) -> str:
        channel = await self._link.channel()
        wanted = self._context.cwd
        if wanted is None:
            return channel.workdir
        found = await self._files.stat(wanted, follow=True)
        if found.kind != "folder":
            raise NotAFolder(
                f"cannot run code in {wanted!r}: it is not a folder",
                provider=self._ref.provider,
                operation="code",
                ref=self._ref,
                remedy="name a folder that is there",
            )
        return found.path

    @contextmanager
    def _translated(self, operation: str) -> Generator[None]:
        """A block in which the SDK's errors become the contract's."""
        try:
            yield
        except Exception as error:
            raise self._error(error, operation) from error

    def _error(self, error: BaseException, operation: str) -> BaseException:
        """What the SDK raised, as the contract's error."""
        text = str(error)
        if _CLOSED in text:
            return self._unsupported(
                "there is no code interpreter in this sandbox",
                f"take a template that has one, as {_TEMPLATE} does",
            )
        if operation == "code" and text.startswith("500 "):
            language = self._context.language
            return self._unsupported(
                f"the code interpreter of this sandbox does not run {language}: {text}",
                f"take a template whose code interpreter has {language}",
            )
        if not isinstance(error, Exception) or isinstance(error, ProviderError):
            return error
        made = translate(error, operation, self._ref)
        made.__cause__ = error
        return made

    def _unsupported(self, message: str, remedy: str) -> Unsupported:
        return Unsupported(
            message,
            provider=self._ref.provider,
            operation="code",
            ref=self._ref,
            sent="no",
            remedy=remedy,
        )

    def _refuse_values(self) -> NoReturn:
        raise SpecRejected(
            f"values cannot be given to {self._context.language} cells, nor saved",
            provider=self._ref.provider,
            operation="code.run",
            ref=self._ref,
            sent="no",
            remedy="write them into a file, and read it in the cell; or print them",
        )
