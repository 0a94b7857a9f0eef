"""I: snapshots that are shared, torn, or never gone."""

from __future__ import annotations

import dataclasses

from sandbook.api import ExecRequest, Sandbox, SandboxSpec, Shell, SnapshotRef
from sandbook.errors import SpecRejected
from tests.conformance.mutants.wrap import MutantProvider, MutantSandbox, breaks

LOCAL = "sandbook_local:INFO"


@breaks("I115", base=LOCAL)
class SharesOneSandbox(MutantProvider):
    """Whoever asks for a snapshot again gets the sandbox that was made of it."""

    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        if isinstance(spec.template, SnapshotRef):
            key = spec.template.id
        return await super().create(spec, key=key)


@breaks("I115", base=LOCAL)
class TakesItLate(MutantProvider):
    """A snapshot that is a name only: it is taken when it is used."""

    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        if isinstance(spec.template, SnapshotRef) and len(self.made) > 1:
            newest = await self.inner.attach(self.made[-1])
            await newest.files.write("kept", b"changed")
            spec = dataclasses.replace(spec, template=await newest.snapshot("late"))
            await newest.aclose()
        return await super().create(spec, key=key)


@breaks("I115b", base=LOCAL)
class ForgetsModes(MutantSandbox):
    async def snapshot(self, name: str) -> SnapshotRef:
        request = ExecRequest(program=Shell(text="chmod 644 d/run"), key="mutant")
        await (await self.inner.start(request)).wait()
        return await self.inner.snapshot(name)


@breaks("I115b", base=LOCAL)
class ForgetsEmptyFolders(MutantSandbox):
    async def snapshot(self, name: str) -> SnapshotRef:
        await self.inner.files.remove("d/empty")
        return await self.inner.snapshot(name)


@breaks("I115c", base=LOCAL)
class DeletesNothing(MutantProvider):
    async def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        """It stays."""


@breaks("I115d", base=LOCAL)
class BeginsWithNothingInstead(MutantProvider):
    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        try:
            return await super().create(spec, key=key)
        except SpecRejected:
            plain = dataclasses.replace(spec, template=None)
            return await super().create(plain, key=key)
