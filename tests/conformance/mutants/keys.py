"""K: keys that are forgotten, and commands that are not found again."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio

from sandbook.api import Captured, Chunk, ExecRequest, ExecResult, Process
from sandbook.errors import ConnectionLost
from tests.conformance.mutants.wrap import MutantProcess, MutantSandbox, breaks


def _fresh(request: ExecRequest) -> ExecRequest:
    return dataclasses.replace(request, key=f"{request.key}-{os.urandom(4).hex()}")


@breaks("K01")
class StartsAKnownKey(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        return await super().start(_fresh(request))


@breaks("K02")
class LooksBeforeItStarts(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        known: dict[str, Process] = getattr(self, "_known", {})
        self._known = known
        if request.key not in known:
            await anyio.sleep(0.05)
            known[request.key] = await super().start(_fresh(request))
        return known[request.key]


@breaks("K03")
class FindsNoOutput(MutantSandbox):
    async def find(self, key: str) -> Process | None:
        found = await super().find(key)
        return (
            None
            if found is None
            else _Silent(self, found, ExecRequest(program=("",), key=key))
        )


class _Silent(MutantProcess):
    async def wait(self) -> ExecResult:
        return dataclasses.replace(await self.inner.wait(), stdout=Captured())


@breaks("K03")
class FindsNoEnded(MutantSandbox):
    async def find(self, key: str) -> Process | None:
        found = await super().find(key)
        with anyio.move_on_after(0.2):
            if found is not None:
                await found.detach()
                await found.wait()
                return None
        return found


@breaks("K04")
class FindsSomethingElse(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        self._last = await super().start(request)
        return self._last

    async def find(self, key: str) -> Process | None:
        return await super().find(key) or self._last


class _Remembers(MutantSandbox):
    """Finds only what this very object started."""

    async def start(self, request: ExecRequest) -> Process:
        process = await super().start(request)
        self._mine: dict[str, Process] = {
            **getattr(self, "_mine", {}),
            request.key: process,
        }
        return process

    async def find(self, key: str) -> Process | None:
        mine: dict[str, Process] = getattr(self, "_mine", {})
        return mine.get(key)


@breaks("K05")
class FindsOnlyItsOwn(_Remembers):
    """As a provider that keeps its commands in memory."""


@breaks("K06")
class TakesOverOnlyItsOwn(_Remembers):
    """As a provider that keeps its commands in memory."""


@breaks("K06")
class TakesOverFromNow(MutantSandbox):
    async def find(self, key: str) -> Process | None:
        found = await super().find(key)
        return (
            None
            if found is None
            else _Late(self, found, ExecRequest(program=("",), key=key))
        )


class _Late(MutantProcess):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        async for chunk in self.inner.output(after=max(after, 1)):
            yield chunk


@breaks("K07")
class EndsCommandsWhenItLeaves(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        self._last = await super().start(request)
        return self._last

    async def aclose(self) -> None:
        if getattr(self, "_last", None) is not None:
            await self._last.signal("KILL")


@breaks("K08")
class TellsTheOlderNothing(MutantProcess):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        with suppress(ConnectionLost):
            async for chunk in self.inner.output(after=after):
                yield chunk


@breaks("K08")
class LetsTheOlderStay(MutantProcess):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        if getattr(self, "_read", False):
            raise ConnectionLost("it is read", provider="bare", operation="output")
        self._read = True
        async for chunk in self.inner.output(after=after):
            yield chunk


@breaks("K09")
class TellsItsResultOnce(MutantProcess):
    async def wait(self) -> ExecResult:
        result = await self.inner.wait()
        if getattr(self, "_told", False):
            return dataclasses.replace(result, stdout=Captured())
        self._told = True
        return result


@breaks("K10")
class DetachesByEnding(MutantProcess):
    async def detach(self) -> None:
        await self.inner.signal("KILL")
