"""Files of a bare sandbox: what a link leads to outside its folder is refused."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
)
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import anyio
from anyio import to_thread

from sandbook.api import READ_LIMIT, Stat, Transfer
from sandbook.errors import (
    AccessDenied,
    FileError,
    FileMissing,
    IsAFolder,
    NoSpace,
    NotAFolder,
    TooLarge,
)

if TYPE_CHECKING:
    from tests.providers.bare_sandbox import BareSandbox

PIECE = 1 << 20
_T = TypeVar("_T")
_ERRORS: dict[int, type[FileError]] = {
    errno.ENOENT: FileMissing,
    errno.ENAMETOOLONG: FileMissing,
    errno.ENOTDIR: NotAFolder,
    errno.EISDIR: IsAFolder,
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
}


class BareFiles:
    """File calls on the folder of one sandbox."""

    def __init__(self, sandbox: BareSandbox) -> None:
        """Nothing is opened."""
        self._sandbox = sandbox

    async def write(
        self, path: str, data: bytes | AsyncIterable[bytes], *, mode: int | None = None
    ) -> int:
        """Write beside the target, then put it in its place."""
        with self._told(path, "files.write"):
            target = await self._do(partial(self._target, path))
            fresh = target.with_name(f".sandbook-{secrets.token_hex(4)}")
            try:
                size = await _fill(fresh, data)
                await self._do(partial(_put_in_place, fresh, target, mode=mode))
            finally:
                with anyio.CancelScope(shield=True):
                    await self._do(partial(fresh.unlink, missing_ok=True))
        return size

    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        """Read a file whose size is looked at first."""
        with self._told(path, "files.read"):
            return await self._do(partial(self._read, path, limit))

    @contextlib.asynccontextmanager
    async def open(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Read a file a mebibyte at a time."""
        with self._told(path, "files.open"):
            found = await self._do(partial(self._resolve, path, follow=True))
            await self._do(partial(_refuse_odd, found))
            file = await anyio.open_file(found, "rb")
        async with file:
            yield _pieces(file)

    async def stat(self, path: str, *, follow: bool = False) -> Stat:
        """Describe an entry, or what a link points to."""
        with self._told(path, "files.stat"):
            return await self._do(partial(self._stat, path, follow=follow))

    async def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        """The entries of a folder; links are told, not followed."""
        with self._told(path, "files.list"):
            found = await self._do(partial(self._list, path, depth))
        for entry in found:
            yield entry

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove an entry; a full folder only with `recursive`."""
        with self._told(path, "files.remove"):
            await self._do(partial(self._remove, path, recursive=recursive))

    async def rename(self, old: str, new: str) -> None:
        """Move an entry; its new parents are made."""
        with self._told(old, "files.rename"):
            await self._do(partial(self._rename, old, new))

    async def upload(self, local: Path, path: str) -> Transfer:
        """Copy from this computer; links, pipes and sockets are passed over."""
        with self._told(path, "files.upload"):
            return await self._do(partial(self._upload, local, path))

    async def download(self, path: str, local: Path) -> Transfer:
        """Copy to this computer; links, pipes and sockets are passed over."""
        with self._told(path, "files.download"):
            return await self._do(partial(self._download, path, local))

    async def _do(self, call: Callable[[], _T]) -> _T:
        self._sandbox.check_alive("files")
        return await to_thread.run_sync(call)

    @contextlib.contextmanager
    def _told(self, path: str, operation: str) -> Generator[None]:
        """Turn an error of the system into the contract's."""
        try:
            yield
        except FileError:
            raise
        except (OSError, ValueError) as error:
            number = error.errno if isinstance(error, OSError) else errno.ENOENT
            kind = _ERRORS.get(number or 0, AccessDenied)
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise kind(
                f"{path!r}: {why}",
                provider="bare",
                operation=operation,
                ref=self._sandbox.ref,
                remedy="look at the path with stat or list",
            ) from error

    def _resolve(self, path: str, *, follow: bool) -> Path:
        """The real place of `path`; refused when it is outside the sandbox."""
        if path == "~" or path.startswith("~/"):
            path = self._sandbox.home + path[1:]
        full = Path(self._sandbox.workdir, path)
        real = Path(os.path.realpath(full))
        if not follow:
            real = Path(os.path.realpath(full.parent), full.name)
        base = os.path.realpath(Path(self._sandbox.home).parent)
        if not real.is_relative_to(base):
            raise PermissionError(errno.EACCES, "leads out of the sandbox")
        return real

    def _target(self, path: str) -> Path:
        target = self._resolve(path, follow=True)
        if target.is_dir() or path.endswith("/"):
            raise IsADirectoryError(errno.EISDIR, "is a folder")
        _make_parents(target)
        return target

    def _read(self, path: str, limit: int) -> bytes:
        found = self._resolve(path, follow=True)
        _refuse_odd(found)
        size = found.stat().st_size
        if size > limit:
            raise TooLarge(
                f"{path!r}: is {size} bytes, more than {limit}",
                provider="bare",
                operation="files.read",
                ref=self._sandbox.ref,
                remedy="raise the limit, or read it in pieces",
            )
        with found.open("rb") as file:
            return file.read(limit)

    def _stat(self, path: str, *, follow: bool) -> Stat:
        return _describe(self._resolve(path, follow=follow))

    def _list(self, path: str, depth: int) -> tuple[Stat, ...]:
        return tuple(_walk(self._resolve(path, follow=True), depth))

    def _remove(self, path: str, *, recursive: bool) -> None:
        found = self._resolve(path, follow=False)
        if not stat.S_ISDIR(found.lstat().st_mode):
            found.unlink()
        elif recursive:
            shutil.rmtree(found)
        else:
            found.rmdir()

    def _rename(self, old: str, new: str) -> None:
        source = self._resolve(old, follow=False)
        source.lstat()
        target = self._resolve(new, follow=False)
        _make_parents(target)
        source.replace(target)

    def _upload(self, local: Path, path: str) -> Transfer:
        target = self._resolve(path, follow=True)
        _make_parents(target)
        return _copy_tree(local, target)

    def _download(self, path: str, local: Path) -> Transfer:
        found = self._resolve(path, follow=False)
        found.lstat()
        local.parent.mkdir(parents=True, exist_ok=True)
        return _copy_tree(found, local)


def _make_parents(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, "a parent is not a folder") from error


async def _fill(fresh: Path, data: bytes | AsyncIterable[bytes]) -> int:
    async with await anyio.open_file(fresh, "xb") as file:
        if isinstance(data, bytes):
            return await file.write(data)
        size = 0
        async for piece in data:
            size += await file.write(piece)
        return size


def _put_in_place(fresh: Path, target: Path, *, mode: int | None) -> None:
    if mode is None:
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
    fresh.chmod(mode)
    fresh.replace(target)


def _refuse_odd(path: Path) -> None:
    """A pipe or a device would block whoever opens it."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder")
    if not stat.S_ISREG(mode):
        raise PermissionError(errno.EACCES, "is not a file")


async def _pieces(file: anyio.AsyncFile[bytes]) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE):
        yield piece


def _describe(path: Path) -> Stat:
    found = path.lstat()
    kind = _kind(found.st_mode)
    return Stat(
        path=str(path),
        kind=kind,
        size=found.st_size,
        mode=stat.S_IMODE(found.st_mode),
        modified_at=datetime.fromtimestamp(found.st_mtime, UTC),
        target=str(path.readlink()) if kind == "link" else None,
    )


def _kind(mode: int) -> Literal["file", "folder", "link", "other"]:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def _walk(folder: Path, depth: int) -> Iterator[Stat]:
    if depth < 1:
        return
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - a file must raise ENOTDIR
        entry = _describe(folder / name)
        yield entry
        if entry.kind == "folder":
            yield from _walk(folder / name, depth - 1)


def _copy_tree(source: Path, target: Path) -> Transfer:
    sizes: list[int] = []
    skipped: list[tuple[str, str]] = []
    _copy(source, target, sizes=sizes, skipped=skipped)
    return Transfer(files=len(sizes), bytes=sum(sizes), skipped=tuple(skipped))


def _copy(
    source: Path, target: Path, *, sizes: list[int], skipped: list[tuple[str, str]]
) -> None:
    """Copy one entry and what is below it, never through a link on either side."""
    kind = _kind(source.lstat().st_mode)
    if target.is_symlink():
        skipped.append((str(source), "a link is in its place"))
    elif kind == "folder":
        target.mkdir(exist_ok=True)
        for name in sorted(os.listdir(source)):  # noqa: PTH208 - the walk is by names
            _copy(source / name, target / name, sizes=sizes, skipped=skipped)
    elif kind == "file":
        shutil.copyfile(source, target, follow_symlinks=False)
        target.chmod(stat.S_IMODE(source.stat().st_mode) & 0o777)
        sizes.append(target.stat().st_size)
    else:
        reason = "a link" if kind == "link" else "neither file nor folder"
        skipped.append((str(source), reason))
