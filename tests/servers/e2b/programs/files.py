"""Files are written and read, in every form that the SDK has."""

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

from e2b import (
    AsyncSandbox,
    AuthenticationException,
    FileNotFoundException,
    InvalidArgumentException,
    NotEnoughSpaceException,
    Sandbox,
)

from tests.servers.e2b.programs.expecting import raises

BYTES = bytes(range(256)) * 3
LARGE = b"0123456789abcdef" * 200_000


def whole(sandbox: Sandbox) -> None:
    files = sandbox.files
    info = files.write("deep/er/note.txt", "grüße\r\n")
    assert (info.path, info.name) == ("/home/user/deep/er/note.txt", "note.txt")
    assert info.type is not None
    assert info.type.value == "file"
    assert bytes(files.read("deep/er/note.txt", format="bytes")) == "grüße\r\n".encode()
    assert files.read("~/deep/er/note.txt") == "grüße\r\n"
    assert sandbox.commands.run("cat deep/er/note.txt").stdout == "grüße\r\n"
    files.write("deep/er/note.txt", "shorter")
    assert files.read("/home/user/deep/er/note.txt") == "shorter"
    files.write("/tmp/bytes", BYTES)
    assert bytes(files.read("/tmp/bytes", format="bytes")) == BYTES
    files.write("nothing", "")
    assert files.read("nothing") == ""
    files.write("with space and 'quote' \"two\" ü", "odd")
    assert files.read("with space and 'quote' \"two\" ü") == "odd"


def several(sandbox: Sandbox) -> None:
    written = sandbox.files.write_files(
        [{"path": "one", "data": "1"}, {"path": "/tmp/two", "data": b"--\r\n--x\r\n"}]
    )
    assert [info.path for info in written] == ["/home/user/one", "/tmp/two"]
    assert sandbox.files.read("one") == "1"
    assert sandbox.files.read("/tmp/two") == "--\r\n--x\r\n"
    with raises(InvalidArgumentException):
        sandbox.files.write_files(
            [{"path": "one", "data": "a"}, {"path": "~/one", "data": "b"}]
        )
    assert sandbox.files.write_files([]) == []


def packed(sandbox: Sandbox) -> None:
    files = sandbox.files
    files.write("raw", BYTES, use_octet_stream=True)
    assert bytes(files.read("raw", format="bytes")) == BYTES
    files.write("packed", LARGE, gzip=True)
    assert sandbox.commands.run("wc -c <packed").stdout.strip() == str(len(LARGE))
    assert bytes(files.read("packed", format="bytes", gzip=True)) == LARGE
    with sandbox.files.read("packed", format="stream", gzip=True) as pieces:
        assert b"".join(pieces) == LARGE


def with_metadata(sandbox: Sandbox) -> None:
    for how in (True, False):
        info = sandbox.files.write(
            "told", "x", metadata={"Author": "me"}, use_octet_stream=how
        )
        assert info.metadata == {"author": "me"}
        assert sandbox.files.get_info("told").metadata == {"author": "me"}
    sandbox.files.rename("told", "moved")
    assert sandbox.files.get_info("moved").metadata == {"author": "me"}
    sandbox.files.write("moved", "anew")
    assert not sandbox.files.get_info("moved").metadata


def refused(sandbox: Sandbox) -> None:
    sandbox.files.make_dir("folder")
    with raises(FileNotFoundException):
        sandbox.files.read("no/such/file")
    with raises(InvalidArgumentException):
        sandbox.files.read("folder")
    with raises(InvalidArgumentException):
        sandbox.files.write("folder", "x")
    with raises(AuthenticationException):
        sandbox.files.read("one", user="nobody-here")
    with raises(AuthenticationException):
        sandbox.files.write("one", "x", user="nobody-here")


async def streamed(sandbox: AsyncSandbox) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for place in range(0, len(LARGE), 50_000):
            yield LARGE[place : place + 50_000]

    await sandbox.files.write("large", pieces())
    total = bytearray()
    async with await sandbox.files.read("large", format="stream") as reader:
        async for piece in reader:
            total += piece
    assert bytes(total) == LARGE
    await sandbox.files.write("large", io.BytesIO(BYTES))
    assert bytes(await sandbox.files.read("large", format="bytes")) == BYTES
    await sandbox.files.write("large", io.StringIO("text"))
    assert await sandbox.files.read("large") == "text"
    done = await sandbox.files.write_files(
        [{"path": f"many/{n}", "data": str(n)} for n in range(20)],
        use_octet_stream=True,
    )
    assert len(done) == 20
    assert await sandbox.files.read("many/19") == "19"


async def full(sandbox: AsyncSandbox) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1200):
            yield bytes(1 << 20)

    with raises(NotEnoughSpaceException):
        await sandbox.files.write("endless", endless())
    assert not await sandbox.files.exists("endless")


async def main() -> None:
    sandbox = Sandbox.create(timeout=120)
    whole(sandbox)
    several(sandbox)
    packed(sandbox)
    with_metadata(sandbox)
    refused(sandbox)
    same = await AsyncSandbox.connect(sandbox.sandbox_id)
    await streamed(same)
    await full(same)
    assert await same.kill()


asyncio.run(main())
