"""Interpreters of a machine: contexts that keep their variables.

One cell at a time in each. A cell whose caller has gone is interrupted. What was asked
for meanwhile stood in the interpreter's own queue, which it empties when a cell fails:
those cells never run.
"""

from __future__ import annotations

import itertools
import math
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from sandbook.api import (
    Code,
    CodeContext,
    CodeEvent,
    CodeRequest,
    Done,
    Failed,
    Sandbox,
)
from sandbook.errors import ProviderError

_cells = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Began:
    """A cell runs; `count` is its number in its context."""

    count: int


@dataclass(frozen=True, slots=True)
class Aborted:
    """A cell will never run."""


CellEvent = Began | CodeEvent | Aborted


class Cell:
    """One cell, from when it is asked for."""

    def __init__(self) -> None:
        self.is_over = False
        self.scope = anyio.CancelScope()
        send, receive = anyio.create_memory_object_stream[CellEvent](math.inf)
        self._send, self._receive = send, receive

    def tell(self, event: CellEvent) -> None:
        """Something happened; it is kept until somebody takes it."""
        try:
            self._send.send_nowait(event)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # nobody is there any more

    def end(self) -> None:
        """There is no more."""
        self._send.close()

    def leave(self) -> None:
        """Nobody is there any more."""
        self._receive.close()
        self._send.close()

    async def events(
        self, *, silence: float = math.inf
    ) -> AsyncIterator[CellEvent | None]:
        """What happens, to its end; None after each `silence` seconds of nothing."""
        while True:
            heard: CellEvent | None = None
            with anyio.move_on_after(silence):
                try:
                    heard = await self._receive.receive()
                except anyio.EndOfStream:
                    return
            yield heard


class Kernel:
    """One context; `waiting` cells have not ended."""

    def __init__(
        self, sandbox: Sandbox, group: TaskGroup, *, language: str, cwd: str
    ) -> None:
        self.id = str(uuid.uuid4())
        self.language = language
        self.cwd = cwd
        self._sandbox = sandbox
        self._group = group
        self._code: Code | None = None
        self._lock = anyio.Lock()
        self._count = 0
        self.waiting = 0
        self._given_up: Cell | None = None

    async def open(self) -> Code:
        """Start it, where it is not; raises the `ProviderError` that keeps it."""
        if self._code is None:
            context = CodeContext(language=self.language, name=self.id, cwd=self.cwd)
            self._code = await self._sandbox.code(context)
        return self._code

    def run(self, source: str, *, before: str = "", after: str = "") -> Cell:
        """Run a cell, and around it two that nobody sees or counts."""
        cell = Cell()
        self._group.start_soon(self._run, cell, (before, source, after))
        return cell

    def give_up(self, cell: Cell) -> None:
        """Its caller has gone: interrupt it, if it has not ended."""
        cell.leave()
        if not cell.is_over:
            self._given_up = cell
            cell.scope.cancel()

    async def restart(self) -> None:
        """Start afresh, with no variables."""
        if self._code is not None:
            await self._code.restart()
        self._count = 0

    async def _run(self, cell: Cell, sources: tuple[str, str, str]) -> None:
        stood_behind = self._given_up
        self.waiting += 1
        try:
            async with self._lock:
                if stood_behind is not None:
                    cell.tell(Aborted())
                elif not cell.scope.cancel_called:
                    await self._run_now(cell, sources)
        except ProviderError as error:
            name = type(error).__name__
            cell.tell(Failed(name=name, value=str(error), traceback=""))
        finally:
            self.waiting -= 1
            cell.is_over = True
            cell.end()
            if self._given_up is cell:
                self._given_up = None

    async def _run_now(self, cell: Cell, sources: tuple[str, str, str]) -> None:
        before, source, after = sources
        code = await self.open()
        await _run_unseen(code, before)
        self._count += 1
        cell.tell(Began(count=self._count))
        with cell.scope:
            # Whoever leaves this loop interrupts the cell.
            async for event in code.run(_request(source)):
                cell.tell(event)
                if isinstance(event, Done) and not event.state_kept:
                    self._count = 0  # the one that follows begins anew
        if cell.scope.cancelled_caught:
            await _run_unseen(code, "pass")  # waits for its end
        await _run_unseen(code, after)


class Kernels:
    """The contexts of one machine, in the order in which they were made."""

    def __init__(self, sandbox: Sandbox, group: TaskGroup) -> None:
        self._sandbox = sandbox
        self._group = group
        self._found: dict[str, Kernel] = {}

    def __iter__(self) -> Iterator[Kernel]:
        """Those that there are."""
        return iter(list(self._found.values()))

    def add(self, *, language: str, cwd: str) -> Kernel:
        """A context; it is started when it is first used."""
        kernel = Kernel(self._sandbox, self._group, language=language, cwd=cwd)
        self._found[kernel.id] = kernel
        return kernel

    def find(self, id: str) -> Kernel | None:
        """The context with this id."""
        return self._found.get(id)

    def clear(self) -> None:
        """They are gone."""
        self._found.clear()

    def remove(self, kernel: Kernel) -> None:
        """It is not wanted any more."""
        self._found.pop(kernel.id, None)


def _request(source: str) -> CodeRequest:
    return CodeRequest(key=f"cell-{next(_cells)}", source=source)


async def _run_unseen(code: Code, source: str) -> None:
    if source:
        async for _ in code.run(_request(source)):
            pass
