"""The sandboxes of a server, and how long they live.

Each is a sandbox of a real provider. Its own end of life is a little behind the one
that the vendor would give it: it takes over when the server dies.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
from anyio.abc import TaskGroup, TaskStatus

from sandbook.api import ExecRequest, ExecResult, Provider, Sandbox, SandboxSpec
from sandbook.errors import ProviderError
from tests.servers.core.kernels import Kernels
from tests.servers.core.processes import Processes, ProcessRules
from tests.servers.core.waking import WakingTime
from tests.servers.core.watches import Watches

_SPARE = 120.0
_LONGEST = 86_400.0
_END_TIMEOUT = 15.0

WhenOver = Callable[["Machine"], Awaitable[None]]


class MachineGone(Exception):  # noqa: N818 (a state, never shown)
    """The machine ended, or was paused, while it was used."""


class Machine:
    """One sandbox, and what is known of it beside."""

    def __init__(
        self, id: str, sandbox: Sandbox, *, group: TaskGroup, rules: ProcessRules
    ) -> None:
        self.id = id
        self.sandbox = sandbox
        self.group = group
        self.time = WakingTime()
        self.processes = Processes(sandbox, group, rules, time=self.time)
        self.watches = Watches(sandbox, group)
        self.kernels = Kernels(sandbox, group)
        self.started_at = datetime.now(UTC)
        self.ends_at = self.started_at
        self.is_gone = False
        self.is_paused = False
        self._moved = anyio.Event()
        self._uses: set[anyio.CancelScope] = set()
        self._count = 0

    @property
    def home(self) -> str:
        """Its user's home folder."""
        return self.sandbox.home

    async def live(self, seconds: float) -> None:
        """Live this long from now."""
        await self.sandbox.extend(min(seconds + _SPARE, _LONGEST))
        self.ends_at = datetime.now(UTC) + timedelta(seconds=seconds)
        self._moved.set()

    async def run(self, *argv: str) -> ExecResult:
        """Run a program of ours to its end."""
        self._count += 1
        request = ExecRequest(program=argv, key=f"ours-{self._count}")
        return await (await self.sandbox.start(request)).wait()

    @asynccontextmanager
    async def in_use(self) -> AsyncGenerator[None]:
        """A block that ends with `MachineGone` when the machine ends, or is paused."""
        if not self._is_awake():
            raise MachineGone
        with anyio.CancelScope() as scope:
            self._uses.add(scope)
            try:
                yield
            except ProviderError as error:
                # Told before we have heard that it is gone.
                if self._is_awake():
                    raise
                raise MachineGone from error
            finally:
                self._uses.discard(scope)
        if scope.cancelled_caught:
            raise MachineGone

    async def wait_for_end_of_life(self) -> None:
        """Wait until its time is over, wherever that is moved to."""
        while True:
            self._moved = anyio.Event()
            left = (self.ends_at - datetime.now(UTC)).total_seconds()
            if self.is_paused:
                left = math.inf
            if left <= 0:
                return
            with anyio.move_on_after(left):
                await self._moved.wait()

    async def pause(self) -> None:
        """Let all that runs stand still; it does not end by itself meanwhile."""
        self.is_paused = True
        self.time.pause()
        self._stop_uses()
        self._moved.set()
        await self.sandbox.extend(_LONGEST)
        await self.sandbox.pause()

    async def resumed(self, seconds: float) -> None:
        """Live this long, now that it goes on."""
        self.is_paused = False
        self.time.resume()
        await self.live(seconds)

    async def restart(self) -> None:
        """End all that runs, as a start from its files alone would."""
        await self.run("/bin/sh", "-c", "kill -KILL -1")
        self.kernels.clear()

    def leave(self) -> None:
        """End all that is done with it: it is gone."""
        self.is_gone = True
        self._stop_uses()
        self.group.cancel_scope.cancel()

    def _is_awake(self) -> bool:
        return not (self.is_gone or self.is_paused)

    def _stop_uses(self) -> None:
        for scope in list(self._uses):
            scope.cancel()


class Machines:
    """All machines of a server."""

    def __init__(self, provider: Provider, rules: ProcessRules) -> None:
        self._provider = provider
        self._rules = rules
        self._found: dict[str, Machine] = {}
        self._group: TaskGroup | None = None

    def __iter__(self) -> Iterator[Machine]:
        """Those that live."""
        return iter(list(self._found.values()))

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Machines can be made within the block; none is left behind it."""
        async with anyio.create_task_group() as self._group:
            try:
                yield
            finally:
                with anyio.CancelScope(shield=True):
                    for machine in self:
                        await self.end(machine)
                self._group.cancel_scope.cancel()

    def find(self, id: str) -> Machine | None:
        """The live machine with this id."""
        return self._found.get(id)

    async def make(
        self, id: str, spec: SandboxSpec, *, lifetime: float, when_over: WhenOver
    ) -> Machine:
        """Make a machine; `when_over` ends or pauses it at the end of its life."""
        assert self._group is not None
        spec = replace(spec, lifetime=min(lifetime + _SPARE, _LONGEST))
        sandbox = await self._provider.create(spec, key=id)
        machine: Machine = await self._group.start(self._keep, id, sandbox, when_over)
        self._found[id] = machine
        await machine.live(lifetime)
        return machine

    async def resume(self, machine: Machine, *, lifetime: float) -> None:
        """Let a paused machine go on."""
        opened = await self._provider.attach(machine.sandbox.ref, resume_paused=True)
        await opened.aclose()
        await machine.resumed(lifetime)

    async def end(self, machine: Machine) -> bool:
        """End a machine; False = it was already gone."""
        if self._found.pop(machine.id, None) is None:
            return False
        machine.leave()
        with anyio.move_on_after(_END_TIMEOUT, shield=True), suppress(ProviderError):
            await machine.sandbox.aclose()
            await self._provider.destroy(machine.sandbox.ref)
        return True

    async def _keep(
        self,
        id: str,
        sandbox: Sandbox,
        when_over: WhenOver,
        *,
        task_status: TaskStatus[Machine],
    ) -> None:
        async with anyio.create_task_group() as group:
            machine = Machine(id, sandbox, group=group, rules=self._rules)
            machine.ends_at = datetime.max.replace(tzinfo=UTC)
            task_status.started(machine)
            while not machine.is_gone:
                await machine.wait_for_end_of_life()
                with anyio.CancelScope(shield=True):
                    await when_over(machine)
