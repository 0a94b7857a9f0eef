"""E: time-outs that leave something, signals that go wrong, losses that do not show."""

from __future__ import annotations

import dataclasses
import os
import signal
from contextlib import suppress

import anyio

from sandbook.api import Captured, ExecRequest, ExecResult, Process, SignalName
from sandbook.errors import Busy, ConnectionLost, SandboxLost
from tests.conformance.mutants.commands import Asks, Tells
from tests.conformance.mutants.wrap import MutantProcess, MutantSandbox, breaks


@breaks("E54")
class Tells124(Tells):
    def told(self, result: ExecResult) -> ExecResult:
        if result.end == "timed_out":
            return dataclasses.replace(result, end="exited", code=124)
        return result


@breaks("E54b")
class Takes124ForATimeout(Tells):
    def told(self, result: ExecResult) -> ExecResult:
        if result.code == 124:
            return dataclasses.replace(result, end="timed_out", code=None)
        return result


@breaks("E55")
class ForgetsWhatWasSaid(Tells):
    def told(self, result: ExecResult) -> ExecResult:
        if result.end == "timed_out":
            return dataclasses.replace(result, stdout=Captured())
        return result


class _OwnTimeout(MutantSandbox):
    """Takes the time itself, and ends too little."""

    async def start(self, request: ExecRequest) -> Process:
        untimed = dataclasses.replace(request, timeout=None)
        return self.wrap(await self.inner.start(untimed), request)


class _KillsTooLittle(MutantProcess):
    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    async def wait(self) -> ExecResult:
        limit = self.request.timeout
        if limit is None:
            return await self.inner.wait()
        await self.inner.detach()
        with anyio.move_on_after(limit):
            return await self.inner.wait()
        with suppress(ProcessLookupError):
            self.kill(self.inner.pid or 0)
        result = await self.inner.wait()
        return dataclasses.replace(result, end="timed_out", code=None)


class _KillsTheGroup(_KillsTooLittle):
    def kill(self, pid: int) -> None:
        os.killpg(pid, signal.SIGKILL)


class _Untimed(_OwnTimeout):
    """With the process class that a mutant names."""

    kind: type[MutantProcess]

    def wrap(self, inner: Process, request: ExecRequest) -> MutantProcess:
        return self.kind(self, inner, request)


@breaks("E56")
class KillsOnlyTheShell(_Untimed):
    kind = _KillsTooLittle


@breaks("E57")
class LeavesASession(_Untimed):
    kind = _KillsTheGroup


@breaks("E57b")
class LeavesADaemon(_Untimed):
    kind = _KillsTheGroup


@breaks("E57c")
class EndsTheOthersToo(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        process = await super().start(request)
        self._all: list[Process] = [*getattr(self, "_all", []), process]
        if request.timeout is not None:
            await process.wait()
            for other in self._all:
                await other.signal("KILL")
        return process


@breaks("E58")
class KillsWithoutAWord(_Untimed):
    kind = _KillsTheGroup


@breaks("E58")
class OnlyAsks(_Untimed):
    class kind(_KillsTooLittle):  # noqa: N801 - it fills the place of that name
        def kill(self, pid: int) -> None:
            os.kill(pid, signal.SIGTERM)


@breaks("E58b")
class GivesNoGrace(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return dataclasses.replace(request, grace=0.0)


@breaks("E59")
class TriesAgain(MutantProcess):
    async def wait(self) -> ExecResult:
        result = await self.inner.wait()
        if result.end == "timed_out":
            again = dataclasses.replace(self.request, key=f"{self.key}-again")
            await (await self.box.inner.start(again)).wait()
        return result


@breaks("E60")
class IsStuckAfterATimeout(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        if getattr(self, "_stuck", False):
            raise Busy("another command runs", provider="bare", operation="start")
        self._stuck = request.timeout is not None and request.program == (
            "sleep",
            "600",
        )
        return await super().start(request)


class _Sends(MutantProcess):
    """Sends another signal."""

    async def signal(self, name: SignalName) -> bool:
        return await self.inner.signal(self.instead(name))

    def instead(self, name: SignalName) -> SignalName:
        return name


@breaks("E61")
class KillsInstead(_Sends):
    def instead(self, name: SignalName) -> SignalName:
        del name
        return "KILL"


@breaks("E61b")
class OnlyInterrupts(_Sends):
    def instead(self, name: SignalName) -> SignalName:
        return "INT" if name == "TERM" else name


@breaks("E61c")
class KillsOnlyTheFirst(MutantProcess):
    async def signal(self, name: SignalName) -> bool:
        if name != "KILL":
            return await self.inner.signal(name)
        with suppress(ProcessLookupError):
            os.kill(self.inner.pid or 0, signal.SIGKILL)
            return True
        return False


@breaks("E62")
class SignalsTheDead(MutantProcess):
    async def signal(self, name: SignalName) -> bool:
        await self.inner.signal(name)
        return True


@breaks("E63")
class RunsOnWhenCancelled(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        process = await super().start(request)
        await process.detach()
        return process


@breaks("E63")
class SwallowsCancellation(MutantProcess):
    async def wait(self) -> ExecResult:
        results: list[ExecResult] = []
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(1.0):
                results.append(await self.inner.wait())
            if not results:
                await self.inner.signal("KILL")
                results.append(await self.inner.wait())
        return results[0]


@breaks("E63b")
class CannotDetach(MutantProcess):
    async def detach(self) -> None:
        pass


@breaks("E64")
class TakesALossForAnExit(MutantProcess):
    async def wait(self) -> ExecResult:
        try:
            return await self.inner.wait()
        except SandboxLost:
            nothing = Captured()
            return ExecResult(
                end="exited", code=137, stdout=nothing, stderr=nothing, seconds=0.0
            )


@breaks("E64b")
class CallsALossABrokenLine(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        try:
            return await super().start(request)
        except SandboxLost as error:
            raise ConnectionLost(
                "no answer", provider="bare", operation="start"
            ) from error
