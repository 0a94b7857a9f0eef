"""The SDK's git module, which is commands beneath."""

from __future__ import annotations

import asyncio

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false
from e2b import AsyncSandbox, CommandExitException, InvalidArgumentException, Sandbox

from tests.servers.e2b.programs.expecting import raises


def committed(sandbox: Sandbox) -> None:
    git = sandbox.git
    git.init("/home/user/repo", initial_branch="main")
    git.configure_user("Ann", "ann@example.org", scope="local", path="/home/user/repo")
    assert git.get_config("user.name", scope="local", path="/home/user/repo") == "Ann"
    sandbox.files.write("repo/note", "one\n")
    status = git.status("/home/user/repo")
    assert status.current_branch == "main"
    assert [one.name for one in status.file_status] == ["note"]
    assert not status.is_clean
    git.add("/home/user/repo")
    git.commit("/home/user/repo", "first")
    assert git.status("/home/user/repo").is_clean
    log = sandbox.commands.run("git log --format='%an %s'", cwd="repo")
    assert log.stdout == "Ann first\n"


def branched(sandbox: Sandbox) -> None:
    git = sandbox.git
    git.create_branch("/home/user/repo", "side")
    assert git.branches("/home/user/repo").current_branch == "side"
    sandbox.files.write("repo/note", "two\n")
    git.add("/home/user/repo", files=["note"])
    git.reset("/home/user/repo", mode="hard")
    assert sandbox.files.read("repo/note") == "one\n"
    git.checkout_branch("/home/user/repo", "main")
    git.delete_branch("/home/user/repo", "side", force=True)
    assert git.branches("/home/user/repo").branches == ["main"]


async def cloned(sandbox: AsyncSandbox) -> None:
    await sandbox.commands.run("git clone -q --bare repo origin.git")
    await sandbox.git.remote_add("/home/user/repo", "origin", "/home/user/origin.git")
    found = await sandbox.git.remote_get("/home/user/repo", "origin")
    assert found == "/home/user/origin.git"
    await sandbox.files.write("repo/note", "three\n")
    await sandbox.git.add("/home/user/repo")
    await sandbox.git.commit("/home/user/repo", "second")
    await sandbox.git.push("/home/user/repo", remote="origin", branch="main")
    await sandbox.git.clone("/home/user/origin.git", "/home/user/copy")
    assert await sandbox.files.read("copy/note") == "three\n"
    with raises(CommandExitException):
        await sandbox.git.status("/home/user/nowhere")
    with raises(InvalidArgumentException):
        await sandbox.git.configure_user("", "")


async def main() -> None:
    sandbox = Sandbox.create(timeout=120)
    committed(sandbox)
    branched(sandbox)
    same = await AsyncSandbox.connect(sandbox.sandbox_id)
    await cloned(same)
    assert await same.kill()


asyncio.run(main())
