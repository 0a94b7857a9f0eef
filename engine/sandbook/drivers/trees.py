"""Decides what of a tree is copied between this computer and a remote sandbox.

Neither side may lead us astray. On this computer every name is opened relative to its
folder's descriptor and no link is followed. A link is copied as a link only where it is
relative and cannot leave the tree: any `..` comes first and is no more than the folders
above it.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from sandbook.api import Stat, Transfer
from sandbook.errors import AccessDenied, FileMissing, UsageError

if TYPE_CHECKING:
    from sandbook.drivers.files import DriverFiles

_PIECE = 1 << 20
_DEEPEST = 200  # each level holds a descriptor, of which a process may have 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_LEADS_OUT = "a link that leads out of the folder"
_DANGLES = "a link to nothing"
_SPECIAL = "not a file, folder or link"
_TOO_DEEP = f"more than {_DEEPEST} folders deep"


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What was moved so far."""

    files: int = 0
    bytes: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def add(self, size: int) -> None:
        self.files += 1
        self.bytes += size

    def skip(self, shown: tuple[str, ...], reason: str) -> None:
        self.skipped.append(("/".join(shown), reason))

    def done(self) -> Transfer:
        return Transfer(files=self.files, bytes=self.bytes, skipped=tuple(self.skipped))


def stays_inside(target: str, *, depth: int) -> bool:
    """Whether a link, `depth` folders below the top of its tree, stays within it."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((i for i, part in enumerate(parts) if part != ".."), len(parts))
    return not target.startswith("/") and ups <= depth and ".." not in parts[ups:]


async def upload(files: DriverFiles, local: Path, path: str) -> Transfer:
    """Copy a file or folder of this computer to `path` in the sandbox."""
    try:
        top = os.open(local, _FILE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise _not_copied(local) from error
        raise
    copy = _Upload(files)
    try:
        found = os.fstat(top)
        if stat.S_ISDIR(found.st_mode):
            await copy.folder(top, path, above=())
        elif stat.S_ISREG(found.st_mode):
            await copy.file(top, path)
        else:
            raise _not_copied(local)
    finally:
        os.close(top)
    return copy.tally.done()


def _not_copied(local: Path) -> UsageError:
    return UsageError(
        f"{str(local)!r} is not a file or folder, or is a link to one",
        remedy="name the file or folder itself",
    )


class _Upload:
    def __init__(self, files: DriverFiles) -> None:
        self._files = files
        self.tally = _Tally()

    async def folder(self, source: int, path: str, *, above: tuple[str, ...]) -> None:
        await self._files.make_folder(path)
        with os.scandir(source) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            await self._entry(source, name, f"{path}/{name}", above=above)

    async def _entry(
        self, folder: int, name: str, path: str, *, above: tuple[str, ...]
    ) -> None:
        shown = (*above, name)
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                await self._link(folder, name, path, above=above)
            elif stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
                await self._open_entry(folder, name, path, above=above)
            else:
                self.tally.skip(shown, _SPECIAL)
        except (FileMissing, AccessDenied):
            raise  # the sandbox's side: the copy cannot be whole
        except (FileNotFoundError, PermissionError) as error:
            self.tally.skip(shown, os.strerror(error.errno or errno.EIO).lower())

    async def _open_entry(
        self, folder: int, name: str, path: str, *, above: tuple[str, ...]
    ) -> None:
        source = os.open(name, _FILE, dir_fd=folder)
        try:
            if stat.S_ISREG(os.fstat(source).st_mode):
                await self.file(source, path)
            elif len(above) >= _DEEPEST:
                self.tally.skip((*above, name), _TOO_DEEP)
            else:
                await self.folder(source, path, above=(*above, name))
        finally:
            os.close(source)

    async def _link(
        self, folder: int, name: str, path: str, *, above: tuple[str, ...]
    ) -> None:
        target = os.readlink(name, dir_fd=folder)
        if not stays_inside(target, depth=len(above)):
            self.tally.skip((*above, name), _LEADS_OUT)
        elif not _exists(name, folder):
            self.tally.skip((*above, name), _DANGLES)
        else:
            await self._files.make_link(path, target=target)

    async def file(self, source: int, path: str) -> None:
        found = os.fstat(source)
        data: bytes | AsyncIterator[bytes] = _read(source)
        if found.st_size <= _PIECE:
            data = b"".join([piece async for piece in _read(source)])
        mode = stat.S_IMODE(found.st_mode) & 0o777 | 0o600
        size = await self._files.put(path, data, mode=mode, operation="files.upload")
        self.tally.add(size)


def _exists(name: str, folder: int) -> bool:
    # Looks through links that stay inside the tree, and opens nothing.
    try:
        os.stat(name, dir_fd=folder)
    except OSError:
        return False
    return True


async def _read(source: int) -> AsyncIterator[bytes]:
    while piece := await to_thread.run_sync(os.read, source, _PIECE):
        yield piece


async def download(files: DriverFiles, path: str, local: Path) -> Transfer:
    """Copy a file or folder of the sandbox to `local`."""
    found = await files.stat(path, follow=True)
    await to_thread.run_sync(_make_parents, local)
    copy = _Download(files)
    parent = os.open(local.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if found.kind == "folder":
            into = _make_folder(parent, local.name)
            try:
                await copy.folder(path, into, above=())
            finally:
                os.close(into)
        else:
            await copy.file(path, parent, local.name)
    finally:
        os.close(parent)
    return copy.tally.done()


def _make_parents(local: Path) -> None:
    local.parent.mkdir(parents=True, exist_ok=True)


def _make_folder(parent: int, name: str) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


class _Download:
    def __init__(self, files: DriverFiles) -> None:
        self._files = files
        self.tally = _Tally()

    async def folder(self, path: str, into: int, *, above: tuple[str, ...]) -> None:
        entries = [entry async for entry in self._files.list(path)]
        for entry in entries:
            name = entry.path.rpartition("/")[2]
            try:
                await self._entry(entry, into, name, above=above)
            except (FileMissing, AccessDenied) as error:
                self.tally.skip((*above, name), error.message)

    async def _entry(
        self, entry: Stat, into: int, name: str, *, above: tuple[str, ...]
    ) -> None:
        shown = (*above, name)
        if entry.kind == "file":
            await self.file(entry.path, into, name)
        elif entry.kind == "link":
            await self._link(entry, into, name, above=above)
        elif entry.kind == "other":
            self.tally.skip(shown, _SPECIAL)
        elif len(above) >= _DEEPEST:
            self.tally.skip(shown, _TOO_DEEP)
        else:
            inner = _make_folder(into, name)
            try:
                await self.folder(entry.path, inner, above=shown)
            finally:
                os.close(inner)

    async def _link(
        self, entry: Stat, into: int, name: str, *, above: tuple[str, ...]
    ) -> None:
        target = entry.target or ""
        if not stays_inside(target, depth=len(above)):
            self.tally.skip((*above, name), _LEADS_OUT)
            return
        try:
            await self._files.stat(entry.path, follow=True)
        except FileMissing:
            self.tally.skip((*above, name), _DANGLES)
            return
        with _replacing(name, into) as temporary:
            os.symlink(target, temporary, dir_fd=into)

    async def file(self, path: str, into: int, name: str) -> None:
        async with self._files.opened(path, "files.download") as (pieces, mode):
            new_mode = 0o777 if mode & 0o111 else 0o666
            with _replacing(name, into) as temporary:
                target = os.open(temporary, _NEW, new_mode, dir_fd=into)
                try:
                    size = await _write(target, pieces)
                finally:
                    os.close(target)
        self.tally.add(size)


@contextmanager
def _replacing(name: str, folder: int) -> Generator[str]:
    """A temporary name that becomes `name` at the end, whatever was there but a folder.

    Renamed over, a link planted at `name` is replaced, not written through.
    """
    temporary = f".{secrets.token_hex(8)}.part"
    try:
        yield temporary
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise


async def _write(target: int, pieces: AsyncIterator[bytes]) -> int:
    size = 0
    async for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[await to_thread.run_sync(os.write, target, view) :]
        size += len(piece)
    return size
