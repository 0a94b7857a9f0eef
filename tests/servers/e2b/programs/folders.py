"""Entries are described, listed, made, moved and removed."""

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from e2b import (
    AsyncSandbox,
    EntryInfo,
    FileNotFoundException,
    FileType,
    InvalidArgumentException,
    Sandbox,
)

from tests.servers.e2b.programs.expecting import raises


def described(sandbox: Sandbox) -> None:
    sandbox.files.write("tool", "#!/bin/sh\n")
    sandbox.commands.run(
        "chmod 750 tool; ln -s tool link; ln -s nowhere broken; mkdir d"
    )
    info = sandbox.files.get_info("tool")
    assert (info.name, info.type, info.path) == (
        "tool",
        FileType.FILE,
        "/home/user/tool",
    )
    assert (info.size, info.mode, info.permissions) == (10, 0o750, "-rwxr-x---")
    assert (info.owner, info.group, info.symlink_target) == ("user", "user", None)
    assert abs(datetime.now(UTC) - info.modified_time) < timedelta(minutes=5)
    folder = sandbox.files.get_info("d")
    assert (folder.type, folder.permissions) == (FileType.DIR, "drwxr-xr-x")
    link = sandbox.files.get_info("link")
    assert (link.type, link.symlink_target) == (FileType.SYMLINK, "/home/user/tool")
    assert sandbox.files.get_info("broken").type == FileType.SYMLINK
    with raises(FileNotFoundException):
        sandbox.files.get_info("none")
    assert sandbox.files.exists("tool")
    assert not sandbox.files.exists("none")
    assert not sandbox.files.exists("tool/below")


def listed(sandbox: Sandbox) -> None:
    assert sandbox.files.make_dir("tree/a/b/c")
    assert not sandbox.files.make_dir("tree/a")
    with raises(InvalidArgumentException):
        sandbox.files.make_dir("tool")
    sandbox.files.write("tree/z", "")
    sandbox.commands.run("ln -s tree tree-link")

    def paths(found: list[EntryInfo]) -> list[str]:
        return [entry.path.removeprefix("/home/user/") for entry in found]

    assert paths(sandbox.files.list("tree")) == ["tree/a", "tree/z"]
    assert paths(sandbox.files.list("tree", depth=2)) == [
        "tree/a",
        "tree/a/b",
        "tree/z",
    ]
    assert paths(sandbox.files.list("tree-link")) == ["tree-link/a", "tree-link/z"]
    assert paths(sandbox.files.list("/home/user/tree/a/b/c")) == []
    with raises(FileNotFoundException):
        sandbox.files.list("none")
    with raises(InvalidArgumentException):
        sandbox.files.list("tool")
    with raises(InvalidArgumentException):
        sandbox.files.list("tree", depth=0)


def removed(sandbox: Sandbox) -> None:
    sandbox.files.write("gone/soon", "x")
    assert sandbox.files.rename("gone/soon", "gone/now").name == "now"
    sandbox.files.remove("gone")
    assert not sandbox.files.exists("gone")
    sandbox.files.remove("gone")


async def made_and_described(sandbox: AsyncSandbox) -> None:
    assert await sandbox.files.make_dir("made/below")
    assert not await sandbox.files.make_dir("made")
    assert (await sandbox.files.get_info("made")).type == FileType.DIR
    found = await sandbox.files.list("made", depth=2)
    assert [entry.name for entry in found] == ["below"]


async def moved_and_removed(sandbox: AsyncSandbox) -> None:
    files = sandbox.files
    await files.write("old", "text")
    info = await files.rename("old", "new/place/name")
    assert info.path == "/home/user/new/place/name"
    assert await files.read("new/place/name") == "text"
    assert not await files.exists("old")
    with raises(FileNotFoundException):
        await files.rename("old", "elsewhere")
    await files.rename("new", "moved")
    assert await files.exists("moved/place/name")
    await files.remove("moved")
    assert not await files.exists("moved")
    await files.remove("moved")


async def main() -> None:
    sandbox = Sandbox.create(timeout=120)
    described(sandbox)
    listed(sandbox)
    removed(sandbox)
    same = await AsyncSandbox.connect(sandbox.sandbox_id)
    await made_and_described(same)
    await moved_and_removed(same)
    assert await same.kill()


asyncio.run(main())
