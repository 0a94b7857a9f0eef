"""envd's `/files`: whole files in and out."""

from __future__ import annotations

import mimetypes
import posixpath
import zlib
from collections.abc import AsyncIterator

from e2b import WriteInfo

from sandbook.errors import FileError, FileMissing, IsAFolder, NoSpace
from tests.servers.core.paths import PathRules
from tests.servers.e2b import access
from tests.servers.e2b.errors import ApiError
from tests.servers.e2b.replies import Json
from tests.servers.e2b.sandboxes import E2BSandbox
from tests.servers.web.exchange import Exchange
from tests.servers.web.multipart import BrokenFormError, boundary_of, parts

_METADATA = "x-metadata-"
_GZIP = 16 + zlib.MAX_WBITS
_RAW = "application/octet-stream"


async def download(exchange: Exchange, made: E2BSandbox) -> None:
    """Send a file, compressed where the client takes that."""
    access.check_file_access(exchange, made)
    access.check_file_user(exchange)
    path = resolve(made, exchange.query.get("path", ""))
    files = made.machine.sandbox.files
    try:
        stat = await files.stat(path, follow=True)
        if stat.kind == "folder":
            raise ApiError(400, f"path '{path}' is a directory")
        async with files.open(path) as pieces:
            await _send(exchange, path, pieces, size=stat.size)
    except FileMissing as error:
        raise ApiError(404, f"path '{path}' does not exist") from error
    except FileError as error:
        raise ApiError(500, f"error opening file '{path}': {error}") from error


async def upload(exchange: Exchange, made: E2BSandbox) -> None:
    """Take files: one as it is, or several in a form."""
    access.check_file_access(exchange, made)
    access.check_file_user(exchange)
    body = exchange.chunks()
    if exchange.headers.get("content-encoding") == "gzip":
        body = _unpacked(body)
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip()
    if kind == _RAW:
        written = [await _take_raw(exchange, made, body)]
    elif kind.startswith("multipart/"):
        written = await _take_form(exchange, made, body)
    else:
        raise ApiError(400, f"unsupported content type: {kind!r}")
    for one in written:
        WriteInfo.from_dict(one)  # pyright: ignore[reportUnknownMemberType]  # the SDK's
    await exchange.reply_json(200, written)


def resolve(made: E2BSandbox, path: str) -> str:
    """A path as envd means it: from the home folder."""
    home = made.machine.home
    return PathRules(base=home, home=home).resolve(path)


async def _send(
    exchange: Exchange, path: str, pieces: AsyncIterator[bytes], *, size: int
) -> None:
    kind, _ = mimetypes.guess_type(path)
    headers = {"content-type": kind or _RAW, "vary": "Accept-Encoding"}
    if "gzip" in exchange.headers.get("accept-encoding", ""):
        await exchange.begin(200, {**headers, "content-encoding": "gzip"})
        packing = zlib.compressobj(wbits=_GZIP)
        async for piece in pieces:
            await exchange.write(packing.compress(piece))
        await exchange.write(packing.flush())
    else:
        await exchange.begin(200, {**headers, "content-length": str(size)})
        left = size
        async for piece in pieces:
            # It may grow while it is read.
            await exchange.write(piece[:left])
            left -= len(piece[:left])
    await exchange.finish()


async def _take_raw(
    exchange: Exchange, made: E2BSandbox, body: AsyncIterator[bytes]
) -> Json:
    path = exchange.query.get("path")
    if path is None:
        raise ApiError(400, "path query parameter is required for raw body upload")
    return await _write(exchange, made, resolve(made, path), body)


async def _take_form(
    exchange: Exchange, made: E2BSandbox, body: AsyncIterator[bytes]
) -> list[Json]:
    written: list[Json] = []
    try:
        boundary = boundary_of(exchange.headers["content-type"])
        async for part in parts(body, boundary):
            if part.name != "file":
                continue
            named = exchange.query.get("path") or part.filename
            if not named:
                raise ApiError(400, "a file without a name")
            path = resolve(made, named)
            if any(one["path"] == path for one in written):
                raise ApiError(400, f"several files for the same path '{path}'")
            written.append(await _write(exchange, made, path, part.data))
    except BrokenFormError as error:
        raise ApiError(500, f"error parsing multipart form: {error}") from error
    return written


async def _write(
    exchange: Exchange, made: E2BSandbox, path: str, data: AsyncIterator[bytes]
) -> Json:
    try:
        await made.machine.sandbox.files.write(path, data)
    except IsAFolder as error:
        raise ApiError(400, f"path is a directory: {path}") from error
    except NoSpace as error:
        raise ApiError(507, "not enough disk space available") from error
    except FileError as error:
        raise ApiError(500, f"error opening file: {error}") from error
    headers = exchange.headers.items()
    metadata = {k[len(_METADATA) :]: v for k, v in headers if k.startswith(_METADATA)}
    made.file_metadata.pop(path, None)
    told: Json = {"path": path, "name": posixpath.basename(path), "type": "file"}
    if metadata:
        made.file_metadata[path] = metadata
        told["metadata"] = metadata
    return told


async def _unpacked(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    unpacking = zlib.decompressobj(wbits=_GZIP)
    try:
        async for piece in body:
            yield unpacking.decompress(piece)
        yield unpacking.flush()
    except zlib.error as error:
        raise ApiError(400, f"error decompressing request body: {error}") from error
    if not unpacking.eof:
        raise ApiError(400, "error decompressing request body: unexpected EOF")
