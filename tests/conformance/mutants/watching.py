"""I: watches that tell too little, too much, or the wrong thing."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio

from sandbook.api import Watch, WatchEvent, WatchRequest
from sandbook.errors import FileMissing, SandboxLost
from tests.conformance.mutants.wrap import MutantSandbox, breaks

LOCAL = "sandbook_local:INFO"


class MutantWatch:
    """A watch, unchanged."""

    def __init__(self, box: Watches, inner: Watch) -> None:
        self.box = box
        self.inner = inner

    async def events(self) -> AsyncIterator[WatchEvent]:
        async for event in self.inner.events():
            for told in self.box.told(event):
                yield told

    async def catch_up(self) -> None:
        await self.inner.catch_up()


class Watches(MutantSandbox):
    """A sandbox whose watches are unchanged."""

    def asked(self, request: WatchRequest) -> WatchRequest:
        return request

    def told(self, event: WatchEvent) -> Iterator[WatchEvent]:
        yield event

    def made(self, inner: Watch) -> Watch:
        return MutantWatch(self, inner)

    def watch(self, request: WatchRequest) -> AbstractAsyncContextManager[Watch]:
        return self._watch(request)

    @asynccontextmanager
    async def _watch(self, request: WatchRequest) -> AsyncGenerator[Watch]:
        async with self.inner.watch(self.asked(request)) as inner:
            yield self.made(inner)


@breaks("I107", base=LOCAL)
class TellsRenamesAsCreated(Watches):
    def told(self, event: WatchEvent) -> Iterator[WatchEvent]:
        if event.kind == "renamed":
            event = dataclasses.replace(event, kind="created", was=None)
        yield event


@breaks("I107", base=LOCAL)
class ForgetsTheNameBefore(Watches):
    def told(self, event: WatchEvent) -> Iterator[WatchEvent]:
        yield dataclasses.replace(event, was=None)


@breaks("I107b", base=LOCAL)
class TellsTheNewestFirst(Watches):
    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # as the wrapper is made
        self.held: WatchEvent | None = None

    def told(self, event: WatchEvent) -> Iterator[WatchEvent]:
        if event.kind == "created" and event.path != "end.mark":
            self.held = event
            return
        yield event
        if self.held is not None:
            held, self.held = self.held, None
            yield held


@breaks("I107c", base=LOCAL)
class TellsOfTheFolder(Watches):
    """As a library does that watches the folder's own times."""

    def told(self, event: WatchEvent) -> Iterator[WatchEvent]:
        yield dataclasses.replace(event, kind="modified", path=".", was=None)
        yield event


@breaks("I107d", base=LOCAL)
class CatchesUpAtOnce(Watches):
    def made(self, inner: Watch) -> Watch:
        class Hasty(MutantWatch):
            async def events(self) -> AsyncIterator[WatchEvent]:
                async for event in super().events():
                    await anyio.sleep(0.5)
                    yield event

            async def catch_up(self) -> None:
                return

        return Hasty(self, inner)


@breaks("I108", base=LOCAL)
class TellsOnlyTheName(Watches):
    def told(self, event: WatchEvent) -> Iterator[WatchEvent]:
        yield dataclasses.replace(event, path=event.path.rpartition("/")[2])


@breaks("I108b", base=LOCAL)
class AlwaysLooksBelow(Watches):
    def asked(self, request: WatchRequest) -> WatchRequest:
        return dataclasses.replace(request, recursive=True)


@breaks("I108c", base=LOCAL)
class MissesWhatANewFolderHolds(Watches):
    """A watch is put on a folder that was just made, and what is in it is not asked."""

    def told(self, event: WatchEvent) -> Iterator[WatchEvent]:
        if not (event.kind == "created" and event.path.endswith("/a/f")):
            yield event


@breaks("I108d", base=LOCAL)
class IgnoresNothing(Watches):
    def asked(self, request: WatchRequest) -> WatchRequest:
        return dataclasses.replace(request, ignore=())


@breaks("I108d", base=LOCAL)
class IgnoresOnlyAtTheTop(Watches):
    def asked(self, request: WatchRequest) -> WatchRequest:
        return dataclasses.replace(request, ignore=("?.tmp", "cache", "*/d?"))

    def told(self, event: WatchEvent) -> Iterator[WatchEvent]:
        yield event
        if event.path == "sub/c":
            yield dataclasses.replace(event, path="sub/b.tmp")


@breaks("I108e", base=LOCAL)
class FollowsLinks(Watches):
    def told(self, event: WatchEvent) -> Iterator[WatchEvent]:
        yield event
        if event.path == "a":
            yield dataclasses.replace(event, path="link/g")


@breaks("I109", base=LOCAL)
class WaitsForWhatIsNotThere(Watches):
    @asynccontextmanager
    async def _watch(self, request: WatchRequest) -> AsyncGenerator[Watch]:
        try:
            async with super()._watch(request) as watch:
                yield watch
        except FileMissing:
            async with self.inner.watch(WatchRequest(path=".")) as watch:
                yield watch


@breaks("I109b", base=LOCAL)
class WatchesTheFolderOfAFile(Watches):
    def asked(self, request: WatchRequest) -> WatchRequest:
        return dataclasses.replace(request, path=request.path.partition("/")[0])


@breaks("I110", base=LOCAL)
class FallsAsleepAfterAMinute(Watches):
    def made(self, inner: Watch) -> Watch:
        class Sleepy(MutantWatch):
            async def events(self) -> AsyncIterator[WatchEvent]:
                with anyio.move_on_after(60):
                    async for event in super().events():
                        yield event

        return Sleepy(self, inner)


@breaks("I111", base=LOCAL)
class NeverEnds(Watches):
    def made(self, inner: Watch) -> Watch:
        class Endless(MutantWatch):
            async def events(self) -> AsyncIterator[WatchEvent]:
                async for event in super().events():
                    yield event
                await anyio.sleep_forever()

        return Endless(self, inner)


@breaks("I111b", base=LOCAL)
class EndsInSilence(Watches):
    def made(self, inner: Watch) -> Watch:
        class Silent(MutantWatch):
            async def events(self) -> AsyncIterator[WatchEvent]:
                try:
                    async for event in super().events():
                        yield event
                except SandboxLost:
                    return

        return Silent(self, inner)


@breaks("I112", base=LOCAL)
class LosesWhatIsTooMuch(Watches):
    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # as the wrapper is made
        self.count = 0

    def told(self, event: WatchEvent) -> Iterator[WatchEvent]:
        self.count += 1
        if self.count < 300 or event.path == "end.mark":
            yield event
