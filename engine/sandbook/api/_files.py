"""Files of a sandbox. Links are resolved inside the sandbox only."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

READ_LIMIT = 100 << 20
"""Bytes `Files.read` holds in memory at the most, unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """An entry; `path` is absolute, `mode` its permissions, `target` a link's text."""

    path: str
    kind: Literal["file", "folder", "link", "other"]
    size: int
    mode: int
    modified_at: datetime
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What an upload or download moved, and (path, reason) of what it passed over."""

    files: int
    bytes: int
    skipped: tuple[tuple[str, str], ...] = ()


class Files(Protocol):
    """Relative paths start in the working folder, `~` is the home folder."""

    async def write(
        self, path: str, data: bytes | AsyncIterable[bytes], *, mode: int | None = None
    ) -> int:
        """Write a file whole or not at all, making its parents; returns its size.

        `mode` None keeps that of the file there is, else 0644.

        Raises:
            IsAFolder, NotAFolder, AccessDenied, NoSpace: As named.
        """
        ...

    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """Read a file; above `limit` bytes `TooLarge`, and nothing is transferred."""
        ...

    def open(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Read a file piece by piece, however large."""
        ...

    async def stat(self, path: str, *, follow: bool = False) -> Stat:
        """Describe an entry, or what a link points to."""
        ...

    def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        """The entries of a folder, `depth` levels deep; links are not followed."""
        ...

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file, a link, an empty folder, or with `recursive` a full one."""
        ...

    async def rename(self, old: str, new: str) -> None:
        """Move an entry; a file at `new` is replaced."""
        ...

    async def upload(self, local: Path, path: str) -> Transfer:
        """Copy a file or folder of this computer; links are not followed."""
        ...

    async def download(self, path: str, local: Path) -> Transfer:
        """Copy a file or folder to this computer, never outside `local`."""
        ...
