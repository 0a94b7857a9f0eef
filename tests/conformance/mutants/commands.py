"""C: commands that get something else, or tell something else."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import ClassVar

from sandbook.api import Captured, Chunk, ExecRequest, ExecResult, Process, Shell
from sandbook.errors import FileMissing, NotAFolder, ProviderError
from tests.conformance.mutants.wrap import MutantProcess, MutantSandbox, breaks


class Asks(MutantSandbox):
    """Starts something else than it was asked to."""

    def asked(self, request: ExecRequest) -> ExecRequest:
        return request

    async def start(self, request: ExecRequest) -> Process:
        return await super().start(self.asked(request))


class Tells(MutantProcess):
    """Tells another result, and other output."""

    def told(self, result: ExecResult) -> ExecResult:
        return result

    def data(self, data: bytes) -> bytes:
        return data

    async def wait(self) -> ExecResult:
        result = await self.inner.wait()
        out, err = (self._kept(kept) for kept in (result.stdout, result.stderr))
        return self.told(dataclasses.replace(result, stdout=out, stderr=err))

    def _kept(self, kept: Captured) -> Captured:
        head, tail = self.data(kept.head), self.data(kept.tail)
        total = kept.total + len(head) - len(kept.head) + len(tail) - len(kept.tail)
        return dataclasses.replace(kept, head=head, tail=tail, total=total)

    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        async for chunk in self.inner.output(after=after):
            yield dataclasses.replace(chunk, data=self.data(chunk.data))


def _change(request: ExecRequest, **changes: object) -> ExecRequest:
    return dataclasses.replace(request, **changes)  # type: ignore[arg-type]


def _text(request: ExecRequest, change: Callable[[Shell], Shell]) -> ExecRequest:
    """The request with another shell text, if it is one."""
    if not isinstance(request.program, Shell):
        return request
    return _change(request, program=change(request.program))


@breaks("C22")
class PutsArgumentsThroughAShell(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        if isinstance(request.program, Shell):
            return request
        return _change(request, program=Shell(text=" ".join(request.program)))


@breaks("C23")
class HasNoShell(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        if not isinstance(request.program, Shell):
            return request
        return _change(request, program=tuple(request.program.text.split()))


@breaks("C23b")
class IsNeverStrict(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return _text(request, lambda shell: dataclasses.replace(shell, strict=False))


@breaks("C23b")
class IsAlwaysStrict(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return _text(request, lambda shell: dataclasses.replace(shell, strict=True))


@breaks("C23c")
class HasNoPipefail(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return _text(request, lambda shell: dataclasses.replace(shell, dialect="sh"))


@breaks("C24")
class UsesTerminalLineEnds(Tells):
    def data(self, data: bytes) -> bytes:
        return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@breaks("C24")
class TrimsTheEnd(Tells):
    def data(self, data: bytes) -> bytes:
        return data.rstrip(b"\n") + b"\n" if data else data


@breaks("C25")
class MergesTheStreams(Tells):
    def told(self, result: ExecResult) -> ExecResult:
        both = Captured(head=result.stdout.head + result.stderr.head)
        return dataclasses.replace(result, stdout=both, stderr=Captured())


@breaks("C25")
class CallsEveryChunkOutput(MutantProcess):
    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        async for chunk in self.inner.output(after=after):
            yield dataclasses.replace(chunk, stream="stdout")


@breaks("C26")
class TrimsTheStart(Tells):
    def data(self, data: bytes) -> bytes:
        return data.lstrip()


class _Codes(Tells):
    """Tells other codes."""

    codes: ClassVar[Mapping[int, tuple[str, int]]]

    def told(self, result: ExecResult) -> ExecResult:
        end, code = self.codes.get(result.code or 0, (result.end, result.code))
        return dataclasses.replace(result, end=end, code=code)  # type: ignore[arg-type]


@breaks("C27")
class KnowsTwoCodes(Tells):
    def told(self, result: ExecResult) -> ExecResult:
        return dataclasses.replace(result, code=min(result.code or 0, 1))


@breaks("C28")
class RaisesForAMissingProgram(Tells):
    def told(self, result: ExecResult) -> ExecResult:
        if result.code == 127:
            raise FileMissing("no such program", provider="bare", operation="start")
        return result


@breaks("C29")
class CallsItMissing(_Codes):
    codes: ClassVar[Mapping[int, tuple[str, int]]] = {126: ("exited", 127)}


@breaks("C30")
class TellsNegativeTerm(_Codes):
    codes: ClassVar[Mapping[int, tuple[str, int]]] = {143: ("signalled", -15)}


@breaks("C31")
class TellsNegativeInterrupt(_Codes):
    codes: ClassVar[Mapping[int, tuple[str, int]]] = {130: ("signalled", -2)}


@breaks("C31b")
class CallsAKillAnExit(_Codes):
    codes: ClassVar[Mapping[int, tuple[str, int]]] = {137: ("exited", 137)}


@breaks("C32")
class StripsValues(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return _change(request, env={k: v.strip() for k, v in request.env.items()})


@breaks("C32b")
class UnsetsTheSandboxsOwn(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        unset = "unset OF_ALL\n"
        return _text(request, lambda s: dataclasses.replace(s, text=unset + s.text))


@breaks("C33")
class RemembersVariables(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        self._env: dict[str, str] = {**getattr(self, "_env", {}), **request.env}
        return _change(request, env=self._env)


@breaks("C33b")
class HandsOurVariablesOn(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return _change(request, env={**os.environ, **request.env})


@breaks("C34")
class IgnoresTheFolder(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return _change(request, cwd=None)


@breaks("C34b")
class RunsSomewhereElse(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        try:
            return await super().start(request)
        except FileMissing:
            return await super().start(_change(request, cwd=None))


@breaks("C34c")
class RunsBesideTheFile(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        try:
            return await super().start(request)
        except NotAFolder:
            return await super().start(_change(request, cwd=None))


@breaks("C34d")
class HasAnotherHome(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return _change(request, env={"HOME": "/tmp", **request.env})


@breaks("C35", values={"users": True})
class IgnoresTheUser(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return _change(request, user=None)


@breaks("C35b", values={"users": False})
class IgnoresTheUserUnasked(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        return _change(request, user=None)


@breaks("C36", values={"users": True})
class RunsAsItselfInstead(MutantSandbox):
    async def start(self, request: ExecRequest) -> Process:
        try:
            return await super().start(request)
        except ProviderError:
            return await super().start(_change(request, user=None))


@breaks("C37")
class TakesBytesForLatin(Tells):
    def data(self, data: bytes) -> bytes:
        return data.decode("latin-1").encode()


@breaks("C38")
class TakesBytesForText(Tells):
    def data(self, data: bytes) -> bytes:
        return data.decode("utf-8", "replace").encode()
