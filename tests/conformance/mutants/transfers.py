"""F: trees that arrive incomplete, or from and to places they must not."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path

from sandbook.api import Transfer
from sandbook.errors import FileMissing
from tests.conformance.mutants.wrap import MutantFiles, breaks


@breaks("F82")
class SkipsInSilence(MutantFiles):
    async def download(self, path: str, local: Path) -> Transfer:
        told = await self.inner.download(path, local)
        return dataclasses.replace(told, skipped=())


@breaks("F82")
class BringsNoEmptyFolders(MutantFiles):
    async def download(self, path: str, local: Path) -> Transfer:
        told = await self.inner.download(path, local)
        for folder in local.rglob("*"):
            if folder.is_dir() and not list(folder.iterdir()):
                folder.rmdir()
        return told


@breaks("F82b")
class LosesExecutableBits(MutantFiles):
    async def upload(self, local: Path, path: str) -> Transfer:
        told = await self.inner.upload(local, path)
        async for entry in self.inner.list(path, depth=9):
            if entry.kind == "file":
                data = await self.inner.read(entry.path)
                await self.inner.write(entry.path, data, mode=0o644)
        return told


@breaks("F82c")
class CountsNothing(MutantFiles):
    async def upload(self, local: Path, path: str) -> Transfer:
        told = await self.inner.upload(local, path)
        return dataclasses.replace(told, files=0)


@breaks("F82d")
class DownloadsNothingInSilence(MutantFiles):
    async def download(self, path: str, local: Path) -> Transfer:
        with suppress(FileMissing):
            return await self.inner.download(path, local)
        return Transfer(files=0, bytes=0)


@breaks("F83")
class FollowsLinksHome(MutantFiles):
    async def download(self, path: str, local: Path) -> Transfer:
        told = await self.inner.download(path, local)
        async for entry in self.inner.list(path, depth=9):
            if entry.target is not None and Path(entry.target).is_file():
                name = entry.path.rpartition("/")[2]
                (local / name).write_bytes(Path(entry.target).read_bytes())
        return told


@breaks("F83b")
class WritesThroughLinksHere(MutantFiles):
    async def download(self, path: str, local: Path) -> Transfer:
        base = (await self.inner.stat(path)).path
        count = 0
        async for entry in self.inner.list(path, depth=9):
            if entry.kind == "file":
                place = local / entry.path.removeprefix(f"{base}/")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(await self.inner.read(entry.path))
                count += 1
        return Transfer(files=count, bytes=0)
