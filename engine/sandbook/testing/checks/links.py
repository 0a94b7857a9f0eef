# ruff: noqa: S101 - checks are assertions
"""L: a link planted in the sandbox leads nowhere outside it.

Every check shows first that the file it must not reach can be reached from here.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from sandbook.api import Sandbox
from sandbook.errors import FileError
from sandbook.testing._check import check
from sandbook.testing._kit import Kit


async def _plant(kit: Kit) -> tuple[Sandbox, Path, tuple[str, ...]]:
    """A sandbox with links to a file of this computer, and to its folder."""
    box = await kit.box()
    secret = kit.decoy()
    up = "../" * 30
    await kit.out(
        box,
        f"ln -s {secret} straight; ln -s {up}{secret} climbing; ln -s straight twice;"
        f"ln -s {secret.parent} folder; ln -s / root",
    )
    paths = ("straight", "climbing", "twice", "folder/secret.txt", f"root{secret}")
    return box, secret, (*paths, f"{up}{secret}")


@check("L01", needs=["files", "exec"])
async def a_planted_link_is_not_read(kit: Kit) -> None:
    box, secret, paths = await _plant(kit)
    for path in paths:
        with suppress(FileError):
            assert await box.files.read(path) != secret.read_bytes(), path


@check("L02", needs=["files", "exec"])
async def a_planted_link_is_not_opened(kit: Kit) -> None:
    box, secret, paths = await _plant(kit)
    for path in paths:
        with suppress(FileError):
            async with box.files.open(path) as stream:
                data = b"".join([piece async for piece in stream])
            assert data != secret.read_bytes(), path


@check("L03", needs=["files", "exec"])
async def a_planted_link_is_not_written_through(kit: Kit) -> None:
    box, secret, paths = await _plant(kit)
    before = secret.read_bytes()
    for path in (*paths, "folder/new.txt"):
        with suppress(FileError):
            await box.files.write(path, b"overwritten")
        assert secret.read_bytes() == before, path
    assert [path.name for path in secret.parent.iterdir()] == [secret.name]


@check("L04", needs=["files", "exec"])
async def a_planted_link_is_not_listed_through(kit: Kit) -> None:
    box, secret, _ = await _plant(kit)
    for path in ("folder", f"root{secret.parent}"):
        with suppress(FileError):
            found = [entry.path async for entry in box.files.list(path, depth=2)]
            assert not any(name.endswith(secret.name) for name in found), path
    inside = [entry async for entry in box.files.list(".", depth=3)]
    assert inside
    assert not any(entry.path.endswith(secret.name) for entry in inside)


@check("L05", needs=["files", "exec"])
async def a_planted_link_tells_nothing_of_its_end(kit: Kit) -> None:
    box, secret, paths = await _plant(kit)
    size = secret.stat().st_size
    for path in paths:
        with suppress(FileError):
            assert (await box.files.stat(path, follow=True)).size != size, path


@check("L06", needs=["files", "exec"])
async def nothing_is_removed_or_moved_through_a_planted_link(kit: Kit) -> None:
    box, secret, _ = await _plant(kit)
    before = secret.read_bytes()
    await box.files.write("mine", b"x")
    for recursive in (False, True):
        with suppress(FileError):
            await box.files.remove("folder/secret.txt", recursive=recursive)
    with suppress(FileError):
        await box.files.rename("mine", "folder/secret.txt")
    with suppress(FileError):
        await box.files.rename("folder/secret.txt", "taken")
    assert secret.read_bytes() == before
    assert [path.name for path in secret.parent.iterdir()] == [secret.name]


@check("L07", needs=["files", "exec"])
async def nothing_is_uploaded_through_a_planted_link(kit: Kit) -> None:
    box, secret, _ = await _plant(kit)
    before = secret.read_bytes()
    source = kit.folder / "source.txt"
    source.write_bytes(b"overwritten")
    for path in ("straight", "folder/secret.txt", "folder/new.txt"):
        with suppress(FileError):
            await box.files.upload(source, path)
    assert secret.read_bytes() == before
    assert [path.name for path in secret.parent.iterdir()] == [secret.name]


@check("L08", needs=["files", "exec"])
async def a_planted_link_is_not_downloaded(kit: Kit) -> None:
    box, secret, paths = await _plant(kit)
    for number, path in enumerate((*paths, "folder")):
        target = kit.folder / f"got-{number}"
        with suppress(FileError):
            await box.files.download(path, target)
        assert not _holds(target, secret.read_bytes()), path


def _holds(target: Path, secret: bytes) -> bool:
    found = [target, *target.rglob("*")] if target.exists() else []
    return any(path.is_file() and path.read_bytes() == secret for path in found)
