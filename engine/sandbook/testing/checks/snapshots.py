# ruff: noqa: S101 - checks are assertions
"""I: snapshots of files."""

from __future__ import annotations

from sandbook.api import SnapshotRef
from sandbook.errors import SpecRejected
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails


@check("I115", needs=["snapshot.files", "files", "exec"])
async def two_sandboxes_from_one_snapshot_are_strangers(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("kept", b"as it was")
    snapshot = await box.snapshot(kit.name("snapshot"))
    try:
        one = await kit.box(template=snapshot)
        other = await kit.box(template=snapshot)
        await one.files.write("kept", b"changed")
        await one.files.write("mine", b"new")
        await box.files.write("kept", b"later")
        assert await other.files.read("kept") == b"as it was"
        assert (await kit.run(other, "test -e mine")).code != 0
        assert await one.files.read("kept") == b"changed"
    finally:
        await kit.provider.delete_snapshot(snapshot)


@check("I115b", needs=["snapshot.files", "files", "exec"])
async def a_snapshot_keeps_modes_links_and_empty_folders(kit: Kit) -> None:
    box = await kit.box()
    text = "mkdir -p d/empty; echo 1 >d/run; chmod 750 d/run; ln -s run d/link"
    await kit.out(box, text)
    listing = "cd d; ls -1 -F | sort; stat -c %a run; readlink link"
    wanted = await kit.out(box, listing)
    snapshot = await box.snapshot(kit.name("snapshot"))
    try:
        other = await kit.box(template=snapshot)
        assert await kit.out(other, listing) == wanted
        await kit.out(other, "echo 2 >>d/run; rmdir d/empty")
    finally:
        await kit.provider.delete_snapshot(snapshot)


@check("I115c", needs=["snapshot.files", "files"])
async def a_snapshot_outlives_its_sandbox_but_not_its_deletion(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("kept", b"as it was")
    snapshot = await box.snapshot(kit.name("snapshot"))
    try:
        await kit.provider.destroy(box.ref)
        other = await kit.box(template=snapshot)
        assert await other.files.read("kept") == b"as it was"
    finally:
        await kit.provider.delete_snapshot(snapshot)
    with fails(SpecRejected) as caught:
        await kit.box(template=snapshot)
    assert snapshot.id in str(caught.error)


@check("I115d", needs=["snapshot.files"])
async def an_unknown_snapshot_is_refused_by_name(kit: Kit) -> None:
    name = kit.name("nowhere")
    unknown = SnapshotRef(provider=kit.subject.info.name, id=name)
    with fails(SpecRejected) as caught:
        await kit.box(template=unknown)
    assert name in str(caught.error)
    assert caught.error.remedy
