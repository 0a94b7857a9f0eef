"""Files of a sandbox: names and small ones by the driver, large by the provider."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from sandbook.api import READ_LIMIT, Stat, Transfer
from sandbook.drivers import trees
from sandbook.drivers.channel import ChannelClosed
from sandbook.drivers.failures import failure
from sandbook.drivers.link import Link
from sandbook.errors import FileError, TooLarge

_INLINE = 48 << 10
_PIECE = 1 << 20
_DISCARD_TIMEOUT = 20.0


class DriverFiles:
    """File calls of one sandbox."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def write(
        self, path: str, data: bytes | AsyncIterable[bytes], *, mode: int | None = None
    ) -> int:
        """Write beside the target, then put it in its place."""
        return await self.put(path, data, mode=mode, operation="files.write")

    async def put(
        self,
        path: str,
        data: bytes | AsyncIterable[bytes],
        *,
        mode: int | None,
        operation: str,
    ) -> int:
        """Write a file whole or not at all."""
        if isinstance(data, bytes) and len(data) <= _INLINE:
            packed = base64.b64encode(data).decode()
            asked = {"do": "put", "path": path, "data": packed, "mode": mode}
            return int((await self._ask(asked, path, operation))["size"])
        made = await self._ask({"do": "prepare", "path": path}, path, operation)
        fresh: str = made["fresh"]
        source = _Source(data)
        try:
            await self._fill(fresh, source)
            asked = {**made, "do": "commit", "mode": mode}
            return int((await self._ask(asked, path, operation))["size"])
        except BaseException:
            await self._discard(fresh)
            raise

    async def _fill(self, fresh: str, source: _Source) -> None:
        try:
            await self._link.host.store(fresh, source.pieces())
        except Exception:
            # What the source raised comes back in the clothes of the SDK.
            if source.error is not None:
                raise source.error from None
            raise
        if source.error is not None:
            raise source.error

    async def _discard(self, fresh: str) -> None:
        with (
            anyio.move_on_after(_DISCARD_TIMEOUT, shield=True),
            suppress(FileError, OSError),
        ):
            await self._ask({"do": "discard", "fresh": fresh}, fresh, "files.write")

    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """Read a file whose size is looked at first."""
        told = await self._get(path, "files.read")
        if told["size"] > limit:
            self._refuse_size(path, told["size"], limit)
        if "data" in told:
            return base64.b64decode(told["data"])
        data = bytearray()
        async for piece in self._link.host.load(told["path"]):
            data += piece
            if len(data) > limit:
                self._refuse_size(path, len(data), limit)
        return bytes(data)

    @asynccontextmanager
    async def open(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Read a file piece by piece."""
        async with self.opened(path, "files.open") as (pieces, _):
            yield pieces

    @asynccontextmanager
    async def opened(
        self, path: str, operation: str
    ) -> AsyncGenerator[tuple[AsyncIterator[bytes], int]]:
        """The pieces of a file, and its mode."""
        told = await self._get(path, operation)
        pieces = _pieces(told["data"]) if "data" in told else None
        pieces = pieces or self._link.host.load(told["path"])
        try:
            yield pieces, told["mode"]
        finally:
            with anyio.CancelScope(shield=True):
                await pieces.aclose()  # type: ignore[attr-defined]  # generators both

    async def _get(self, path: str, operation: str) -> dict[str, Any]:
        return await self._ask({"do": "get", "path": path}, path, operation)

    async def stat(self, path: str, *, follow: bool = False) -> Stat:
        """Describe an entry, or what a link points to."""
        asked = {"do": "stat", "path": path, "follow": follow}
        return _stat((await self._ask(asked, path, "files.stat"))["stat"])

    async def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        """The entries of a folder; links are told, not followed."""
        asked = {"do": "list", "path": path, "depth": depth}
        found: list[list[Any]] = []

        async def gather(channel: Any) -> dict[str, Any]:
            found.clear()
            async with channel.ask(asked) as question:
                async for answer in question.answers():
                    found.extend(answer.get("entries", ()))
                    if "entries" not in answer or "last" in answer:
                        question.is_over = True
                        return dict(answer)
            raise ChannelClosed

        answer = await self._link.surely(gather, operation="files.list")
        if "error" in answer:
            raise failure(self._link, answer["error"], path, "files.list")
        for entry in found:
            yield _stat(entry)

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove an entry; a full folder only with `recursive`."""
        asked = {"do": "remove", "path": path, "recursive": recursive}
        await self._ask(asked, path, "files.remove", again=False)

    async def rename(self, old: str, new: str) -> None:
        """Move an entry; its new parents are made."""
        asked = {"do": "rename", "old": old, "new": new}
        await self._ask(asked, old, "files.rename", again=False)

    async def make_folder(self, path: str) -> None:
        """Make a folder and those above; one that is there will do."""
        await self._ask({"do": "folder", "path": path}, path, "files.upload")

    async def make_link(self, path: str, *, target: str) -> None:
        """Make a link in place of what is no folder."""
        asked = {"do": "link", "path": path, "target": target}
        await self._ask(asked, path, "files.upload")

    async def upload(self, local: Path, path: str) -> Transfer:
        """Copy from this computer; pipes and sockets are passed over."""
        return await trees.upload(self, local, path)

    async def download(self, path: str, local: Path) -> Transfer:
        """Copy to this computer; pipes and sockets are passed over."""
        return await trees.download(self, path, local)

    async def _ask(
        self,
        asked: Mapping[str, object],
        path: str,
        operation: str,
        *,
        again: bool = True,
    ) -> dict[str, Any]:
        answer = await self._link.call(asked, operation=operation, again=again)
        if "error" in answer:
            raise failure(self._link, answer["error"], path, operation)
        return answer

    def _refuse_size(self, path: str, size: int, limit: int) -> None:
        ref = self._link.host.ref
        raise TooLarge(
            f"{path!r}: is {size} bytes, more than {limit}",
            provider=ref.provider,
            operation="files.read",
            ref=ref,
            remedy="raise the limit, or read it in pieces",
        )


class _Source:
    """What is written, and the error its author raised while giving it."""

    def __init__(self, data: bytes | AsyncIterable[bytes]) -> None:
        self._data = data
        self.error: BaseException | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        if isinstance(self._data, bytes):
            for place in range(0, len(self._data), _PIECE):
                yield self._data[place : place + _PIECE]
            return
        try:
            async for piece in self._data:
                yield piece
        except Exception as error:
            self.error = error
            raise


async def _pieces(packed: str) -> AsyncIterator[bytes]:
    if packed:
        yield base64.b64decode(packed)


def _stat(told: list[Any]) -> Stat:
    path, kind, size, mode, modified_at, target = told
    return Stat(
        path=path,
        kind=kind,
        size=size,
        mode=mode,
        modified_at=datetime.fromtimestamp(modified_at, UTC),
        target=target,
    )
