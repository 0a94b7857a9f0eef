"""Copying files and folders in and out, with both sides full of traps."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from sandbook.errors import FileMissing, UsageError
from sandbook_local.file_trees import stays_inside
from tests.sandbook_local.file_box import Box, file_box, names_in

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def box(tmp_path: Path) -> AsyncGenerator[Box]:
    inside = tmp_path / "box"
    inside.mkdir()
    async with file_box(inside) as made:
        yield made


def _plant(folder: Path) -> None:
    """A tree with one of everything."""
    (folder / "sub/empty").mkdir(parents=True)
    (folder / "sub/deep/er").mkdir(parents=True)
    (folder / "sub/deep/er/f").write_bytes(b"deep")
    (folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / os.fsdecode(b"odd \xff\n")).write_bytes(b"")
    (folder / "sub/up").symlink_to("../run.sh")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "absolute").symlink_to("/etc/passwd")
    (folder / "out").symlink_to("../../../etc/passwd")
    (folder / "sub/sneaky").symlink_to("deep/../../../x")
    os.mkfifo(folder / "fifo")
    here = os.open(folder, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{here}/socket")
    os.close(here)


SKIPPED = {
    "dangling": "a link to nothing",
    "absolute": "a link that leads out of the folder",
    "out": "a link that leads out of the folder",
    "sub/sneaky": "a link that leads out of the folder",
    "fifo": "not a file, folder or link",
    "socket": "not a file, folder or link",
}


def _check_copy(folder: Path) -> None:
    assert (folder / "sub/deep/er/f").read_bytes() == b"deep"
    assert (folder / "sub/empty").is_dir()
    assert (folder / "run.sh").stat().st_mode & 0o111 == 0o111
    assert (folder / "sub/deep/er/f").stat().st_mode & 0o111 == 0
    assert (folder / "sub/up").readlink() == Path("../run.sh")
    names = set(names_in(folder))
    assert names == {"sub", "run.sh", os.fsdecode(b"odd \xff\n")}
    assert set(names_in(folder / "sub")) == {"empty", "deep", "up"}


async def test_a_download_has_all_that_is_ordinary_and_lists_the_rest(
    box: Box, tmp_path: Path
) -> None:
    _plant(box.work)
    moved = await box.files.download(".", tmp_path / "new/copy")
    _check_copy(tmp_path / "new/copy")
    assert (moved.files, moved.bytes) == (3, 14)
    assert dict(moved.skipped) == SKIPPED


async def test_an_upload_has_all_that_is_ordinary_and_lists_the_rest(
    box: Box, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    _plant(source)
    moved = await box.files.upload(source, "to/here")
    _check_copy(box.work / "to/here")
    assert (moved.files, moved.bytes) == (3, 14)
    assert dict(moved.skipped) == SKIPPED


async def test_one_file_goes_to_exactly_the_path_given(
    box: Box, tmp_path: Path
) -> None:
    source = tmp_path / "tool"
    source.write_bytes(b"#!")
    source.chmod(0o750)
    assert (await box.files.upload(source, "a/renamed")).files == 1
    assert (box.work / "a/renamed").stat().st_mode & 0o777 == 0o750
    moved = await box.files.download("a/renamed", tmp_path / "x/back")
    assert (moved.files, moved.bytes, moved.skipped) == (1, 2, ())
    assert (tmp_path / "x/back").read_bytes() == b"#!"
    assert names_in(tmp_path / "x") == ["back"]


async def test_links_planted_at_the_destination_are_not_written_through(
    box: Box, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("untouched")
    (tmp_path / "outside").mkdir()
    await box.files.write("d/f", b"evil")
    await box.files.write("d/sub/g", b"evil")
    into = tmp_path / "into"
    into.mkdir()
    (into / "f").symlink_to(precious)
    await box.files.download("d/f", into / "f")
    assert not (into / "f").is_symlink()
    (into / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(NotADirectoryError):
        await box.files.download("d", into)
    (tmp_path / "top").symlink_to(tmp_path / "outside")
    with pytest.raises(NotADirectoryError):
        await box.files.download("d", tmp_path / "top")
    assert precious.read_text() == "untouched"
    assert names_in(tmp_path / "outside") == []


@pytest.mark.parametrize("kind", ["link", "fifo"])
async def test_an_upload_of_what_is_no_file_is_refused(
    box: Box, tmp_path: Path, kind: str
) -> None:
    source = tmp_path / "source"
    if kind == "link":
        source.symlink_to(tmp_path)
    else:
        os.mkfifo(source)
    with pytest.raises(UsageError, match="link"):
        await box.files.upload(source, "x")


async def test_what_is_missing_on_either_side_is_said(box: Box, tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        await box.files.download("missing", tmp_path / "x")
    with pytest.raises(FileNotFoundError):
        await box.files.upload(tmp_path / "missing", "x")
    assert not (tmp_path / "x").exists()


async def test_a_file_of_holes_does_not_fill_this_disk(
    box: Box, tmp_path: Path
) -> None:
    with (box.work / "holes").open("wb") as holes:
        holes.write(b"start")
        holes.seek(1 << 40)
        holes.write(b"end")
        holes.truncate((1 << 40) + (1 << 20))
    await box.files.download("holes", tmp_path / "copy")
    copy = (tmp_path / "copy").stat()
    assert copy.st_size == (1 << 40) + (1 << 20)
    assert copy.st_blocks * 512 < 1 << 20
    with (tmp_path / "copy").open("rb") as copied:
        assert copied.read(6) == b"start\0"
        copied.seek(1 << 40)
        assert copied.read(4) == b"end\0"


async def test_a_download_adds_to_a_folder_and_replaces_its_files(
    box: Box, tmp_path: Path
) -> None:
    into = tmp_path / "into"
    into.mkdir()
    (into / "kept").write_text("kept")
    (into / "f").write_text("old and longer")
    await box.files.write("d/f", b"new")
    await box.files.download("d", into)
    assert (into / "f").read_text() == "new"
    assert (into / "kept").read_text() == "kept"


async def test_a_very_deep_tree_is_cut_and_said(box: Box, tmp_path: Path) -> None:
    here = os.open(box.work, os.O_RDONLY)
    for _ in range(300):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    moved = await box.files.download(".", tmp_path / "copy")
    assert [reason for _, reason in moved.skipped] == ["more than 200 folders deep"]


@pytest.mark.parametrize(
    ("target", "depth", "stays"),
    [
        ("a/b", 0, True),
        ("../a", 1, True),
        ("..", 1, True),
        ("../a", 0, False),
        ("../../a", 1, False),
        ("a/../b", 5, False),
        ("./../a", 0, False),
        ("/a", 5, False),
        ("", 0, True),
    ],
)
def test_a_link_stays_inside_only_when_no_reading_of_it_leads_out(
    target: str,
    depth: int,
    stays: bool,  # noqa: FBT001
) -> None:
    assert stays_inside(target, depth=depth) is stays
