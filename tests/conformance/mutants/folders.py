"""F: folders that are told wrongly, and removals that do too much or too little."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import suppress

from sandbook.api import Stat
from sandbook.errors import FileError, FileMissing, NotAFolder
from tests.conformance.mutants.wrap import MutantFiles, breaks


@breaks("F79")
class FollowsLinksUnasked(MutantFiles):
    async def stat(self, path: str, *, follow: bool = False) -> Stat:
        del follow
        return await self.inner.stat(path, follow=True)


@breaks("F79")
class KnowsNoModes(MutantFiles):
    async def stat(self, path: str, *, follow: bool = False) -> Stat:
        told = await self.inner.stat(path, follow=follow)
        return dataclasses.replace(told, mode=0o644)


@breaks("F80")
class ListsOneLevel(MutantFiles):
    def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        del depth
        return self.inner.list(path)


@breaks("F80")
class ListsEveryLevel(MutantFiles):
    def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        return self.inner.list(path, depth=depth + 1)


@breaks("F80b")
class TakesEmptyForMissing(MutantFiles):
    async def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        found = [entry async for entry in self.inner.list(path, depth=depth)]
        if not found:
            raise FileMissing(path, provider="bare", operation="list")
        for entry in found:
            yield entry


@breaks("F80c")
class ListsAHundred(MutantFiles):
    async def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        count = 0
        async for entry in self.inner.list(path, depth=depth):
            count += 1
            if count <= 100:
                yield entry


@breaks("F80d")
class ListsAFileAsNothing(MutantFiles):
    async def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        with suppress(NotAFolder):
            async for entry in self.inner.list(path, depth=depth):
                yield entry


@breaks("F80e")
class HidesHiddenFiles(MutantFiles):
    async def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        async for entry in self.inner.list(path, depth=depth):
            if "/." not in entry.path:
                yield entry


@breaks("F81")
class RemovesInSilence(MutantFiles):
    async def remove(self, path: str, *, recursive: bool = False) -> None:
        with suppress(FileMissing):
            await self.inner.remove(path, recursive=recursive)


@breaks("F81b")
class AlwaysRemovesAll(MutantFiles):
    async def remove(self, path: str, *, recursive: bool = False) -> None:
        del recursive
        await self.inner.remove(path, recursive=True)


@breaks("F81b")
class NeverRemovesAll(MutantFiles):
    async def remove(self, path: str, *, recursive: bool = False) -> None:
        with suppress(FileError):
            await self.inner.remove(path)
            return
        if not recursive:
            await self.inner.remove(path)


@breaks("F81c")
class RenamesInSilence(MutantFiles):
    async def rename(self, old: str, new: str) -> None:
        with suppress(FileMissing):
            await self.inner.rename(old, new)


@breaks("F81d")
class CopiesInstead(MutantFiles):
    async def rename(self, old: str, new: str) -> None:
        await self.inner.write(new, await self.inner.read(old))


@breaks("F81d")
class DoesNotReplace(MutantFiles):
    async def rename(self, old: str, new: str) -> None:
        with suppress(FileMissing):
            await self.inner.stat(new)
            return
        await self.inner.rename(old, new)


@breaks("F81e")
class RemovesWhatALinkPointsTo(MutantFiles):
    async def remove(self, path: str, *, recursive: bool = False) -> None:
        found = await self.inner.stat(path)
        if found.target is not None:
            await self.inner.remove(found.target, recursive=recursive)
        await self.inner.remove(path, recursive=recursive)
