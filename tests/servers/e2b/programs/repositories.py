"""Git in a sandbox: what the SDK offers around `git`, with a remote in the sandbox."""

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio

from e2b import (
    AsyncSandbox,
    CommandExitException,
    GitUpstreamException,
    InvalidArgumentException,
    Sandbox,
)

from tests.servers.e2b.programs.expecting import raises

REMOTE = "/home/user/remote.git"


def worked_on(sandbox: Sandbox) -> None:
    """From an empty repository to one that others can clone."""
    git = sandbox.git
    git.configure_user("Ada", "ada@example.org")
    assert git.get_config("user.name") == "Ada"
    git.set_config("core.abbrev", "12")
    assert git.get_config("core.abbrev") == "12"
    git.init(REMOTE, bare=True, initial_branch="main")
    git.init("work", initial_branch="main")
    sandbox.files.write("work/note", "one\n")
    status = git.status("work")
    assert status.current_branch == "main"
    assert (status.has_untracked, status.is_clean) == (True, False)
    assert [entry.name for entry in status.file_status] == ["note"]
    git.add("work", files=["note"])
    assert git.status("work").staged_count == 1
    git.commit("work", "first", author_name="Bob", author_email="bob@example.org")
    assert git.status("work").is_clean
    log = sandbox.commands.run("git log --format='%an %ae %s'", cwd="work").stdout
    assert log == "Bob bob@example.org first\n"

    assert git.remote_get("work", "origin") is None
    git.remote_add("work", "origin", REMOTE)
    assert git.remote_get("work", "origin") == REMOTE
    with raises(GitUpstreamException):
        git.pull("work")
    git.push("work", remote="origin", branch="main", set_upstream=True)
    assert git.status("work").upstream == "origin/main"


def branched_and_taken_back(sandbox: Sandbox) -> None:
    git = sandbox.git
    git.create_branch("work", "side")
    found = git.branches("work")
    assert (sorted(found.branches), found.current_branch) == (["main", "side"], "side")
    sandbox.files.write("work/note", "two\n")
    git.add("work")
    git.restore("work", paths=["note"], staged=True, worktree=True)
    assert sandbox.files.read("work/note") == "one\n"
    git.commit("work", "nothing", allow_empty=True)
    git.reset("work", mode="hard", target="main")
    git.checkout_branch("work", "main")
    git.delete_branch("work", "side", force=True)
    assert git.branches("work").branches == ["main"]
    with raises(CommandExitException):
        git.checkout_branch("work", "side")


async def shared(sandbox: AsyncSandbox) -> None:
    """A second copy, through the other client: cloned, changed, sent, fetched."""
    git = sandbox.git
    await git.clone(REMOTE, path="copy", branch="main", depth=1)
    assert await sandbox.files.read("copy/note") == "one\n"
    assert (await git.branches("copy")).current_branch == "main"
    assert await git.remote_get("copy", "origin") == REMOTE
    await git.create_branch("copy", "theirs")
    await git.checkout_branch("copy", "main")
    await git.delete_branch("copy", "theirs")
    await sandbox.files.write("copy/second", "2\n")
    assert (await git.status("copy")).untracked_count == 1
    await git.add("copy")
    await git.restore("copy", paths=["second"], staged=True)
    await git.add("copy")
    await git.commit("copy", "second")
    assert (await git.status("copy")).ahead == 1
    await git.push("copy")
    await git.pull("work")
    assert await sandbox.files.read("work/second") == "2\n"
    await git.reset("work", mode="hard", target="HEAD~1")
    assert not await sandbox.files.exists("work/second")
    assert (await git.status("work")).behind == 1


async def set_up_again(sandbox: AsyncSandbox) -> None:
    git = sandbox.git
    await git.init("third", initial_branch="trunk")
    await git.remote_add("third", "origin", "https://example.org/x.git")
    await git.configure_user("Eve", "eve@example.org", scope="local", path="third")
    assert await git.get_config("user.name", scope="local", path="third") == "Eve"
    assert await git.get_config("user.name", scope="global") == "Ada"
    await git.set_config("core.abbrev", "9", scope="local", path="third")
    assert await git.get_config("core.abbrev", scope="local", path="third") == "9"
    with raises(InvalidArgumentException):
        await git.clone("https://example.org/x.git", password="secret")  # noqa: S106
    await git.dangerously_authenticate("ada", "token", host="example.org")
    kept = await sandbox.files.read(".git-credentials")
    assert kept == "https://ada:token@example.org\n"


def kept_for_git(sandbox: Sandbox) -> None:
    sandbox.git.clone(REMOTE, path="another")
    assert sandbox.git.status("another").is_clean
    sandbox.git.dangerously_authenticate("bob", "other", host="example.com")
    assert "bob:other@example.com" in sandbox.files.read(".git-credentials")


async def main() -> None:
    sandbox = Sandbox.create(timeout=120)
    worked_on(sandbox)
    branched_and_taken_back(sandbox)
    same = await AsyncSandbox.connect(sandbox.sandbox_id)
    await shared(same)
    await set_up_again(same)
    kept_for_git(sandbox)
    assert await same.kill()


asyncio.run(main())
