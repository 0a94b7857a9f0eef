"""Sandboxes stand still and go on, with what ran in them or without it."""

from __future__ import annotations

import asyncio
import uuid

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false
from e2b import (
    AsyncSandbox,
    InvalidArgumentException,
    NotFoundException,
    Sandbox,
    SandboxNotRunningException,
    SandboxQuery,
    SandboxState,
)

from tests.servers.e2b.programs.expecting import ask, raises, until, until_async


def with_its_memory() -> None:
    mark = {"mark": uuid.uuid4().hex}
    sandbox = Sandbox.create(timeout=60, metadata=mark)
    text = "n=0; while :; do n=$((n + 1)); echo $n >count; sleep 0.05; done"
    counting = sandbox.commands.run(text, background=True, timeout=0)
    until(lambda: sandbox.files.exists("count"))
    assert sandbox.pause()
    assert not sandbox.pause()
    with raises(SandboxNotRunningException):
        counting.wait()
    with raises(SandboxNotRunningException):
        sandbox.files.read("count")
    assert not sandbox.is_running()
    (found,) = Sandbox.list(
        SandboxQuery(metadata=mark, state=[SandboxState.PAUSED])
    ).next_items()
    assert found.sandbox_id == sandbox.sandbox_id
    assert sandbox.get_info().state == SandboxState.PAUSED

    again = Sandbox.connect(sandbox.sandbox_id, timeout=60)
    assert again.get_info().state == SandboxState.RUNNING
    first = int(again.files.read("count") or 0)
    until(lambda: int(again.files.read("count") or 0) > first)
    assert counting.pid in [one.pid for one in again.commands.list()]
    assert again.commands.kill(counting.pid)
    assert again.pause()
    assert sandbox.kill(), "a paused one can be killed"
    assert not sandbox.kill()


async def without_its_memory() -> None:
    sandbox = await AsyncSandbox.create(timeout=60)
    await sandbox.files.write("kept", "here")
    left = await sandbox.commands.run("sleep 300; true", background=True, timeout=0)
    assert await sandbox.pause(mode="filesystem")
    with raises(SandboxNotRunningException):
        await left.wait()
    await sandbox.connect(timeout=60)
    assert await sandbox.files.read("kept") == "here"
    await until_async(lambda: _is_idle(sandbox))
    with raises(NotFoundException):
        await sandbox.commands.connect(left.pid)
    left = await sandbox.commands.run("sleep 300; true", background=True, timeout=0)
    assert await sandbox.pause()
    with raises(SandboxNotRunningException):
        await left.wait()
    await sandbox.connect(timeout=60, on_resume="reboot")
    await until_async(lambda: _is_idle(sandbox))
    assert await sandbox.kill()


async def _is_idle(sandbox: AsyncSandbox) -> bool:
    return not await sandbox.commands.list()


async def at_the_end_of_its_life() -> None:
    sandbox = await AsyncSandbox.create(timeout=60, lifecycle={"on_timeout": "pause"})
    lifecycle = (await sandbox.get_info()).lifecycle
    assert lifecycle is not None
    assert lifecycle.get("on_timeout") == "pause"
    await sandbox.files.write("kept", "here")
    await sandbox.set_timeout(1)
    await until_async(lambda: _is_paused(sandbox))
    assert sandbox.sandbox_id in ask("GET", "/_state")["machines"]
    await sandbox.connect(timeout=60)
    assert await sandbox.files.read("kept") == "here"
    assert await sandbox.kill()


async def wakes_when_it_is_asked() -> None:
    sandbox = await AsyncSandbox.create(
        timeout=60, lifecycle={"on_timeout": "pause", "auto_resume": True}
    )
    assert await sandbox.pause()
    assert await _is_paused(sandbox)
    run = await sandbox.commands.run("echo awake")
    assert run.stdout == "awake\n"
    assert not await _is_paused(sandbox)
    assert await sandbox.kill()
    with raises(InvalidArgumentException):
        await AsyncSandbox.create(lifecycle={"on_timeout": "kill", "auto_resume": True})


async def _is_paused(sandbox: AsyncSandbox) -> bool:
    return (await sandbox.get_info()).state == SandboxState.PAUSED


def time_stands_still() -> None:
    """What a command has left of its time is what it has when all goes on."""
    sandbox = Sandbox.create(timeout=60)
    left = sandbox.commands.run("sleep 300; true", background=True, timeout=3)
    assert sandbox.pause()
    with raises(SandboxNotRunningException):
        left.wait()
    asyncio.run(asyncio.sleep(4))
    sandbox.connect(timeout=60)
    assert left.pid in [one.pid for one in sandbox.commands.list()]
    until(lambda: not sandbox.commands.list())
    assert sandbox.kill()


async def main() -> None:
    await without_its_memory()
    await at_the_end_of_its_life()
    await wakes_when_it_is_asked()


with_its_memory()
time_stands_still()
asyncio.run(main())
