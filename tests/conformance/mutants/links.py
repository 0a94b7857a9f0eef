"""L: file calls that open the sandbox's paths on this computer."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from sandbook.api import READ_LIMIT, Stat, Transfer
from tests.conformance.mutants.wrap import MutantFiles, breaks


class _Here(MutantFiles):
    """Takes the sandbox's folder for a folder like any other."""

    def here(self, path: str) -> Path:
        return Path(self.box.home, path)


@breaks("L01")
class ReadsHere(_Here):
    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        del limit
        return self.here(path).read_bytes()


@breaks("L02")
class OpensHere(_Here):
    @contextlib.asynccontextmanager
    async def open(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        data = self.here(path).read_bytes()

        async def pieces() -> AsyncIterator[bytes]:
            yield data

        yield pieces()


@breaks("L03")
class WritesHere(_Here):
    async def write(
        self, path: str, data: bytes | AsyncIterable[bytes], *, mode: int | None = None
    ) -> int:
        del mode
        assert isinstance(data, bytes)
        return self.here(path).write_bytes(data)


@breaks("L04")
class ListsHere(_Here):
    async def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        del depth
        for place in self.here(path).iterdir():
            yield _stat(place)


@breaks("L05")
class LooksHere(_Here):
    async def stat(self, path: str, *, follow: bool = False) -> Stat:
        del follow
        return _stat(self.here(path))


@breaks("L06")
class RemovesHere(_Here):
    async def remove(self, path: str, *, recursive: bool = False) -> None:
        del recursive
        self.here(path).unlink()


@breaks("L06")
class RenamesHere(_Here):
    async def rename(self, old: str, new: str) -> None:
        self.here(old).replace(self.here(new))


@breaks("L07")
class UploadsHere(_Here):
    async def upload(self, local: Path, path: str) -> Transfer:
        shutil.copyfile(local, self.here(path))
        return Transfer(files=1, bytes=0)


@breaks("L08")
class DownloadsHere(_Here):
    async def download(self, path: str, local: Path) -> Transfer:
        place = self.here(path)
        if place.is_dir():
            shutil.copytree(place, local)
        else:
            shutil.copyfile(place, local)
        return Transfer(files=1, bytes=0)


def _stat(place: Path) -> Stat:
    found = place.stat()
    return Stat(
        path=str(place),
        kind="file",
        size=found.st_size,
        mode=found.st_mode & 0o777,
        modified_at=datetime.now(UTC),
    )
