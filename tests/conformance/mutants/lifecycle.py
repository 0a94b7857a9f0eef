"""B: sandboxes that are lost, found wrongly, or live too long."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import anyio

from sandbook.api import (
    Destroyed,
    ExecRequest,
    Process,
    Resources,
    Sandbox,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
)
from sandbook.errors import AuthRejected, Busy, SandboxGone
from tests.conformance.mutants.registration import LOCKED_PATH, RIGHT
from tests.conformance.mutants.wrap import (
    MutantFiles,
    MutantProvider,
    MutantSandbox,
    breaks,
)
from tests.providers.locked import INFO as LOCKED


@breaks("B09")
class NamesAnotherProvider(MutantSandbox):
    def __init__(self, provider: MutantProvider, inner: Sandbox) -> None:
        super().__init__(provider, inner)
        self.ref = dataclasses.replace(inner.ref, provider="other")


@breaks("B10")
class DoesNotTellItsEnd(MutantSandbox):
    async def info(self) -> SandboxInfo:
        return dataclasses.replace(await self.inner.info(), expires_at=None)


@breaks("B11")
class KeepsFilesToItself(MutantFiles):
    kept: ClassVar[dict[str, bytes]] = {}

    async def write(self, path: str, data: object, *, mode: int | None = None) -> int:
        del mode
        assert isinstance(data, bytes)
        self.kept[path] = data
        return len(data)


@breaks("B12")
class MakesWhatIsNotThere(MutantProvider):
    async def attach(self, ref: SandboxRef, *, resume_paused: bool = False) -> Sandbox:
        with suppress(SandboxGone):
            return await super().attach(ref, resume_paused=resume_paused)
        spec = SandboxSpec(isolation="none", network="host")
        return await self.create(spec, key=ref.id)


@breaks("B13")
class ListsEverything(MutantProvider):
    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        del labels
        async for info in self.inner.list({}):
            yield info


@breaks("B13")
class ForgetsLabels(MutantProvider):
    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        return await super().create(dataclasses.replace(spec, labels={}), key=key)


@breaks("B13b")
class ListsOnePage(MutantProvider):
    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        count = 0
        async for info in self.inner.list(labels):
            count += 1
            if count <= 2:
                yield info


@breaks("B14")
class ListsTheDead(MutantProvider):
    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        async for info in self.inner.list(labels):
            self._seen = info
            yield info
            return
        if getattr(self, "_seen", None) is not None:
            yield self._seen


@breaks("B14")
class AttachesToTheDead(MutantProvider):
    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        self._last = await super().create(spec, key=key)
        return self._last

    async def attach(self, ref: SandboxRef, *, resume_paused: bool = False) -> Sandbox:
        del ref, resume_paused
        return self._last


@breaks("B15")
class CannotDestroyTwice(MutantProvider):
    async def destroy(self, ref: SandboxRef) -> Destroyed:
        told = await self.inner.destroy(ref)
        if told == "already_gone":
            raise SandboxGone("it is gone", provider="bare", operation="destroy")
        return told


@breaks("B16", base=LOCKED_PATH, environ=RIGHT)
class TakesARefusalForGone(MutantProvider):
    described = LOCKED

    async def destroy(self, ref: SandboxRef) -> Destroyed:
        with suppress(AuthRejected):
            return await self.inner.destroy(ref)
        return "already_gone"

    async def aclose(self) -> None:
        with suppress(AuthRejected):
            await super().aclose()


@breaks("B17")
class LeavesWhatWasCancelled(MutantProvider):
    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        box = await super().create(spec, key=key)
        await anyio.sleep(0.05)
        return box


@breaks("B18")
class IgnoresTheKey(MutantProvider):
    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        return await super().create(spec, key=f"{key}-{os.urandom(4).hex()}")


@breaks("B19")
class LivesOn(MutantProvider):
    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        longer = max(spec.lifetime, 60.0)
        return await super().create(dataclasses.replace(spec, lifetime=longer), key=key)


@breaks("B19")
class EndsWithItsClient(MutantProvider):
    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        async for info in self.inner.list(labels):
            if info.ref in self.made:
                yield info


@breaks("B19b")
class LeavesProcesses(MutantProvider):
    async def destroy(self, ref: SandboxRef) -> Destroyed:
        return "destroyed" if ref in self.made else "already_gone"


@breaks("B20")
class DoesNotExtend(MutantSandbox):
    async def extend(self, lifetime: float) -> datetime | None:
        del lifetime
        return (await self.inner.info()).expires_at


class _TellsAnEnd(MutantSandbox):
    """Takes every `extend` at its word."""

    end: datetime | None = None

    async def extend(self, lifetime: float) -> datetime | None:
        self.end = datetime.now(UTC) + timedelta(seconds=lifetime)
        return self.end

    async def info(self) -> SandboxInfo:
        told = await self.inner.info()
        return dataclasses.replace(told, expires_at=self.end or told.expires_at)


@breaks("B20b")
class Shortens(_TellsAnEnd):
    """As an API that sets the time-out does."""


@breaks("B20c")
class ForgetsTheHardEnd(_TellsAnEnd):
    """As an API without a hard end does."""


@breaks("B21")
class IsNotReadyAtOnce(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        age = datetime.now(UTC) - self.ref.created_at
        if age < timedelta(seconds=0.5):
            raise Busy("still booting", provider="bare", operation="start")
        return await super().start(request)


class _Drops(MutantProvider):
    """Makes a sandbox without asking for what it cannot do."""

    changes: ClassVar[Mapping[str, object]]

    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        weaker = dataclasses.replace(spec, **self.changes)  # type: ignore[arg-type]
        return await super().create(weaker, key=key)


@breaks("B22")
class DropsIsolation(_Drops):
    changes: ClassVar[Mapping[str, object]] = {"isolation": "none"}


@breaks("B23")
class LeavesTheNetworkOn(_Drops):
    changes: ClassVar[Mapping[str, object]] = {"network": "host"}


@breaks("B24")
class AllowsEveryHost(_Drops):
    changes: ClassVar[Mapping[str, object]] = {"network": "host"}


@breaks("B25")
class DropsLimits(_Drops):
    changes: ClassVar[Mapping[str, object]] = {"resources": Resources()}


@breaks("B26")
class DropsOptions(_Drops):
    changes: ClassVar[Mapping[str, object]] = {"options": {}}


@breaks("B27")
class SharesAFolder(MutantProvider):
    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        del key
        return await super().create(spec, key="one for all")

    async def destroy(self, ref: SandboxRef) -> Destroyed:
        return await self.inner.destroy(ref)


@breaks("B28")
class EndsWhenClosed(MutantSandbox):
    async def aclose(self) -> None:
        await self.provider.inner.destroy(self.ref)
