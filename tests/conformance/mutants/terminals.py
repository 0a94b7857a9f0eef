"""H: terminals that show, type or tell something else."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

from sandbook.api import Chunk, EchoState, ExecResult, Pty, PtyRequest
from sandbook.errors import FileMissing
from tests.conformance.mutants.wrap import LOCAL, MutantPty, MutantSandbox, breaks


class _Asks(MutantSandbox):
    """Asks for another terminal than it was asked for."""

    def asked(self, request: PtyRequest) -> PtyRequest:
        return request

    async def pty(self, request: PtyRequest) -> Pty:
        return await super().pty(self.asked(request))


class _Wraps(_Asks):
    """Starts the program by a shell text, as `"$@"`."""

    text: str

    def asked(self, request: PtyRequest) -> PtyRequest:
        argv = ("sh", "-c", self.text, "sh", *request.argv)
        return dataclasses.replace(request, argv=argv)


class _Types(MutantPty):
    """Types something else."""

    def typed(self, data: bytes) -> bytes:
        return data

    async def send(self, data: bytes) -> None:
        await super().send(self.typed(data))


class _Tells(MutantPty):
    """Tells another end."""

    def told(self, result: ExecResult) -> ExecResult:
        return result

    async def wait(self) -> ExecResult:
        return self.told(await super().wait())


class _Shows(MutantPty):
    """Shows something else."""

    def shown(self, data: bytes) -> bytes:
        return data

    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        async for chunk in super().output(after=after):
            yield dataclasses.replace(chunk, data=self.shown(chunk.data))


@breaks("H96", base=LOCAL)
class SwapsColumnsAndRows(_Asks):
    def asked(self, request: PtyRequest) -> PtyRequest:
        return dataclasses.replace(request, cols=request.rows, rows=request.cols)


@breaks("H96", base=LOCAL)
class TakesOneSizeForAll(_Asks):
    def asked(self, request: PtyRequest) -> PtyRequest:
        return dataclasses.replace(request, cols=80, rows=24)


@breaks("H96b", base=LOCAL)
class LeavesTheTerminalToNobody(_Asks):
    def asked(self, request: PtyRequest) -> PtyRequest:
        return dataclasses.replace(request, argv=("setsid", "-w", *request.argv))


@breaks("H96b", base=LOCAL)
class TakesErrorsElsewhere(_Wraps):
    text = 'exec "$@" 2>/dev/null'


@breaks("H97", base=LOCAL)
class SwapsColumnsAndRowsLater(MutantPty):
    async def resize(self, *, cols: int, rows: int) -> None:
        await super().resize(cols=rows, rows=cols)


@breaks("H97", base=LOCAL)
class KeepsItsSize(MutantPty):
    async def resize(self, *, cols: int, rows: int) -> None:
        del cols, rows


@breaks("H97b", base=LOCAL)
class ResizesInSilence(_Wraps):
    text = 'trap "" WINCH; exec "$@"'


@breaks("H98", base=LOCAL)
class HasATermOfItsOwn(_Asks):
    def asked(self, request: PtyRequest) -> PtyRequest:
        return dataclasses.replace(request, term="xterm")


@breaks("H98", base=LOCAL)
class ForgetsTheVariables(_Asks):
    def asked(self, request: PtyRequest) -> PtyRequest:
        return dataclasses.replace(request, env={})


@breaks("H98b", base=LOCAL)
class StartsAtHome(_Asks):
    def asked(self, request: PtyRequest) -> PtyRequest:
        return dataclasses.replace(request, cwd=None)


@breaks("H98b", base=LOCAL)
class StartsSomewhereElse(MutantSandbox):
    async def pty(self, request: PtyRequest) -> Pty:
        try:
            return await super().pty(request)
        except FileMissing:
            return await super().pty(dataclasses.replace(request, cwd=None))


@breaks("H99", base=LOCAL)
class PressesEnterToo(_Types):
    def typed(self, data: bytes) -> bytes:
        return data if data.endswith(b"\n") else data + b"\n"


@breaks("H99", base=LOCAL)
class NeverPressesEnter(_Types):
    def typed(self, data: bytes) -> bytes:
        return data.rstrip(b"\n")


@breaks("H100", base=LOCAL)
class SwallowsControlC(_Types):
    def typed(self, data: bytes) -> bytes:
        return data.replace(b"\x03", b"")


@breaks("H100", base=LOCAL)
class TerminatesAtControlC(MutantPty):
    async def send(self, data: bytes) -> None:
        if data == b"\x03":
            await self.signal("TERM")
        else:
            await super().send(data)


@breaks("H100b", base=LOCAL)
class EndsTheShellToo(MutantPty):
    async def send(self, data: bytes) -> None:
        await super().send(data)
        if data == b"\x03":
            await self.signal("KILL")


@breaks("H101", base=LOCAL)
class AlwaysWell(_Tells):
    def told(self, result: ExecResult) -> ExecResult:
        return dataclasses.replace(result, code=0)


@breaks("H101", base=LOCAL)
class ReadsASignalIntoACode(_Tells):
    def told(self, result: ExecResult) -> ExecResult:
        if (result.code or 0) > 128:
            return dataclasses.replace(result, end="signalled")
        return result


@breaks("H101b", base=LOCAL)
class HidesTheSignal(_Tells):
    def told(self, result: ExecResult) -> ExecResult:
        return dataclasses.replace(result, end="exited")


@breaks("H101c", base=LOCAL)
class WaitsForWhatRunsBehind(_Wraps):
    # The lock goes to whatever inherits descriptor 9, and is free when all ended.
    text = (
        'exec 9>/tmp/held; flock 9; "$@"; code=$?; exec 9>&-; '
        "flock /tmp/held true; exit $code"
    )


@breaks("H104", base=LOCAL)
class LosesSomeOfABurst(_Shows):
    seen = 0

    def shown(self, data: bytes) -> bytes:
        before, self.seen = self.seen, self.seen + len(data)
        is_full = before < 3_000_000 <= self.seen
        return b"" if is_full else data


@breaks("H104", base=LOCAL)
class ShowsTheSecondFirst(MutantPty):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        held: Chunk | None = None
        async for chunk in super().output(after=after):
            if chunk.seq == 2:
                held = chunk
                continue
            yield chunk
            if held is not None:
                yield dataclasses.replace(held, seq=chunk.seq + 1)
                held = None


@breaks("H104", base=LOCAL)
class DoesNotCount(MutantPty):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        async for chunk in super().output(after=after):
            yield dataclasses.replace(chunk, seq=1)


@breaks("H105", base=LOCAL)
class DecodesEachChunk(_Shows):
    def shown(self, data: bytes) -> bytes:
        return data.decode("utf-8", "replace").encode()


@breaks("H105b", base=LOCAL)
class TypesOnlyText(_Types):
    def typed(self, data: bytes) -> bytes:
        return data.decode("utf-8", "ignore").encode()


class _Stops(MutantPty):
    """Takes something that is shown for the end."""

    def mark(self) -> bytes:
        return self.id.encode()

    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        seen = b""
        async for chunk in super().output(after=after):
            yield chunk
            seen += chunk.data
            if self.mark() in seen:
                await self.detach()
                return


@breaks("H106", base=LOCAL)
class EndsAtAMarkerOfItsOwn(_Stops):
    """As one that tells the end of a command by what it prints after it."""


@breaks("H106", base=LOCAL)
class EndsAtTheEndOfAFile(_Stops):
    def mark(self) -> bytes:
        return b"\x04"


@breaks("H111", base=LOCAL)
class HasOneTerminal(_Asks):
    def asked(self, request: PtyRequest) -> PtyRequest:
        return dataclasses.replace(request, key="one")


@breaks("H112", base=LOCAL)
class ShowsAlways(MutantPty):
    async def echo(self) -> EchoState | None:
        return "shown"


@breaks("H112", base=LOCAL)
class TakesEveryHiddenTextForAPassword(MutantPty):
    async def echo(self) -> EchoState | None:
        return "hidden" if await super().echo() == "program" else await super().echo()


@breaks("H115", base=LOCAL)
class TakesAnyUser(_Asks):
    def asked(self, request: PtyRequest) -> PtyRequest:
        return dataclasses.replace(request, user=None)
