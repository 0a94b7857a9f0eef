"""Reading, writing and looking at files, through the real server in a folder."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from sandbook.errors import (
    AccessDenied,
    FileError,
    FileMissing,
    IsAFolder,
    NoSpace,
    NotAFolder,
    TooLarge,
    UsageError,
)
from tests.sandbook_local.file_box import Box, file_box, names_in, until

pytestmark = pytest.mark.anyio

IS_ROOT = os.geteuid() == 0
NAMES = (
    "with space",
    'it\'s "quoted"',
    "two\nlines",
    "żółw-✓-😀",
    "-rf",
    "$HOME `id`",
    "back\\slash",
    os.fsdecode(b"not-utf8-\xff\xfe"),
    "x" * 255,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["same user", "jailed plain user"])
async def box(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Box]:
    jailed = request.param != "same user"
    if jailed and not IS_ROOT:
        pytest.skip("only root can become another user")
    async with file_box(tmp_path, jailed=jailed) as made:
        yield made


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_every_byte_value_survives(box: Box) -> None:
    data = bytes(range(256)) * 40_000
    assert await box.files.write("all", data) == len(data)
    assert await box.files.read("all") == data
    assert (box.work / "all").read_bytes() == data


async def test_an_empty_file_reads_as_nothing(box: Box) -> None:
    assert await box.files.write("empty", b"") == 0
    assert await box.files.read("empty") == b""


async def test_pieces_are_written_in_order_and_read_in_pieces(box: Box) -> None:
    size = await box.files.write("parts", _pieces(b"one", b"", b"two" * 1_000_000))
    assert size == 3 + 3_000_000
    async with box.files.open("parts") as pieces:
        got = [piece async for piece in pieces]
    assert len(got) > 1
    assert b"".join(got) == b"one" + b"two" * 1_000_000


async def test_overwriting_shortens(box: Box) -> None:
    await box.files.write("f", b"long content")
    await box.files.write("f", b"short")
    assert await box.files.read("f") == b"short"


@pytest.mark.parametrize("name", NAMES, ids=ascii)
async def test_an_awkward_name_survives_writing_listing_and_reading(
    box: Box, name: str
) -> None:
    await box.files.write(name, b"data")
    assert [entry.path async for entry in box.files.list(".")] == [
        f"{box.inside}/{name}"
    ]
    assert await box.files.read(name) == b"data"
    assert name in names_in(box.work)


async def test_parents_are_made(box: Box) -> None:
    await box.files.write("a/b/../c/deep", b"x")
    assert (box.work / "a/c/deep").read_bytes() == b"x"


async def test_relative_paths_start_in_the_work_folder_and_tilde_is_home(
    box: Box,
) -> None:
    await box.files.write("here", b"1")
    await box.files.write("~/there", b"2")
    assert (box.work / "here").exists()
    assert (box.home / "there").exists()
    assert (await box.files.stat("./here")).path == f"{box.inside}/here"
    assert (await box.files.stat("~/there")).path.endswith("/home/there")


@pytest.mark.parametrize("path", ["missing", "https:/example.org/x", "", "no/way/x"])
async def test_a_missing_file_is_named(box: Box, path: str) -> None:
    with pytest.raises(FileMissing) as caught:
        await box.files.read(path)
    assert isinstance(caught.value, FileNotFoundError)
    assert repr(path) in str(caught.value)
    assert caught.value.errno == errno.ENOENT
    assert (caught.value.provider, caught.value.operation) == ("local", "files.read")


async def test_a_folder_is_neither_read_nor_overwritten(box: Box) -> None:
    (box.work / "d").mkdir()
    with pytest.raises(IsAFolder):
        await box.files.read("d")
    with pytest.raises(IsAFolder):
        await box.files.write("d", b"")
    with pytest.raises(IsAFolder):
        await box.files.write("new/", b"")
    assert list((box.work / "d").iterdir()) == []


async def test_a_file_is_no_parent_and_no_folder(box: Box) -> None:
    await box.files.write("f", b"")
    for attempt in (box.files.read("f/x"), box.files.write("f/x/y", b"")):
        with pytest.raises(NotAFolder):
            await attempt
    with pytest.raises(NotAFolder):
        _ = [entry async for entry in box.files.list("f")]


async def test_fifos_sockets_and_devices_are_neither_read_nor_written(box: Box) -> None:
    os.mkfifo(box.work / "fifo", 0o666)
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(box.work, os.O_PATH)
        listener.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    paths = ["fifo", "socket"] if box.is_jailed else ["fifo", "socket", "/dev/zero"]
    for path in paths:
        with anyio.fail_after(20):
            for attempt in (box.files.read(path), box.files.write(path, b"x")):
                with pytest.raises(AccessDenied):
                    await attempt
    assert (await box.files.stat("fifo")).kind == "other"


async def test_the_mode_is_0644_then_kept_or_as_given(box: Box) -> None:
    await box.files.write("f", b"")
    assert (await box.files.stat("f")).mode == 0o644
    await box.files.write("f", b"", mode=0o755)
    await box.files.write("f", b"again")
    assert (await box.files.stat("f")).mode == 0o755


async def test_what_the_sandbox_user_may_not_do_is_denied(tmp_path: Path) -> None:
    if not IS_ROOT:
        pytest.skip("needs a file of another user")
    async with file_box(tmp_path, jailed=True) as box:
        (box.work / "secret").write_text("root's")
        (box.work / "secret").chmod(0o600)
        (box.work / "closed").mkdir(mode=0o700)
        attempts = (
            box.files.read("secret"),
            box.files.write("secret", b"x"),
            box.files.write("closed/x", b"x"),
            box.files.stat("closed/x"),
            box.files.remove("/home"),
        )
        for attempt in attempts:
            with pytest.raises(AccessDenied) as caught:
                await attempt
            assert isinstance(caught.value, PermissionError)
        with pytest.raises(AccessDenied):
            _ = [entry async for entry in box.files.list(".", depth=2)]
        assert (box.work / "secret").read_text() == "root's"


async def test_a_read_over_its_limit_transfers_nothing(box: Box) -> None:
    with (box.work / "huge").open("wb") as huge:
        huge.truncate(1 << 40)
    with pytest.raises(TooLarge, match="1099511627776 bytes, the limit is 10"):
        await box.files.read("huge", limit=10)
    await box.files.write("ten", b"0123456789")
    assert await box.files.read("ten", limit=10) == b"0123456789"


async def test_a_large_file_is_never_held_in_memory(box: Box) -> None:
    async def zeros() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield bytes(1 << 20)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert await box.files.write("big", zeros()) == 300 << 20
    size = 0
    async with box.files.open("big") as pieces:
        async for piece in pieces:
            size += len(piece)
    assert size == 300 << 20
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60 << 10  # KiB


async def test_a_write_that_fails_leaves_the_old_file_and_no_other(box: Box) -> None:
    async def breaks() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("the source broke")

    await box.files.write("f", b"old")
    with pytest.raises(RuntimeError):
        await box.files.write("f", breaks())
    await until(lambda: names_in(box.work) == ["f"])
    assert await box.files.read("f") == b"old"


async def test_a_cancelled_write_leaves_nothing(box: Box) -> None:
    started = anyio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        yield b"half"
        started.set()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(box.files.write, "f", stalls())
        await started.wait()
        assert any(box.work.iterdir())
        group.cancel_scope.cancel()
    await until(lambda: not names_in(box.work))


async def test_a_write_follows_a_link_as_a_shell_does(box: Box) -> None:
    (box.work / "link").symlink_to("sub/real")
    await box.files.write("link", b"through")
    assert (box.work / "link").is_symlink()
    assert (box.work / "sub/real").read_bytes() == b"through"
    (box.work / "loop").symlink_to("loop")
    with pytest.raises(AccessDenied):
        await box.files.write("loop", b"")


@pytest.mark.parametrize(
    "target",
    ["/proc/self/exe", "/proc/self/root/etc/hostname", "/proc/self/mem", "/proc/1/cwd"],
)
async def test_a_planted_link_into_an_open_file_is_refused(
    tmp_path: Path, target: str
) -> None:
    async with file_box(tmp_path) as box:
        (box.work / "evil").symlink_to(target)
        for attempt in (box.files.read("evil"), box.files.write("evil", b"x")):
            with pytest.raises((AccessDenied, FileMissing)):
                await attempt
        with pytest.raises(AccessDenied):
            await box.files.read("evil")


async def test_an_ordinary_file_of_proc_can_be_read(tmp_path: Path) -> None:
    async with file_box(tmp_path) as box:
        assert b"MemTotal" in await box.files.read("/proc/meminfo")


async def test_stat_tells_files_folders_and_links_apart(box: Box) -> None:
    await box.files.write("f", b"12345", mode=0o640)
    os.utime(box.work / "f", ns=(0, 1_500_000_000_123_456_000))
    (box.work / "link").symlink_to("f")
    (box.work / "dangling").symlink_to("nowhere")
    found = await box.files.stat("f")
    assert (found.kind, found.size, found.mode) == ("file", 5, 0o640)
    assert found.modified_at.isoformat() == "2017-07-14T02:40:00.123456+00:00"
    link = await box.files.stat("link")
    assert (link.kind, link.target) == ("link", "f")
    assert (await box.files.stat("link", follow=True)).size == 5
    assert (await box.files.stat(".")).kind == "folder"
    with pytest.raises(FileMissing):
        await box.files.stat("dangling", follow=True)


async def test_a_file_from_the_far_future_has_a_time(box: Box) -> None:
    await box.files.write("f", b"")
    os.utime(box.work / "f", (2**34, 2**34))
    assert (await box.files.stat("f")).modified_at.year >= 2446


async def test_list_goes_as_deep_as_asked_and_not_through_links(box: Box) -> None:
    await box.files.write("a/b/c", b"")
    await box.files.write("z", b"")
    (box.work / "loop").symlink_to(".")

    async def names(depth: int) -> list[str]:
        entries = box.files.list(".", depth=depth)
        return [entry.path.removeprefix(box.inside) async for entry in entries]

    assert await names(1) == ["/a", "/loop", "/z"]
    assert await names(2) == ["/a", "/loop", "/z", "/a/b"]
    assert await names(9) == ["/a", "/loop", "/z", "/a/b", "/a/b/c"]
    with pytest.raises(UsageError):
        await names(0)


async def test_thousands_of_entries_are_listed_whole(box: Box) -> None:
    wanted = [f"{number:05}-{'é' * 60}" for number in range(3000)]
    for name in wanted:
        (box.work / name).touch()
    got = [entry.path.rpartition("/")[2] async for entry in box.files.list(".")]
    assert got == wanted


async def test_a_list_left_early_does_not_disturb_what_follows(box: Box) -> None:
    for number in range(3000):
        (box.work / f"{number:060}").touch()
    async with aclosing(box.files.list(".")) as entries:
        async for _ in entries:
            break
    assert await box.files.write("after", b"x") == 1
    assert await box.files.read("after") == b"x"


async def test_remove_takes_files_links_and_empty_folders(box: Box) -> None:
    await box.files.write("d/f", b"")
    (box.work / "link").symlink_to("d")
    await box.files.remove("link")
    assert (box.work / "d/f").exists()
    with pytest.raises(FileError, match="not empty") as caught:
        await box.files.remove("d")
    assert "recursively" in caught.value.remedy
    await box.files.remove("d/f")
    await box.files.remove("d/")
    assert names_in(box.work) == []


async def test_a_recursive_remove_does_not_follow_links(box: Box) -> None:
    await box.files.write("~/precious", b"")
    await box.files.write("d/e/f", b"")
    (box.work / "d/e/out").symlink_to("../../../home")
    await box.files.remove("d", recursive=True)
    assert names_in(box.work) == []
    assert (box.home / "precious").exists()


@pytest.mark.parametrize("path", ["missing", "missing/deeper"])
async def test_removing_or_moving_what_is_missing_is_said(box: Box, path: str) -> None:
    with pytest.raises(FileMissing):
        await box.files.remove(path, recursive=True)
    with pytest.raises(FileMissing):
        await box.files.rename(path, "new/place")
    assert names_in(box.work) == []


@pytest.mark.parametrize("path", ["/", ".", ".."])
async def test_the_ground_one_stands_on_is_not_removed(box: Box, path: str) -> None:
    with pytest.raises(FileError):
        await box.files.remove(path, recursive=True)


async def test_rename_replaces_a_file_and_makes_parents(box: Box) -> None:
    await box.files.write("old", b"new data")
    await box.files.write("there", b"old data")
    await box.files.rename("old", "there")
    assert names_in(box.work) == ["there"]
    await box.files.rename("there", "sub/folder/f")
    assert await box.files.read("sub/folder/f") == b"new data"


@pytest.mark.parametrize("path", ["nul\0here", "half \ud800 surrogate", "x/" * 600_000])
async def test_what_is_no_path_is_refused_and_the_next_call_works(
    box: Box, path: str
) -> None:
    await box.files.write("nul", b"what is before the NUL")
    with pytest.raises(FileError):
        await box.files.read(path)
    with pytest.raises(FileError):
        await box.files.write(path, b"")
    assert await box.files.write("fine", b"1") == 1


async def test_many_calls_at_once_keep_apart(box: Box) -> None:
    async def one(number: int) -> None:
        data = b"%d" % number * 1000
        await box.files.write(f"f{number}", data)
        assert await box.files.read(f"f{number}") == data

    async with anyio.create_task_group() as group:
        for number in range(80):
            group.start_soon(one, number)
    assert len(names_in(box.work)) == 80


@pytest.mark.skipif(not IS_ROOT, reason="mounts a small file system")
async def test_a_full_disk_is_said_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with file_box(tmp_path, tmpfs="size=1m,mode=777") as box:
        await box.files.write("fits", bytes(500_000))
        with pytest.raises(NoSpace, match="disk is full") as caught:
            await box.files.write("f", bytes(600_000))
        assert caught.value.errno == errno.ENOSPC
        source = tmp_path / "source"
        source.write_bytes(bytes(600_000))
        with pytest.raises(NoSpace):
            await box.files.upload(source, "f")
        names = [entry.path async for entry in box.files.list(".")]
        assert names == [f"{box.inside}/fits"]


@pytest.mark.skipif(not IS_ROOT, reason="mounts a file system")
async def test_a_file_can_be_moved_between_file_systems(tmp_path: Path) -> None:
    async with file_box(tmp_path, tmpfs="size=9m,mode=777") as box:
        await box.files.write("f", b"data" * 1000, mode=0o750)
        await box.files.rename("f", "~/moved")
        assert await box.files.read("~/moved") == b"data" * 1000
        assert (await box.files.stat("~/moved")).mode == 0o750
        with pytest.raises(FileMissing):
            await box.files.stat("f")
        await box.files.write("d/f", b"")
        with pytest.raises(FileError, match="another file system"):
            await box.files.rename("d", "~/d")
        assert await box.files.read("d/f") == b""
