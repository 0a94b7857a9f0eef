"""The interpreters of sandboxes: started before they are needed, one cell at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice

import anyio
from anyio.abc import TaskGroup

from sandbook.api import Code, CodeContext, Sandbox, UsesCode
from sandbook.errors import UsageError
from sandbook.runbook import Step
from sandbook.runner._context import BookContext, Env

WARMED = 4
"""Interpreters that are started before a step asks for them; each takes memory."""
WARMING_S = 60.0


@dataclass(slots=True)
class _Interpreter:
    """One set of variables; `wanted` is what its first step asked for."""

    wanted: CodeContext
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    code: Code | None = None

    async def started(self, sandbox: Sandbox) -> Code:
        if self.code is None:
            self.code = await sandbox.code(self.wanted)
        return self.code

    def refuse_other(self, wanted: CodeContext) -> None:
        """Refuse a step whose code would not see the environment it asks for."""
        mine, name = self.wanted, self.wanted.name
        for variable, value in wanted.env.items():
            if mine.env.get(variable) != value:
                raise _unlike(name, f"`env` of {variable!r}")
        if wanted.cwd not in (None, mine.cwd):
            raise _unlike(name, f"`cwd` {wanted.cwd!r}")


class Interpreters:
    """Those of the sandboxes of one runbook, by sandbox, language and context."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._known: dict[tuple[str, str, str], _Interpreter] = {}
        self._warming: dict[str, anyio.CancelScope] = {}

    @asynccontextmanager
    async def use(self, sandbox: Sandbox, wanted: CodeContext) -> AsyncGenerator[Code]:
        """The interpreter, started now if it is not there; others wait for its end."""
        one = self._one(sandbox, wanted)
        async with one.lock:
            one.refuse_other(wanted)
            yield await one.started(sandbox)

    def warm(self, sandbox: Sandbox, wanted: Sequence[CodeContext]) -> None:
        """Start these one after the other, beside the steps."""
        if wanted:
            self._warming[sandbox.ref.id] = scope = anyio.CancelScope()
            self._tasks.start_soon(self._warm, sandbox, wanted, scope)

    def forget(self, sandbox: Sandbox) -> None:
        """It is about to end: nothing is started in it any more."""
        if scope := self._warming.pop(sandbox.ref.id, None):
            scope.cancel()
        for key in [key for key in self._known if key[0] == sandbox.ref.id]:
            del self._known[key]

    def _one(self, sandbox: Sandbox, wanted: CodeContext) -> _Interpreter:
        key = sandbox.ref.id, wanted.language, wanted.name
        return self._known.setdefault(key, _Interpreter(wanted))

    async def _warm(
        self, sandbox: Sandbox, wanted: Sequence[CodeContext], scope: anyio.CancelScope
    ) -> None:
        with scope, anyio.move_on_after(WARMING_S):
            for each in wanted:
                one = self._one(sandbox, each)
                async with one.lock:
                    try:
                        await one.started(sandbox)
                    except Exception:  # noqa: BLE001 (foreign; the step meets it again)
                        return


def contexts_of(context: BookContext, sandbox: str, env: Env) -> Sequence[CodeContext]:
    """What the steps of a runbook will ask of a sandbox, in their order.

    Left out is what any of them gives an environment or a folder of its own: that may
    hold values which only the steps before it make.
    """
    cells = list(_cells(context, context.runbook.steps, sandbox, is_plain=True))
    own = {cell for cell, is_plain in cells if not is_plain}
    plain = dict.fromkeys(cell for cell, _ in cells if cell not in own)
    return [
        CodeContext(language=language, name=name, env=env)
        for language, name in islice(plain, WARMED)
    ]


def _cells(
    context: BookContext, steps: Sequence[Step], sandbox: str, *, is_plain: bool
) -> Iterator[tuple[tuple[str, str], bool]]:
    """Language and name of each cell, and whether nothing around it adds to it."""
    for step in steps:
        own = is_plain and not step.env and step.cwd is None
        verb = context.verbs[step.verb]
        if isinstance(verb, UsesCode) and context.plan.sandbox_of(step) == sandbox:
            yield verb.interpreter(step.args), own
        for children in step.children.values():
            yield from _cells(context, children, sandbox, is_plain=own)
        if step.used is not None and not step.used.has_own_sandbox:
            # Its file may add to the environment.
            yield from _cells(context, step.used.steps, sandbox, is_plain=False)


def _unlike(name: str, what: str) -> UsageError:
    return UsageError(
        f"{what} is not that of the first step which used the context {name!r}: an "
        "interpreter has one environment and one folder",
        remedy="give this step a `context` of its own, or set it in the code",
    )
