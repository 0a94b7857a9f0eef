"""Files and folders, with the kernel's own errors.

Each function runs in a process of its own, so that a large folder holds nobody up.
What is read and written is moved by the provider where that is much; here names are
resolved, small files moved, and a file that is complete put in its place.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from typing import Any

from sandbook.drivers.inside.wire import PIECE, Line, Message, packed, unpacked

_PAGE = 200


class Paths:
    """Where paths begin."""

    def __init__(self, home: str, workdir: str) -> None:
        self.home = home
        self.workdir = workdir

    def full(self, path: str) -> str:
        """The absolute path; a last link stays one."""
        if path == "~" or path.startswith("~/"):
            path = self.home + path[1:]
        joined = os.path.join(self.workdir, path)
        if "\0" in joined:
            raise FileNotFoundError(errno.ENOENT, "a name cannot hold a null byte")
        return os.path.normpath(joined) if joined.strip("/") else "/"


def do(paths: Paths, asked: Message, line: Line) -> None:
    """Do what is asked, and answer."""
    line.send(_CALLS[asked["do"]](paths, asked, line))


def _stat(paths: Paths, asked: Message, _line: Line) -> Message:
    return {"stat": _told(paths.full(asked["path"]), follow=asked["follow"])}


def _told(path: str, *, follow: bool) -> list[Any]:
    found = os.stat(path) if follow else os.lstat(path)
    target = os.readlink(path) if stat.S_ISLNK(found.st_mode) else None
    mode = stat.S_IMODE(found.st_mode)
    return [path, _kind(found), found.st_size, mode, found.st_mtime, target]


def _kind(found: os.stat_result) -> str:
    if stat.S_ISREG(found.st_mode):
        return "file"
    if stat.S_ISDIR(found.st_mode):
        return "folder"
    return "link" if stat.S_ISLNK(found.st_mode) else "other"


def _list(paths: Paths, asked: Message, line: Line) -> Message:
    page: list[Any] = []
    left: list[tuple[str, int]] = [(paths.full(asked["path"]), 1)]
    while left:
        folder, depth = left.pop()
        for name in _names(folder, is_top=depth == 1):
            path = os.path.join(folder, name)
            try:
                told = _told(path, follow=False)
            except FileNotFoundError:
                continue
            page.append(told)
            if told[1] == "folder" and depth < asked["depth"]:
                left.append((path, depth + 1))
            if len(page) == _PAGE:
                line.send({"entries": page})
                page = []
    return {"entries": page, "last": True}


def _names(folder: str, *, is_top: bool) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        if is_top:
            raise
        return []


def _remove(paths: Paths, asked: Message, _line: Line) -> Message:
    path = paths.full(asked["path"])
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
    elif asked["recursive"]:
        shutil.rmtree(path)
    else:
        os.rmdir(path)
    return {"done": True}


def _rename(paths: Paths, asked: Message, _line: Line) -> Message:
    old, new = paths.full(asked["old"]), paths.full(asked["new"])
    os.lstat(old)
    _make_parents(new)
    os.rename(old, new)
    return {"done": True}


def _make_parents(path: str) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None


def _target(paths: Paths, path: str) -> str:
    """Where a file that is written will be: behind a link, what that points to."""
    target = os.path.realpath(paths.full(path))
    if os.path.isdir(target) or path.endswith("/"):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    _make_parents(target)
    return target


def _prepare(paths: Paths, asked: Message, _line: Line) -> Message:
    target = _target(paths, asked["path"])
    fresh = f"{os.path.dirname(target)}/.sandbook-{secrets.token_hex(8)}"
    os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    return {"fresh": fresh, "target": target}


def _commit(_paths: Paths, asked: Message, _line: Line) -> Message:
    fresh, target, mode = asked["fresh"], asked["target"], asked["mode"]
    if mode is None:
        try:
            mode = stat.S_IMODE(os.stat(target).st_mode)
        except FileNotFoundError:
            mode = 0o644
    size = os.stat(fresh).st_size
    os.chmod(fresh, mode)
    os.rename(fresh, target)
    return {"size": size}


def _discard(_paths: Paths, asked: Message, _line: Line) -> Message:
    os.unlink(asked["fresh"])
    return {"done": True}


def _put(paths: Paths, asked: Message, line: Line) -> Message:
    """Write a small file whole."""
    made = _prepare(paths, asked, line)
    try:
        with open(made["fresh"], "wb") as file:
            file.write(unpacked(asked["data"]))
        return _commit(paths, {**made, "mode": asked["mode"]}, line)
    except BaseException:
        os.unlink(made["fresh"])
        raise


def _get(paths: Paths, asked: Message, _line: Line) -> Message:
    """Look whether a file may be read; a small one is sent at once."""
    path = os.path.realpath(paths.full(asked["path"]))
    # Never waits, as the open of a pipe would.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        found = os.fstat(file.fileno())
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise PermissionError(errno.EACCES, "is not a file")
        mode = stat.S_IMODE(found.st_mode)
        told: dict[str, Any] = {"path": path, "size": found.st_size, "mode": mode}
        if found.st_size > PIECE:
            return told
        data = file.read(PIECE + 1)
    return {**told, "data": packed(data)} if len(data) <= PIECE else told


def _folder(paths: Paths, asked: Message, _line: Line) -> Message:
    path = paths.full(asked["path"])
    try:
        os.makedirs(path, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    return {"done": True}


def _link(paths: Paths, asked: Message, _line: Line) -> Message:
    """Make a link, in place of a file or link there may be."""
    path = paths.full(asked["path"])
    _make_parents(path)
    fresh = f"{os.path.dirname(path)}/.sandbook-{secrets.token_hex(8)}"
    os.symlink(asked["target"], fresh)
    try:
        os.rename(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise
    return {"done": True}


_CALLS = {
    "stat": _stat,
    "list": _list,
    "remove": _remove,
    "rename": _rename,
    "prepare": _prepare,
    "commit": _commit,
    "discard": _discard,
    "put": _put,
    "get": _get,
    "folder": _folder,
    "link": _link,
}
