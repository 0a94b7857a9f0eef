"""I: pauses that stop too little, or too much."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping

from sandbook.api import Destroyed, ExecRequest, Sandbox, SandboxInfo, SandboxRef
from tests.conformance.mutants.wrap import MutantProvider, MutantSandbox, breaks

LOCAL = "sandbook_local:INFO"


async def _kill(box: Sandbox, pid: int) -> None:
    program = ("kill", "-9", str(pid))
    await (await box.start(ExecRequest(program=program, key="mutant"))).wait()


@breaks("I114", base=LOCAL)
class LosesItsPrograms(MutantProvider):
    async def attach(self, ref: SandboxRef, *, resume_paused: bool = False) -> Sandbox:
        inner = await self.inner.attach(ref, resume_paused=resume_paused)
        if resume_paused:
            await inner.files.rename("pid", "was")
            pid = int(await inner.files.read("was"))
            await _kill(inner, pid)
        return self.wrap(inner)


@breaks("I114", base=LOCAL)
class LosesItsFiles(MutantProvider):
    async def attach(self, ref: SandboxRef, *, resume_paused: bool = False) -> Sandbox:
        inner = await self.inner.attach(ref, resume_paused=resume_paused)
        await inner.files.remove("kept")
        return self.wrap(inner)


@breaks("I114b", base=LOCAL)
class OnlySaysSo(MutantSandbox):
    async def pause(self) -> None:
        """Nothing stops."""


@breaks("I114c", base=LOCAL)
class ListsNoPause(MutantProvider):
    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        async for info in self.inner.list(labels):
            yield dataclasses.replace(info, state="running")


@breaks("I114c", base=LOCAL)
class ForgetsWhatIsPaused(MutantProvider):
    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        async for info in self.inner.list(labels):
            if info.state != "paused":
                yield info


@breaks("I114d", base=LOCAL)
class WakesForEverybody(MutantProvider):
    async def attach(self, ref: SandboxRef, *, resume_paused: bool = False) -> Sandbox:
        del resume_paused
        return self.wrap(await self.inner.attach(ref, resume_paused=True))


@breaks("I114e", base=LOCAL)
class LetsThePausedLive(MutantProvider):
    async def destroy(self, ref: SandboxRef) -> Destroyed:
        async for info in self.inner.list({}):
            if info.ref == ref and info.state == "paused":
                return "destroyed"
        return await self.inner.destroy(ref)
