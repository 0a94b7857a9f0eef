"""G: cells whose variables, output or end are not what is told of them."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import cast

from sandbook.api import (
    JSON,
    Code,
    CodeContext,
    CodeEvent,
    CodeRequest,
    Done,
    Failed,
    Rich,
    Text,
)
from sandbook.errors import FileMissing, ProviderError
from tests.conformance.mutants.wrap import MutantCode, MutantSandbox, breaks

LOCAL = "sandbook_local:INFO"


class _Changes(MutantCode):
    """Changes the events of each cell, or leaves some out."""

    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        async with aclosing(_generator(self.inner.run(self.ask(cell)))) as events:
            async for event in events:
                changed = self.change(event)
                if changed is not None:
                    yield changed

    def ask(self, cell: CodeRequest) -> CodeRequest:
        return cell

    def change(self, event: CodeEvent) -> CodeEvent | None:
        return event


def _generator(events: AsyncIterator[CodeEvent]) -> AsyncGenerator[CodeEvent]:
    """The same events, closed with whoever reads them."""
    return cast("AsyncGenerator[CodeEvent]", events)


def _fresh(name: str) -> str:
    return f"{name}-{os.urandom(4).hex()}"


@breaks("G84", base=LOCAL)
class RunsEachCellAfresh(_Changes):
    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        await self.inner.restart()
        async for event in super().run(cell):
            yield event


@breaks("G84b", base=LOCAL)
class CallsNothingTheMainResult(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Rich):
            return dataclasses.replace(event, main=False)
        return event


@breaks("G85", base=LOCAL)
class JoinsTheStreamsOfCells(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Text):
            return dataclasses.replace(event, stream="stdout")
        return event


@breaks("G85", base=LOCAL)
class TellsAllAtTheEnd(MutantCode):
    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        for event in [event async for event in self.inner.run(cell)]:
            yield event


@breaks("G86", base=LOCAL)
class CallsEveryExceptionAnError(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Failed):
            return dataclasses.replace(event, name="Error")
        return event


@breaks("G86", base=LOCAL)
class IsPassedWithAnException(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Done):
            return dataclasses.replace(event, status="ok")
        return event


@breaks("G86", base=LOCAL)
class SaysNotWhere(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Failed):
            return dataclasses.replace(event, traceback=event.value)
        return event


@breaks("G87", base=LOCAL)
class BeginsAnewAfterAnException(_Changes):
    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        failed = False
        async for event in super().run(cell):
            failed = failed or isinstance(event, Failed)
            yield event
        if failed:
            await self.inner.restart()


@breaks("G88", base=LOCAL)
class RunsWhatItCanOfASyntaxError(MutantCode):
    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        first = dataclasses.replace(
            cell, key=_fresh(cell.key), source=cell.source.splitlines()[0]
        )
        events = [event async for event in self.inner.run(first)]
        del events
        async for event in self.inner.run(cell):
            yield event


@breaks("G88b", base=LOCAL)
class AnswersWithNothing(_Changes):
    def ask(self, cell: CodeRequest) -> CodeRequest:
        source = f"input = lambda prompt: ''\n{cell.source}"
        return dataclasses.replace(cell, source=source)


@breaks("G89", base=LOCAL)
class ClaimsToKeepWhatItLost(_Changes):
    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        async for event in super().run(cell):
            if isinstance(event, Done) and event.status == "timed_out":
                await self.inner.restart()
            yield event


@breaks("G89", base=LOCAL)
class CallsATimeoutAnError(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Done) and event.status == "timed_out":
            return dataclasses.replace(event, status="error")
        return event


@breaks("G89b", base=LOCAL)
class LosesTheVariablesAtATimeout(_Changes):
    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        async for event in super().run(cell):
            if isinstance(event, Done) and event.status == "timed_out":
                await self.inner.restart()
                yield dataclasses.replace(event, state_kept=False)
                return
            yield event


@breaks("G89c", base=LOCAL)
class ClaimsThatItWasKept(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Done):
            return dataclasses.replace(event, state_kept=True)
        return event


@breaks("G90", base=LOCAL)
class InterruptsByRestarting(MutantCode):
    async def interrupt(self) -> None:
        await self.inner.restart()


@breaks("G90b", base=LOCAL)
class LetsGivenUpCellsRun(MutantCode):
    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        self._reader = asyncio.create_task(self._read_on(cell))
        async for event in self.inner.run(cell):
            yield event

    async def _read_on(self, cell: CodeRequest) -> None:
        with suppress(ProviderError):
            async for _ in self.inner.run(cell):
                pass


@breaks("G91", base=LOCAL)
class SaysNotThatItDied(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Done) and event.status == "died":
            return dataclasses.replace(event, status="error")
        return event


@breaks("G91", base=LOCAL)
class SaysNotOfWhatItDied(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        return None if isinstance(event, Failed) else event


@breaks("G91b", base=LOCAL)
class NeverRestarts(MutantCode):
    async def restart(self) -> None:
        """Do nothing."""


@breaks("G92", base=LOCAL)
class HasOneContext(MutantSandbox):
    async def code(self, request: CodeContext) -> Code:
        return await super().code(dataclasses.replace(request, name="main"))


@breaks("G92b", base=LOCAL)
class ForgetsTheFolderOfAContext(MutantSandbox):
    async def code(self, request: CodeContext) -> Code:
        return await super().code(dataclasses.replace(request, cwd=None))


@breaks("G92b", base=LOCAL)
class ForgetsTheVariablesOfAContext(MutantSandbox):
    async def code(self, request: CodeContext) -> Code:
        return await super().code(dataclasses.replace(request, env={}))


@breaks("G92c", base=LOCAL)
class HasContextsOfItsOwn(MutantSandbox):
    async def code(self, request: CodeContext) -> Code:
        name = f"{request.name}-{os.getpid()}"
        return await super().code(dataclasses.replace(request, name=name))


@breaks("G92d", base=LOCAL)
class BeginsAnewForEveryProcess(MutantSandbox):
    async def code(self, request: CodeContext) -> Code:
        code = await super().code(request)
        await code.restart()
        return code


@breaks("G93", base=LOCAL)
class RunsCellsElsewhere(MutantSandbox):
    async def code(self, request: CodeContext) -> Code:
        place = request.cwd or "/tmp"
        return await super().code(dataclasses.replace(request, cwd=place))


@breaks("G94", base=LOCAL)
class CountsNothing(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        return dataclasses.replace(event, count=1) if isinstance(event, Done) else event


@breaks("G95", base=LOCAL)
class CutsWithoutAMark(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Text) and "truncated" in event.data:
            return None
        return event


@breaks("G95", base=LOCAL)
class DropsAllThatIsMuch(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Text) and len(event.data) > 1000:
            return None
        return event


@breaks("G96", base=LOCAL)
class RunsAKnownCell(_Changes):
    def ask(self, cell: CodeRequest) -> CodeRequest:
        return dataclasses.replace(cell, key=_fresh(cell.key))


@breaks("G97", base=LOCAL)
class BindsTexts(_Changes):
    def ask(self, cell: CodeRequest) -> CodeRequest:
        bind: Mapping[str, JSON] = {n: str(v) for n, v in cell.bind.items()}
        return dataclasses.replace(cell, bind=bind)


@breaks("G97", base=LOCAL)
class PastesValuesIntoTheSource(_Changes):
    def ask(self, cell: CodeRequest) -> CodeRequest:
        pasted = "".join(f"{name} = '{value}'\n" for name, value in cell.bind.items())
        return dataclasses.replace(cell, bind={}, source=pasted + cell.source)


@breaks("G97b", base=LOCAL)
class LeavesOutWhatDoesNotFit(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Failed):
            return None
        if isinstance(event, Done):
            return dataclasses.replace(event, status="ok")
        return event


@breaks("G98", base=LOCAL)
class GivesPicturesAsText(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if not isinstance(event, Rich):
            return event
        data = {
            name: base64.b64encode(value) if name == "image/png" else value
            for name, value in event.data.items()
        }
        return dataclasses.replace(event, data=data)


@breaks("G99", base=LOCAL)
class BeginsSomewhereElse(MutantSandbox):
    async def code(self, request: CodeContext) -> Code:
        try:
            return await super().code(request)
        except FileMissing:
            return await super().code(dataclasses.replace(request, cwd=None))


@breaks("G84c", base=LOCAL)
@breaks("G84d", base=LOCAL)
class RunsEachCellOfAnyLanguageAfresh(RunsEachCellAfresh):
    """As a provider that starts a program for each cell."""


@breaks("G86b", base=LOCAL)
class PassesWhateverTheCode(_Changes):
    def change(self, event: CodeEvent) -> CodeEvent | None:
        if isinstance(event, Failed):
            return None
        if isinstance(event, Done):
            return dataclasses.replace(event, status="ok")
        return event


@breaks("G92e", base=LOCAL)
class KnowsOneLanguage(MutantSandbox):
    async def code(self, request: CodeContext) -> Code:
        return await super().code(dataclasses.replace(request, language="bash"))


@breaks("G97c", base=LOCAL)
class PastesValuesIntoAShellCell(_Changes):
    def ask(self, cell: CodeRequest) -> CodeRequest:
        pasted = "".join(f'{name}="{value}"\n' for name, value in cell.bind.items())
        return dataclasses.replace(cell, bind={}, source=pasted + cell.source)
