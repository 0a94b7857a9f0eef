"""Copies of a sandbox, from which others begin."""

from __future__ import annotations

import asyncio

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false
from e2b import (
    AsyncSandbox,
    Sandbox,
    SandboxException,
    SandboxNotFoundException,
    SnapshotInfo,
)

from tests.servers.e2b.programs.expecting import ask, raises


def copied() -> None:
    sandbox = Sandbox.create(timeout=60)
    sandbox.files.write("deep/note", "old")
    sandbox.commands.run("chmod 700 deep; ln -s deep/note link")
    first = sandbox.create_snapshot(name="mine")
    assert first.names == ["mine"]
    sandbox.files.write("deep/note", "new")
    second = sandbox.create_snapshot()
    assert sandbox.is_running()
    assert [copy.snapshot_id for copy in _all(sandbox)] == [
        first.snapshot_id,
        second.snapshot_id,
    ]
    for name, text in (("mine", "old"), (second.snapshot_id, "new")):
        other = Sandbox.create(name, timeout=60)
        assert other.sandbox_id != sandbox.sandbox_id
        assert other.get_info().template_id == name
        assert other.files.read("link") == text
        assert other.files.get_info("deep").mode == 0o700
        assert other.commands.run("pwd; whoami").stdout == "/home/user\nuser\n"
        other.files.write("deep/note", "its own")
        assert other.kill()
    assert sandbox.files.read("deep/note") == "new"
    assert sandbox.kill()

    assert sorted(ask("GET", "/_state")["snapshots"]) == sorted(
        [first.snapshot_id, second.snapshot_id]
    )
    for copy in (first, second):
        assert Sandbox.delete_snapshot(copy.snapshot_id)
        assert not Sandbox.delete_snapshot(copy.snapshot_id)
    with raises(SandboxException) as caught:
        Sandbox.create("mine", timeout=60)
    assert caught.error.status_code == 404


def _all(sandbox: Sandbox) -> list[SnapshotInfo]:
    pages = Sandbox.list_snapshots(sandbox_id=sandbox.sandbox_id, limit=1)
    found: list[SnapshotInfo] = []
    while pages.has_next:
        found += pages.next_items()
    return found


async def of_the_other_client() -> None:
    sandbox = await AsyncSandbox.create(timeout=60)
    await sandbox.files.write("note", "kept")
    copy = await sandbox.create_snapshot()
    pages = AsyncSandbox.list_snapshots(sandbox_id=sandbox.sandbox_id)
    assert [one.snapshot_id for one in await pages.next_items()] == [copy.snapshot_id]
    assert not pages.has_next
    assert await sandbox.kill()
    async with await AsyncSandbox.create(copy.snapshot_id, timeout=60) as other:
        assert await other.files.read("note") == "kept"
    assert await AsyncSandbox.delete_snapshot(copy.snapshot_id)


def forked() -> None:
    with Sandbox.create(timeout=60) as sandbox:
        assert [type(fork) for fork in sandbox.fork()] == [SandboxException]


async def of_none() -> None:
    sandbox = await AsyncSandbox.create(timeout=60)
    forks = await sandbox.fork(count=2)
    assert [type(fork) for fork in forks] == [SandboxException, SandboxException]
    assert await sandbox.kill()
    with raises(SandboxNotFoundException):
        await sandbox.create_snapshot()
    with raises(SandboxNotFoundException):
        await sandbox.fork()
    assert not await AsyncSandbox.delete_snapshot("none")


copied()
forked()
asyncio.run(of_the_other_client())
asyncio.run(of_none())
