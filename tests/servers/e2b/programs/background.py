"""Commands that are listed, killed, written to, left and joined again."""

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import threading

from e2b import (
    AsyncSandbox,
    CommandExitException,
    NotFoundException,
    Sandbox,
    SandboxException,
    SandboxNotRunningException,
)

from tests.servers.e2b.programs.expecting import raises, until, until_async


def listed_and_killed(sandbox: Sandbox) -> None:
    handle = sandbox.commands.run(
        "sleep 300; true", background=True, envs={"A": "1"}, cwd="/tmp"
    )
    (found,) = [one for one in sandbox.commands.list() if one.pid == handle.pid]
    assert (found.cmd, found.args) == ("/bin/bash", ["-l", "-c", "sleep 300; true"])
    assert (found.envs, found.cwd, found.tag) == ({"A": "1"}, "/tmp", None)
    assert sandbox.commands.kill(handle.pid)
    with raises(CommandExitException) as caught:
        handle.wait()
    assert (caught.error.exit_code, caught.error.error) == (-1, "signal: killed")
    until(lambda: handle.pid not in [one.pid for one in sandbox.commands.list()])
    assert not sandbox.commands.kill(handle.pid)
    assert not handle.kill()


def spoken_to(sandbox: Sandbox) -> None:
    handle = sandbox.commands.run("cat; echo over", background=True, stdin=True)
    sandbox.commands.send_stdin(handle.pid, "one\n")
    handle.send_stdin(b"two\n")
    handle.close_stdin()
    assert handle.wait().stdout == "one\ntwo\nover\n"
    with raises(NotFoundException):
        sandbox.commands.send_stdin(handle.pid, "too late")
    deaf = sandbox.commands.run("sleep 300; true", background=True)
    with raises(SandboxException):
        deaf.send_stdin("nobody reads")
    assert deaf.kill()


def spoken_to_in_order_and_left(sandbox: Sandbox) -> None:
    handle = sandbox.commands.run("cat", background=True, stdin=True)
    handle.disconnect()
    joined = sandbox.commands.connect(handle.pid)
    lines = (f"{number}\n".encode() for number in range(50))
    sandbox.commands.stream_input(joined.pid, lines)
    sandbox.commands.close_stdin(joined.pid)
    assert joined.wait().stdout == "".join(f"{number}\n" for number in range(50))


async def spoken_to_in_order(sandbox: AsyncSandbox) -> None:
    handle = await sandbox.commands.run("cat", background=True, stdin=True)
    async with sandbox.commands.stream_input(handle.pid) as pen:
        for number in range(200):
            await pen.send(f"{number}\n")
    await handle.close_stdin()
    result = await handle.wait()
    assert result.stdout == "".join(f"{number}\n" for number in range(200))
    pen = sandbox.commands.stream_input(999_999)
    with raises(NotFoundException):
        await pen.close()


async def left_and_joined(sandbox: AsyncSandbox) -> None:
    """What it prints while nobody listens is lost."""
    loop = "while [ ! -e {0} ]; do sleep 0.05; done; echo {0}"
    handle = await sandbox.commands.run(
        "; ".join(loop.format(word) for word in ("first", "second", "third")),
        background=True,
    )
    await sandbox.files.write("first", "")
    await until_async(lambda: handle.stdout == "first\n")
    await handle.disconnect()
    await sandbox.files.write("second", "")
    # It has printed when it looks for the third.
    await sandbox.commands.run("sleep 0.5")
    joined = await sandbox.commands.connect(handle.pid)
    assert joined.pid == handle.pid
    await sandbox.files.write("third", "")
    assert (await joined.wait()).stdout == "third\n"
    with raises(NotFoundException):
        await sandbox.commands.connect(handle.pid)


async def heard_by_two(sandbox: AsyncSandbox) -> None:
    handle = await sandbox.commands.run(
        "read line; echo $line", background=True, stdin=True
    )
    other = await sandbox.commands.connect(handle.pid)
    await handle.send_stdin("hello\n")
    assert (await handle.wait()).stdout == "hello\n"
    assert (await other.wait()).stdout == "hello\n"


async def killed_by_its_pid(sandbox: AsyncSandbox) -> None:
    handle = await sandbox.commands.run("sleep 300; true", background=True)
    assert await sandbox.commands.kill(handle.pid)
    with raises(CommandExitException):
        await handle.wait()
    assert not await sandbox.commands.kill(handle.pid)


def killed_with_its_sandbox() -> None:
    sandbox = Sandbox.create(timeout=60)
    handle = sandbox.commands.run("sleep 300; true", background=True)
    threading.Timer(0.3, sandbox.kill).start()
    with raises(SandboxNotRunningException):
        handle.wait()
    with raises(SandboxNotRunningException):
        sandbox.commands.run("true")


async def main() -> None:
    sandbox = Sandbox.create(timeout=120)
    listed_and_killed(sandbox)
    spoken_to(sandbox)
    spoken_to_in_order_and_left(sandbox)
    same = await AsyncSandbox.connect(sandbox.sandbox_id)
    await spoken_to_in_order(same)
    await left_and_joined(same)
    await heard_by_two(same)
    await killed_by_its_pid(same)
    killed_with_its_sandbox()
    assert await same.kill()


asyncio.run(main())
