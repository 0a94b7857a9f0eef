# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""F: entries and folders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbook.api import Sandbox
from sandbook.errors import FileError, FileMissing, NotAFolder
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails


async def _names(box: Sandbox, path: str, depth: int = 1) -> list[str]:
    """The paths below `path`, sorted, relative to it."""
    found = [entry.path async for entry in box.files.list(path, depth=depth)]
    base = f"/{path}/"
    return sorted(entry.partition(base)[2] for entry in found)


@check("F79", needs=["files", "exec"])
async def stat_tells_kind_size_mode_and_time(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, "mkdir f; printf 12345 >f/file; chmod 640 f/file")
    await kit.out(box, "ln -s file f/link; mkfifo f/pipe")
    file = await box.files.stat("f/file")
    assert (file.kind, file.size, file.mode) == ("file", 5, 0o640)
    assert file.path.startswith("/")
    assert file.path.endswith("/f/file")
    assert file.target is None
    assert abs(datetime.now(UTC) - file.modified_at) < timedelta(seconds=120)
    assert (await box.files.stat("f")).kind == "folder"
    assert (await box.files.stat("f/pipe")).kind == "other"
    link = await box.files.stat("f/link")
    assert (link.kind, link.target) == ("link", "file")
    followed = await box.files.stat("f/link", follow=True)
    assert (followed.kind, followed.size) == ("file", 5)


@check("F80", needs=["files"])
async def list_goes_as_deep_as_asked(kit: Kit) -> None:
    box = await kit.box()
    for path in ("top/a", "top/sub/b", "top/sub/deep/c"):
        await box.files.write(path, b"x")
    assert await _names(box, "top") == ["a", "sub"]
    assert await _names(box, "top", 2) == ["a", "sub", "sub/b", "sub/deep"]
    wanted = ["a", "sub", "sub/b", "sub/deep", "sub/deep/c"]
    assert await _names(box, "top", 3) == wanted


@check("F80b", needs=["files", "exec"])
async def an_empty_folder_lists_nothing(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, "mkdir -p top/empty")
    assert await _names(box, "top") == ["empty"]
    assert await _names(box, "top/empty") == []


@check("F80c", needs=["files", "exec"])
async def a_thousand_entries_are_all_listed(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, "mkdir many; cd many; seq 1000 | xargs touch")
    assert len(await _names(box, "many")) == 1000


@check("F80d", needs=["files"])
async def only_folders_are_listed(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("file", b"x")
    with fails(NotAFolder) as caught:
        await _names(box, "file")
    assert "file" in str(caught.error)
    with fails(FileMissing):
        await _names(box, "no-such-folder")


@check("F80e", needs=["files", "exec"])
async def hidden_entries_are_listed(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("top/.hidden", b"x")
    assert await _names(box, "top") == [".hidden"]


@check("F81", needs=["files"])
async def removing_what_is_not_there_is_told(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("file", b"x")
    await box.files.remove("file")
    for recursive in (False, True):
        with fails(FileMissing) as caught:
            await box.files.remove("file", recursive=recursive)
        assert "file" in str(caught.error)


@check("F81b", needs=["files"])
async def a_full_folder_is_removed_only_when_asked(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("full/sub/file", b"x")
    with fails(FileError):
        await box.files.remove("full")
    assert await box.files.read("full/sub/file") == b"x"
    await box.files.remove("full", recursive=True)
    with fails(FileMissing):
        await box.files.stat("full")


@check("F81c", needs=["files"])
async def renaming_what_is_not_there_is_told(kit: Kit) -> None:
    box = await kit.box()
    with fails(FileMissing) as caught:
        await box.files.rename("no-such-file", "new")
    assert "no-such-file" in str(caught.error)


@check("F81d", needs=["files"])
async def renaming_moves_and_replaces(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("one", b"1")
    await box.files.write("two", b"2")
    await box.files.rename("one", "two")
    assert await box.files.read("two") == b"1"
    with fails(FileMissing):
        await box.files.read("one")


@check("F81e", needs=["files", "exec"])
async def removing_a_link_leaves_what_it_points_to(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(
        box, "mkdir d; echo kept >d/file; ln -s d to-folder; ln -s d/file to-file"
    )
    await box.files.remove("to-folder", recursive=True)
    await box.files.remove("to-file")
    assert await box.files.read("d/file") == b"kept\n"
    with fails(FileMissing):
        await box.files.stat("to-folder")
