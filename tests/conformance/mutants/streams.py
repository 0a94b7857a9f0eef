"""D: stdin that does not arrive, output that comes late, twice or not."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterable, AsyncIterator

import anyio

from sandbook.api import (
    Captured,
    Chunk,
    ExecRequest,
    ExecResult,
    Process,
    Sandbox,
    Shell,
)
from tests.conformance.mutants.commands import Asks, Tells
from tests.conformance.mutants.wrap import (
    MutantProcess,
    MutantProvider,
    MutantSandbox,
    breaks,
)


class _Stdin(Asks):
    """Gives the program another stdin."""

    def given(self, data: bytes) -> bytes:
        return data

    def asked(self, request: ExecRequest) -> ExecRequest:
        if not isinstance(request.stdin, bytes):
            return request
        return dataclasses.replace(request, stdin=self.given(request.stdin))


@breaks("D39")
class DropsStdin(_Stdin):
    def given(self, data: bytes) -> bytes:
        del data
        return b""


@breaks("D39")
class LeavesEmptyStdinOpen(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        if request.stdin != b"":
            return request
        return dataclasses.replace(request, stdin="pipe", timeout=1.0)


@breaks("D39b")
class LeavesStdinOpen(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        if request.stdin is not None:
            return request
        return dataclasses.replace(request, stdin="pipe", timeout=1.0)


@breaks("D39c")
class TakesOnePiece(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        if isinstance(request.stdin, AsyncIterable):
            pieces = [piece async for piece in request.stdin]
            request = dataclasses.replace(request, stdin=pieces[0])
        return await super().start(request)


@breaks("D40")
class PastesStdinIntoAShell(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        if isinstance(request.stdin, bytes):
            text = f"cat <<END\n{request.stdin.decode('utf-8', 'replace')}END\n"
            request = dataclasses.replace(request, program=Shell(text=text), stdin=None)
        return await super().start(request)


@breaks("D41")
class TakesStdinForText(_Stdin):
    def given(self, data: bytes) -> bytes:
        return data.decode("utf-8", "replace").encode()


@breaks("D42")
class CutsLongStdin(_Stdin):
    def given(self, data: bytes) -> bytes:
        return data[: 28 << 20]


@breaks("D43")
class EndsStdinTooSoon(MutantProcess):
    async def send(self, data: bytes) -> None:
        await self.inner.send(data)
        await self.inner.end_input()


@breaks("D44")
class CutsLongArguments(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        if isinstance(request.program, Shell):
            return request
        cut = tuple(word[:32768] for word in request.program)
        return dataclasses.replace(request, program=cut)


@breaks("D45")
class TellsOutputAtTheEnd(MutantProcess):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        await self.inner.wait()
        async for chunk in self.inner.output(after=after):
            yield chunk


@breaks("D46")
class TellsAChunkTwice(MutantProcess):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        first = True
        async for chunk in self.inner.output(after=after):
            yield chunk
            if first:
                yield chunk
            first = False


@breaks("D46")
class LosesTheOrder(MutantProcess):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        chunks = [chunk async for chunk in self.inner.output(after=after)]
        for chunk in reversed(chunks):
            yield chunk


@breaks("D46b")
class AlwaysStartsOver(MutantProcess):
    def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        del after
        return self.inner.output()


@breaks("D47")
class DecodesEachChunk(Tells):
    def data(self, data: bytes) -> bytes:
        return data.decode("utf-8", "replace").encode()


@breaks("D48")
class DropsInSilence(Tells):
    def told(self, result: ExecResult) -> ExecResult:
        kept = result.stdout
        total = len(kept.head) + len(kept.tail)
        cut = dataclasses.replace(kept, total=total, dropped=0)
        return dataclasses.replace(result, stdout=cut)


@breaks("D48")
class HoldsTheWholeFlood(MutantProcess):
    async def wait(self) -> ExecResult:
        held = [chunk.data async for chunk in self.inner.output()]
        await anyio.sleep(0.01)
        assert held
        whole = b"".join(held) + b"".join(held)
        assert whole
        return await self.inner.wait()


@breaks("D48b")
class KeepsOneMore(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return dataclasses.replace(request, head=request.head + 1)


@breaks("D49")
class ForgetsOutputThatDoesNotEnd(Tells):
    def told(self, result: ExecResult) -> ExecResult:
        if result.end == "timed_out":
            return dataclasses.replace(result, stdout=Captured())
        return result


@breaks("D50")
class ReadsAheadWithoutEnd(MutantProcess):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        for chunk in [chunk async for chunk in self.inner.output(after=after)]:
            yield chunk


@breaks("D50")
class DropsForASlowReader(MutantProcess):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        count = 0
        async for chunk in self.inner.output(after=after):
            count += 1
            if count % 100:
                yield chunk


class _RunsFew(MutantSandbox):
    """Hands out a running process where it should start one more."""

    limit = 1

    def __init__(self, provider: MutantProvider, inner: Sandbox) -> None:
        super().__init__(provider, inner)
        self._asked = 0
        self._first: Process | None = None
        self._started = anyio.Event()

    async def start(self, request: ExecRequest) -> Process:
        self._asked += 1
        if self._asked <= self.limit:
            self._first = mine = await super().start(request)
            self._started.set()
            return mine
        await self._started.wait()
        assert self._first is not None
        return self._first


@breaks("D51")
class RunsOneAtATime(_RunsFew):
    limit = 1


@breaks("D52")
class RunsTenAtATime(_RunsFew):
    limit = 10


@breaks("D53")
class WaitsForWhatRunsOn(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        if not isinstance(request.program, Shell):
            return request
        shell = dataclasses.replace(
            request.program, text=f"{request.program.text}\nwait"
        )
        return dataclasses.replace(request, program=shell)


@breaks("D53")
class EndsWhatRunsOn(MutantProcess):
    async def wait(self) -> ExecResult:
        result = await self.inner.wait()
        killer = Shell(text="kill $(cat left)")
        if result.stdout.head == b"said\n":
            request = ExecRequest(program=killer, key=f"{self.key}-kill")
            await (await self.box.inner.start(request)).wait()
        return result
