# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""F: one file, written and read."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncIterator

import anyio

from sandbook.errors import (
    AccessDenied,
    FileMissing,
    IsAFolder,
    NotAFolder,
    TooLarge,
)
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails, skip, until

MIB = 1 << 20
ODD_NAMES = (
    "two words",
    "it's",
    'a "quote"',
    "line\nbreak",
    "Grüße-世界",
    "-rf",
    "$HOME",
    "back\\slash",
    "star*",
    "#hash",
)


@check("F65", needs=["files"])
async def text_comes_back_with_its_line_ends(kit: Kit) -> None:
    box = await kit.box()
    for data in (
        b"one\ntwo\n",
        b"one\r\ntwo\r\n",
        b"no end",
        b"\n\n",
        "Grüße".encode(),
    ):
        assert await box.files.write("text", data) == len(data)
        assert await box.files.read("text") == data


@check("F66", needs=["files"])
async def every_byte_comes_back(kit: Kit) -> None:
    box = await kit.box()
    data = bytes(range(256))
    await box.files.write("bytes", data)
    assert await box.files.read("bytes") == data


@check("F66b", needs=["files", "exec"])
async def ten_mebibytes_are_the_same_on_both_sides(kit: Kit) -> None:
    box = await kit.box()
    data = random.Random(7).randbytes(10 * MIB)
    wanted = hashlib.sha256(data).hexdigest()
    await box.files.write("large", data)
    told = await kit.out(box, "sha256sum <large")
    assert told.split()[0].decode() == wanted
    assert hashlib.sha256(await box.files.read("large")).hexdigest() == wanted


@check("F67", needs=["files"])
async def fifty_mebibytes_come_back(kit: Kit) -> None:
    box = await kit.box()
    data = random.Random(8).randbytes(MIB) * 50
    assert await box.files.write("large", data) == len(data)
    same = await box.files.read("large") == data
    assert same, "the content differs"


@check("F67b", needs=["files.stream", "attach"], probe=True)
async def a_large_file_is_moved_in_pieces(kit: Kit) -> None:
    await _is_moved_in_pieces(kit, 60)


@check("F67c", needs=["files.stream", "attach"], stress=True, limit=600.0)
async def a_file_of_500_megabytes_is_moved_in_pieces(kit: Kit) -> None:
    await _is_moved_in_pieces(kit, 500)


async def _is_moved_in_pieces(kit: Kit, mebibytes: int) -> None:
    box = await kit.box()
    told = await kit.elsewhere(
        "stream_file", ref=box.ref.to_json(), mebibytes=mebibytes
    )
    assert told["written"] == mebibytes * MIB
    assert told["same"]
    assert int(str(told["growth"])) < 40 * MIB


@check("F68", needs=["files"])
async def an_empty_file_is_a_file(kit: Kit) -> None:
    box = await kit.box()
    assert await box.files.write("empty", b"") == 0
    assert await box.files.read("empty") == b""
    assert (await box.files.stat("empty")).size == 0


@check("F69", needs=["files"])
async def writing_makes_the_folders_above(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("new/deep/er/file", b"x")
    assert await box.files.read("new/deep/er/file") == b"x"
    assert (await box.files.stat("new/deep")).kind == "folder"


@check("F70", needs=["files"])
async def writing_less_leaves_no_tail(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("file", b"a long content")
    assert await box.files.read("file") == b"a long content"
    await box.files.write("file", b"short")
    assert await box.files.read("file") == b"short"


class _BrokeOffError(Exception):
    """The source of a file broke off."""


@check("F70b", needs=["files"])
async def a_file_is_written_whole_or_not_at_all(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("new/file", b"old content")
    seen: list[bytes] = []

    async def breaks_off() -> AsyncIterator[bytes]:
        yield b"new"
        await anyio.sleep(0.1)
        seen.append(await box.files.read("new/file"))
        raise _BrokeOffError

    with fails(_BrokeOffError):
        await box.files.write("new/file", breaks_off())
    assert seen == [b"old content"]
    assert await box.files.read("new/file") == b"old content"

    async def is_alone() -> bool:
        found = [entry.path async for entry in box.files.list("new")]
        return [path.rpartition("/")[2] for path in found] == ["file"]

    await until(is_alone, within=kit.options.patience, what="nothing left beside it")


@check("F71", needs=["files", "exec"])
async def odd_names_are_names(kit: Kit) -> None:
    box = await kit.box()
    for name in ODD_NAMES:
        await box.files.write(f"odd/{name}", name.encode())
    for name in ODD_NAMES:
        assert await box.files.read(f"odd/{name}") == name.encode(), name
        assert await kit.out(box, ("cat", "--", name), cwd="odd") == name.encode()
    found = {e.path.rpartition("odd/")[2] async for e in box.files.list("odd")}
    assert found == set(ODD_NAMES)


@check("F72", needs=["files", "exec"])
async def relative_paths_start_where_commands_do(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("here", b"from files")
    base = (await kit.out(box, "cat here >/dev/null; pwd -P")).decode().rstrip("\n")
    assert await box.files.read(f"{base}/here") == b"from files"
    await kit.out(box, "printf command >there")
    assert await box.files.read("there") == b"command"


@check("F72b", needs=["files", "exec"])
async def a_tilde_is_the_home_folder(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("~/in-home", b"x")
    assert await kit.out(box, 'cat "$HOME/in-home"') == b"x"
    assert (await box.files.stat("~/in-home")).path == f"{box.home}/in-home"


@check("F73", needs=["files"])
async def a_missing_file_is_named(kit: Kit) -> None:
    box = await kit.box()
    with fails(FileMissing) as caught:
        await box.files.read("no/such-file")
    assert "no/such-file" in str(caught.error)
    assert isinstance(caught.error, FileNotFoundError)
    with fails(FileMissing):
        async with box.files.open("no/such-file"):
            pass
    with fails(FileMissing):
        await box.files.stat("no/such-file")


@check("F74", needs=["files"])
async def a_folder_is_neither_read_nor_overwritten(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("folder/file", b"x")
    with fails(IsAFolder) as caught:
        await box.files.read("folder")
    assert "folder" in str(caught.error)
    with fails(IsAFolder):
        await box.files.write("folder", b"x")
    assert await box.files.read("folder/file") == b"x"


@check("F74b", needs=["files"])
async def nothing_is_written_below_a_file(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("file", b"x")
    with fails(NotAFolder):
        await box.files.write("file/below", b"y")
    assert await box.files.read("file") == b"x"


@check("F75", needs=["files", "exec"])
async def what_the_user_may_not_read_is_denied(kit: Kit) -> None:
    box = await kit.box()
    denied = kit.options.denied
    if denied is None:
        await kit.out(box, "echo secret >denied; chmod 000 denied")
        if (await kit.run(box, "cat denied")).code == 0:
            skip("modes do not bind its user, and no path is named that does")
        denied = "denied"
    with fails(AccessDenied) as caught:
        await box.files.read(denied)
    assert denied in str(caught.error)


@check("F76", needs=["files"])
async def a_name_that_makes_no_sense_is_missing(kit: Kit) -> None:
    box = await kit.box()
    for path in ("https:/en.wikipedia.org/wiki/X", "x" * 200 + "/y"):
        with fails(FileMissing):
            await box.files.read(path)


@check("F77", needs=["files"])
async def a_file_above_the_limit_is_refused(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("file", b"0123456789")
    assert await box.files.read("file", limit=10) == b"0123456789"
    with fails(TooLarge) as caught:
        await box.files.read("file", limit=9)
    assert "file" in str(caught.error)


@check("F78", needs=["files", "exec"])
async def the_mode_asked_for_is_set(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("script", b"#!/bin/sh\necho runs\n", mode=0o755)
    assert (await box.files.stat("script")).mode == 0o755
    assert await kit.out(box, "./script") == b"runs\n"
    await box.files.write("private", b"x", mode=0o600)
    assert (await box.files.stat("private")).mode == 0o600


@check("F78b", needs=["files"])
async def without_a_mode_it_stays_and_is_else_0644(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("fresh", b"x")
    assert (await box.files.stat("fresh")).mode == 0o644
    await box.files.write("script", b"one", mode=0o750)
    await box.files.write("script", b"two")
    assert (await box.files.stat("script")).mode == 0o750
