# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""F: trees of files between this computer and a sandbox."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import anyio

from sandbook.api import Sandbox, Stat
from sandbook.errors import FileMissing
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails

TREE = """
mkdir -p tree/empty tree/a/b/c/d
printf deep >tree/a/b/c/d/file; printf '#!/bin/sh\\n' >tree/run; chmod 755 tree/run
printf plain >tree/plain; chmod 640 tree/plain
ln -s nowhere tree/dangling; ln -s plain tree/link; mkfifo tree/pipe
"""


@check("F82", needs=["files", "exec"])
async def a_tree_is_downloaded_and_what_cannot_be_is_told(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, TREE)
    target = kit.folder / "got"
    with anyio.fail_after(60):
        told = await box.files.download("tree", target)
    assert (target / "a/b/c/d/file").read_bytes() == b"deep"
    assert (target / "plain").read_bytes() == b"plain"
    assert (target / "empty").is_dir()
    assert stat.S_IMODE((target / "run").stat().st_mode) & 0o111
    assert not stat.S_IMODE((target / "plain").stat().st_mode) & 0o111
    assert (told.files, told.bytes) == (3, 4 + 5 + 10)
    assert all(reason for _, reason in told.skipped)
    links = {path.name for path in target.iterdir() if path.is_symlink()}
    # A link may be made again as a link; it may not vanish, nor become a copy.
    assert _names(told.skipped) | links == {"dangling", "link", "pipe"}
    left = {path.name for path in target.iterdir() if not path.is_symlink()}
    assert left == {"a", "empty", "run", "plain"}


@check("F82b", needs=["files", "exec"])
async def a_tree_is_uploaded_and_what_cannot_be_is_told(kit: Kit) -> None:
    box = await kit.box()
    source = kit.folder / "src"
    _make_tree(source)
    with anyio.fail_after(60):
        told = await box.files.upload(source, "up/tree")
    assert await kit.out(box, "cat up/tree/a/b/file") == b"deep"
    assert await kit.out(box, "up/tree/run") == b"runs\n"
    assert (await box.files.stat("up/tree/empty")).kind == "folder"
    assert not (await box.files.stat("up/tree/plain")).mode & 0o111
    assert told.files == 3
    assert told.bytes == 4 + 5 + len(b"#!/bin/sh\necho runs\n")
    links = {e.path.rpartition("/")[2] async for e in _links(box, "up/tree")}
    assert _names(told.skipped) | links == {"dangling", "link", "pipe", "socket"}
    assert (await kit.run(box, "test -e up/tree/link -a ! -L up/tree/link")).code == 1


async def _links(box: Sandbox, path: str) -> AsyncIterator[Stat]:
    async for entry in box.files.list(path):
        if entry.kind == "link":
            yield entry


def _make_tree(source: Path) -> None:
    (source / "a/b").mkdir(parents=True)
    (source / "empty").mkdir()
    (source / "a/b/file").write_bytes(b"deep")
    (source / "plain").write_bytes(b"plain")
    (source / "plain").chmod(0o640)
    (source / "run").write_bytes(b"#!/bin/sh\necho runs\n")
    (source / "run").chmod(0o755)
    (source / "dangling").symlink_to("nowhere")
    (source / "link").symlink_to("plain")
    os.mkfifo(source / "pipe")
    _make_socket(source)


def _make_socket(folder: Path) -> None:
    """Bind by a descriptor, because the path may be longer than a socket's may."""
    at = os.open(folder, os.O_PATH)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"/proc/self/fd/{at}/socket")
    listening.close()
    os.close(at)


def _names(skipped: tuple[tuple[str, str], ...]) -> set[str]:
    return {path.rpartition("/")[2] for path, _ in skipped}


@check("F82c", needs=["files"])
async def one_file_is_copied_both_ways(kit: Kit) -> None:
    box = await kit.box()
    source, back = kit.folder / "one.bin", kit.folder / "back.bin"
    source.write_bytes(bytes(range(256)) * 4096)
    assert (await box.files.upload(source, "new/one.bin")).files == 1
    told = await box.files.download("new/one.bin", back)
    assert (told.files, told.bytes, told.skipped) == (1, 1 << 20, ())
    assert back.read_bytes() == source.read_bytes()


@check("F82d", needs=["files"])
async def downloading_what_is_not_there_is_told(kit: Kit) -> None:
    box = await kit.box()
    with fails(FileMissing) as caught:
        await box.files.download("no/such-folder", kit.folder / "none")
    assert "no/such-folder" in str(caught.error)


@check("F83", needs=["files", "exec"])
async def a_download_brings_nothing_from_behind_a_link(kit: Kit) -> None:
    box = await kit.box()
    secret = kit.decoy()
    await kit.out(box, "mkdir tree; printf x >tree/file")
    await kit.out(box, f"ln -s {secret} tree/out; ln -s {secret.parent} tree/up")
    target = kit.folder / "got"
    told = await box.files.download("tree", target)
    assert _names(told.skipped) == {"out", "up"}
    assert [path.name for path in target.iterdir()] == ["file"]
    assert (target / "file").read_bytes() == b"x"


@check("F83b", needs=["files"])
async def a_download_does_not_leave_its_target(kit: Kit) -> None:
    box = await kit.box()
    secret = kit.decoy()
    before = secret.read_bytes()
    await box.files.write("tree/sub/secret.txt", b"overwritten")
    await box.files.write("tree/file", b"overwritten")
    target = kit.folder / "got"
    target.mkdir()
    (target / "sub").symlink_to(secret.parent)
    (target / "file").symlink_to(secret)
    with suppress(OSError):
        await box.files.download("tree", target)
    assert secret.read_bytes() == before
    assert [path.name for path in secret.parent.iterdir()] == [secret.name]
