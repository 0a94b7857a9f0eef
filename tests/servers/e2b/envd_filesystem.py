"""envd's `filesystem.Filesystem`: entries and folders."""

from __future__ import annotations

import posixpath
import stat as modes
from datetime import datetime

from e2b.envd.filesystem import filesystem_pb as pb

from sandbook.api import Stat
from sandbook.errors import FileError, FileMissing, NotAFolder
from tests.servers.e2b import access, connect_protocol
from tests.servers.e2b.connect_protocol import RpcError
from tests.servers.e2b.envd_files import resolve
from tests.servers.e2b.envd_processes import Call
from tests.servers.e2b.replies import Json
from tests.servers.e2b.sandboxes import E2BSandbox
from tests.servers.web.exchange import Exchange

_TYPES = {"file": "FILE_TYPE_FILE", "folder": "FILE_TYPE_DIRECTORY"}
_OWN = ("/home/user", "/tmp", "/dev/shm")


async def stat(exchange: Exchange, made: E2BSandbox) -> None:
    """Describe an entry."""
    asked = connect_protocol.read(pb.StatRequest, await exchange.body())
    access.check_user(exchange)
    path = resolve(made, asked.path)
    try:
        entry = await describe(made, path)
    except (FileMissing, NotAFolder) as error:
        raise RpcError("not_found", f"file not found: {path}") from error
    await connect_protocol.reply(exchange, pb.StatResponse, {"entry": entry})


async def list_folder(exchange: Exchange, made: E2BSandbox) -> None:
    """The entries of a folder, each below the other; links are not followed."""
    asked = connect_protocol.read(pb.ListDirRequest, await exchange.body())
    access.check_user(exchange)
    path = resolve(made, asked.path)
    real = await _check_folder(made, path)
    files = made.machine.sandbox.files
    try:
        found = [entry async for entry in files.list(real, depth=asked.depth or 1)]
    except FileError as error:
        raise RpcError(
            "internal", f"error reading directory {path}: {error}"
        ) from error
    found.sort(key=lambda entry: entry.path.split("/"))
    entries = [await _entry(made, e, path + e.path[len(real) :]) for e in found]
    await connect_protocol.reply(exchange, pb.ListDirResponse, {"entries": entries})


async def make_folder(exchange: Exchange, made: E2BSandbox) -> None:
    """Make a folder and its parents."""
    asked = connect_protocol.read(pb.MakeDirRequest, await exchange.body())
    access.check_user(exchange)
    path = resolve(made, asked.path)
    try:
        found = await made.machine.sandbox.files.stat(path, follow=True)
    except FileError:
        pass
    else:
        if found.kind == "folder":
            raise RpcError("already_exists", f"directory already exists: {path}")
        text = f"path already exists but it is not a directory: {path}"
        raise RpcError("invalid_argument", text)
    result = await made.machine.run("mkdir", "-p", "--", path)
    if result.code != 0:
        raise RpcError("internal", result.stderr.data().decode())
    body = {"entry": await describe(made, path)}
    await connect_protocol.reply(exchange, pb.MakeDirResponse, body)


async def move(exchange: Exchange, made: E2BSandbox) -> None:
    """Rename an entry, making the parents of its new place."""
    asked = connect_protocol.read(pb.MoveRequest, await exchange.body())
    access.check_user(exchange)
    source, target = resolve(made, asked.source), resolve(made, asked.destination)
    try:
        await made.machine.sandbox.files.rename(source, target)
    except FileMissing as error:
        raise RpcError("not_found", f"source file not found: {source}") from error
    except FileError as error:
        raise RpcError("internal", f"error renaming: {error}") from error
    if source in made.file_metadata:
        made.file_metadata[target] = made.file_metadata.pop(source)
    body = {"entry": await describe(made, target)}
    await connect_protocol.reply(exchange, pb.MoveResponse, body)


async def remove(exchange: Exchange, made: E2BSandbox) -> None:
    """Remove an entry with all below it; it need not be there."""
    asked = connect_protocol.read(pb.RemoveRequest, await exchange.body())
    access.check_user(exchange)
    path = resolve(made, asked.path)
    try:
        await made.machine.sandbox.files.remove(path, recursive=True)
    except (FileMissing, NotAFolder):
        pass
    except FileError as error:
        raise RpcError("internal", f"error removing file: {error}") from error
    made.file_metadata.pop(path, None)
    await connect_protocol.reply(exchange, pb.RemoveResponse)


UNARY: dict[str, Call] = {
    "Stat": stat,
    "ListDir": list_folder,
    "MakeDir": make_folder,
    "Move": move,
    "Remove": remove,
}


async def describe(made: E2BSandbox, path: str) -> Json:
    """An entry as envd describes it; raises `FileError`."""
    found = await made.machine.sandbox.files.stat(path)
    return await _entry(made, found, path)


async def _check_folder(made: E2BSandbox, path: str) -> str:
    """Where a folder really is."""
    files = made.machine.sandbox.files
    try:
        found = await files.stat(path, follow=True)
        is_link = (await files.stat(path)).kind == "link"
    except (FileMissing, NotAFolder) as error:
        raise RpcError("not_found", f"path not found: {path}") from error
    if found.kind != "folder":
        raise RpcError("invalid_argument", f"path is not a directory: {path}")
    if not is_link:
        return path
    result = await made.machine.run("readlink", "-f", "--", path)
    return result.stdout.data().decode().removesuffix("\n")


async def _entry(made: E2BSandbox, found: Stat, path: str) -> Json:
    owner = "user" if any(f"{path}/".startswith(f"{own}/") for own in _OWN) else "root"
    body: Json = {
        "name": posixpath.basename(path),
        "path": path,
        "type": _TYPES.get(found.kind, "FILE_TYPE_UNSPECIFIED"),
        "size": str(found.size),
        "mode": found.mode & 0o777,
        "permissions": _permissions(found),
        "owner": owner,
        "group": owner,
        "modifiedTime": _time(found.modified_at),
    }
    if path in made.file_metadata:
        body["metadata"] = made.file_metadata[path]
    if found.kind != "link":
        return body
    target = posixpath.join(posixpath.dirname(path), found.target or "")
    body |= {"isSymlink": True, "symlinkTarget": posixpath.normpath(target)}
    try:
        aim = await made.machine.sandbox.files.stat(path, follow=True)
    except FileError:
        return body  # it leads nowhere
    return body | {"type": _TYPES.get(aim.kind, body["type"])}


def _permissions(found: Stat) -> str:
    """As Go writes a mode: its letter for a link is `L`."""
    first = {"folder": "d", "link": "L"}.get(found.kind, "-")
    return first + modes.filemode(found.mode & 0o777)[1:]


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
