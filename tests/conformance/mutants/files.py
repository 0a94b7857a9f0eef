"""F: files that come back different, or do not say what is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterable

from sandbook.api import READ_LIMIT, Stat
from sandbook.errors import (
    AccessDenied,
    FileMissing,
    IsAFolder,
    NotAFolder,
    TooLarge,
)
from tests.conformance.mutants.wrap import MutantFiles, breaks

Data = bytes | AsyncIterable[bytes]


async def _whole(data: Data) -> bytes:
    if isinstance(data, bytes):
        return data
    return b"".join([piece async for piece in data])


class _Writes(MutantFiles):
    """Writes something else."""

    def written(self, data: bytes) -> bytes:
        return data

    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        whole = await _whole(data)
        await self.inner.write(path, self.written(whole), mode=mode)
        return len(whole)


@breaks("F65")
class ChangesLineEnds(_Writes):
    def written(self, data: bytes) -> bytes:
        return data.replace(b"\r\n", b"\n")


@breaks("F66")
class TakesFilesForText(_Writes):
    def written(self, data: bytes) -> bytes:
        return data.decode("utf-8", "replace").encode()


@breaks("F66b")
class CutsAtAMebibyte(_Writes):
    def written(self, data: bytes) -> bytes:
        return data[: 1 << 20]


@breaks("F67")
class CutsAt28Mebibytes(_Writes):
    def written(self, data: bytes) -> bytes:
        return data[: 28 << 20]


@breaks("F67b")
class HoldsTheWholeFile(_Writes):
    """As an API without streams does."""


@breaks("F67c")
class HoldsTheLargeFile(_Writes):
    """As an API without streams does."""


@breaks("F68")
class SkipsEmptyFiles(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        return await self.inner.write(path, data, mode=mode) if data else 0


@breaks("F69")
class WantsItsFolder(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        await self.inner.stat(path.rpartition("/")[0] or ".")
        return await self.inner.write(path, data, mode=mode)


@breaks("F70")
class LeavesATail(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        whole = await _whole(data)
        try:
            old = await self.inner.read(path)
        except FileMissing:
            old = b""
        return await self.inner.write(path, whole + old[len(whole) :], mode=mode)


@breaks("F70b")
class WritesInPlace(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        if isinstance(data, bytes):
            return await self.inner.write(path, data, mode=mode)
        done = b""
        async for piece in data:
            done += piece
            await self.inner.write(path, done, mode=mode)
        return len(done)


@breaks("F70b")
class LeavesItsDraft(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        await self.inner.write(f"{path}.part", b"", mode=mode)
        return await self.inner.write(path, data, mode=mode)


@breaks("F71")
class TidiesNames(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        return await self.inner.write(path.replace("\n", " "), data, mode=mode)

    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        return await self.inner.read(path.replace("\n", " "), limit=limit)


@breaks("F72")
class HasAFolderOfItsOwn(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        return await self.inner.write(f"own/{path}", data, mode=mode)

    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        inside = path if path.startswith("/") else f"own/{path}"
        return await self.inner.read(inside, limit=limit)


@breaks("F72b")
class TakesTheTildeForAName(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        return await self.inner.write(f"./{path}", data, mode=mode)


@breaks("F73")
class ReadsNothingAsEmpty(MutantFiles):
    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        try:
            return await self.inner.read(path, limit=limit)
        except FileMissing:
            return b""


@breaks("F73")
class DoesNotNameThePath(MutantFiles):
    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        try:
            return await self.inner.read(path, limit=limit)
        except FileMissing as error:
            raise FileMissing("not found", provider="bare", operation="read") from error


@breaks("F74")
class CallsAFolderDenied(MutantFiles):
    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        try:
            return await self.inner.read(path, limit=limit)
        except IsAFolder as error:
            raise AccessDenied(path, provider="bare", operation="read") from error


@breaks("F74")
class PutsAFileForAFolder(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        try:
            return await self.inner.write(path, data, mode=mode)
        except IsAFolder:
            await self.inner.remove(path, recursive=True)
            return await self.inner.write(path, data, mode=mode)


@breaks("F74b")
class PutsAFolderForAFile(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        try:
            return await self.inner.write(path, data, mode=mode)
        except NotAFolder:
            await self.inner.remove(path.rpartition("/")[0])
            return await self.inner.write(path, data, mode=mode)


@breaks("F75")
class CallsDeniedMissing(MutantFiles):
    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        try:
            return await self.inner.read(path, limit=limit)
        except AccessDenied as error:
            raise FileMissing(path, provider="bare", operation="read") from error


@breaks("F76")
class RefusesOddPaths(MutantFiles):
    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        if ":" in path:
            raise AccessDenied(path, provider="bare", operation="read")
        return await self.inner.read(path, limit=limit)


@breaks("F77")
class HasNoLimit(MutantFiles):
    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        del limit
        return await self.inner.read(path)


@breaks("F77")
class CutsAtTheLimit(MutantFiles):
    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        try:
            return await self.inner.read(path, limit=limit)
        except TooLarge:
            return (await self.inner.read(path))[:limit]


@breaks("F78")
class IgnoresTheMode(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        del mode
        return await self.inner.write(path, data)


@breaks("F78b")
class AlwaysSetsAMode(MutantFiles):
    async def write(self, path: str, data: Data, *, mode: int | None = None) -> int:
        return await self.inner.write(path, data, mode=mode or 0o644)


@breaks("F78b")
class KeepsFilesPrivate(MutantFiles):
    async def stat(self, path: str, *, follow: bool = False) -> Stat:
        told = await self.inner.stat(path, follow=follow)
        return dataclasses.replace(told, mode=told.mode & 0o700)
