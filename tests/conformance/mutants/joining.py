"""H: terminals that are forgotten, started twice, or ended at the wrong time."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import anyio

from sandbook.api import Chunk, ExecRequest, ExecResult, Pty, PtyRequest, SignalName
from sandbook.errors import SandboxGone, SandboxLost
from tests.conformance.mutants.wrap import LOCAL, MutantPty, MutantSandbox, breaks


def _fresh(request: PtyRequest) -> PtyRequest:
    return dataclasses.replace(request, key=f"{request.key}-{os.urandom(4).hex()}")


@breaks("H102", base=LOCAL)
class KillsOnlyTheProgram(MutantPty):
    async def signal(self, name: SignalName) -> bool:
        program = ("kill", f"-{name}", str(self.pid))
        key = f"kill-{os.urandom(4).hex()}"
        process = await self.box.inner.start(ExecRequest(program=program, key=key))
        return (await process.wait()).code == 0


@breaks("H102b", base=LOCAL)
class AlwaysSaysItSignalled(MutantPty):
    async def signal(self, name: SignalName) -> bool:
        await super().signal(name)
        return True


class _Remembers(MutantSandbox):
    """Joins only what this very object started."""

    async def pty(self, request: PtyRequest) -> Pty:
        pty = await super().pty(request)
        mine: dict[str, Pty] = getattr(self, "_mine", {})
        self._mine = {**mine, pty.id: pty}
        return pty

    async def attach_pty(self, id: str) -> Pty:
        mine: dict[str, Pty] = getattr(self, "_mine", {})
        if id not in mine:
            raise SandboxGone(f"no terminal {id!r}", provider="mutant", operation="pty")
        return mine[id]


@breaks("H103", base=LOCAL)
class JoinsOnlyItsOwn(_Remembers):
    """As a provider that keeps its terminals in memory."""


@breaks("H103b", base=LOCAL)
class FindsOnlyItsOwn(_Remembers):
    """As a provider that keeps its terminals in memory."""


class _HangsUp(MutantPty):
    """Takes leaving for ending."""

    async def detach(self) -> None:
        await super().detach()
        await self.signal("KILL")


@breaks("H103", base=LOCAL)
class EndsWhenItIsLeft(_HangsUp):
    """As a terminal that belongs to its connection."""


@breaks("H103b", base=LOCAL)
class EndsWithItsProcess(_HangsUp):
    """As a terminal that belongs to its connection."""


@breaks("H103c", base=LOCAL)
class ShowsOnlyWhatComesNow(MutantPty):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        joined = datetime.now(UTC)
        async for chunk in super().output(after=after):
            if self.request is not None or chunk.at >= joined:
                yield chunk


@breaks("H103c", base=LOCAL)
class KeepsTooLittle(MutantPty):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        kept: list[Chunk] = [c async for c in super().output(after=after)]
        while sum(len(chunk.data) for chunk in kept) > 1_000_000:
            kept.pop(0)
        for chunk in kept:
            yield chunk


@breaks("H103d", base=LOCAL)
class ShowsEverythingAgain(MutantPty):
    def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        del after
        return super().output()


@breaks("H103d", base=LOCAL)
class GoesOnTooLate(MutantPty):
    def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        return super().output(after=after + 1 if after else 0)


@breaks("H103e", base=LOCAL)
class MakesUpATerminal(MutantSandbox):
    async def attach_pty(self, id: str) -> Pty:
        try:
            return await super().attach_pty(id)
        except SandboxGone:
            return await super().pty(PtyRequest(argv=("sh",), key=id))


@breaks("H107", base=LOCAL)
class StartsAKnownKey(MutantSandbox):
    async def pty(self, request: PtyRequest) -> Pty:
        return await super().pty(_fresh(request))


@breaks("H107", base=LOCAL)
class LooksBeforeItStarts(MutantSandbox):
    async def pty(self, request: PtyRequest) -> Pty:
        known: dict[str, Pty] = getattr(self, "_known", {})
        self._known = known
        if request.key not in known:
            await anyio.sleep(0.05)
            known[request.key] = await super().pty(_fresh(request))
        return known[request.key]


@breaks("H108", base=LOCAL)
class WaitsForAnAnswer(MutantPty):
    async def wait(self) -> ExecResult:
        try:
            return await super().wait()
        except SandboxLost:
            await anyio.sleep_forever()
            raise


@breaks("H109", base=LOCAL)
class RunsOnUnasked(MutantPty):
    async def wait(self) -> ExecResult:
        await self.inner.detach()
        return await super().wait()


@breaks("H109b", base=LOCAL)
class CannotBeLeft(MutantPty):
    async def detach(self) -> None:
        """Forget that it was asked."""


@breaks("H110", base=LOCAL)
class TellsANumberOfOutside(MutantPty):
    def __init__(
        self, box: MutantSandbox, inner: Pty, request: PtyRequest | None
    ) -> None:
        super().__init__(box, inner, request)
        self.pid = os.getpid()


@breaks("H113", base=LOCAL)
class KillsWithoutAWord(MutantPty):
    async def hang_up(self) -> None:
        await self.signal("KILL")


@breaks("H113b", base=LOCAL)
class OnlyAsks(MutantPty):
    async def hang_up(self) -> None:
        program = ("kill", "-HUP", str(self.pid))
        key = f"hup-{os.urandom(4).hex()}"
        process = await self.box.inner.start(ExecRequest(program=program, key=key))
        await process.wait()


@breaks("H114", base=LOCAL)
class FindsNoTerminal(MutantSandbox):
    async def find_pty(self, pid: int) -> Pty | None:
        del pid
        return None


@breaks("H114b", base=LOCAL)
class TakesAnyProgramForATerminal(MutantSandbox):
    async def find_pty(self, pid: int) -> Pty | None:
        request = PtyRequest(argv=("sh",), key=f"made-{pid}")
        return await super().find_pty(pid) or await super().pty(request)
