"""Terminals are typed into, resized, left, joined again and closed."""

from __future__ import annotations

import asyncio
import threading

from e2b import (
    AsyncSandbox,
    CommandExitException,
    PtySize,
    Sandbox,
    SandboxException,
    TimeoutException,
)

from tests.servers.e2b.programs.expecting import living, raises, until, until_async


async def typed(sandbox: AsyncSandbox) -> None:
    shown = bytearray()
    pty = await sandbox.pty.create(
        PtySize(rows=10, cols=50),
        shown.extend,
        cwd="/tmp",
        envs={"FLAVOUR": "sweet"},
        timeout=0,
    )
    await sandbox.pty.send_stdin(
        pty.pid, b"stty size; pwd; echo $FLAVOUR $TERM; test -t 0 && echo is a tty\n"
    )
    await until_async(lambda: b"\nis a tty" in shown)
    for text in (b"10 50\r\n", b"\n/tmp\r\n", b"\nsweet xterm-256color\r\n"):
        assert text in shown, shown
    await sandbox.pty.resize(pty.pid, PtySize(rows=20, cols=60))
    await sandbox.pty.send_stdin(pty.pid, b"stty size\n")
    await until_async(lambda: b"20 60\r\n" in shown)
    assert pty.pid in [one.pid for one in await sandbox.commands.list()]
    with raises(SandboxException):
        await sandbox.commands.send_stdin(pty.pid, "not here")
    with raises(SandboxException):
        await sandbox.commands.close_stdin(pty.pid)
    await sandbox.pty.send_stdin(pty.pid, b"exit 7\n")
    with raises(CommandExitException) as caught:
        await pty.wait()
    assert caught.error.exit_code == 7
    assert caught.error.stdout == ""


async def left_and_joined(sandbox: AsyncSandbox) -> None:
    before, after = bytearray(), bytearray()
    pty = await sandbox.pty.create(PtySize(rows=24, cols=80), before.extend, timeout=0)
    await sandbox.pty.send_stdin(pty.pid, b"place=here\n")
    await until_async(lambda: b"place=here" in before)
    await pty.disconnect()
    joined = await sandbox.pty.connect(pty.pid, after.extend, timeout=0)
    async with sandbox.pty.stream_input(pty.pid) as keys:
        await keys.send(b"echo it is $place\n")
        await until_async(lambda: b"it is here" in after)
    await sandbox.pty.send_stdin(pty.pid, b"\x04")
    assert (await joined.wait()).exit_code == 0


async def killed(sandbox: AsyncSandbox) -> None:
    pty = await sandbox.pty.create(PtySize(rows=24, cols=80), lambda _: None, timeout=0)
    assert pty.pid in living(sandbox.sandbox_id)
    assert await sandbox.pty.kill(pty.pid)
    with raises(CommandExitException) as caught:
        await pty.wait()
    assert caught.error.exit_code == -1
    await until_async(lambda: pty.pid not in living(sandbox.sandbox_id))
    assert not await sandbox.pty.kill(pty.pid)
    short = await sandbox.pty.create(
        PtySize(rows=24, cols=80), lambda _: None, timeout=1
    )
    with raises(TimeoutException):
        await short.wait()


def synchronously(sandbox: Sandbox) -> None:
    pty = sandbox.pty.create(PtySize(rows=24, cols=80), timeout=0)
    shown = bytearray()
    reading = threading.Thread(target=lambda: pty.wait(on_pty=shown.extend))
    reading.start()
    sandbox.pty.resize(pty.pid, PtySize(rows=20, cols=60))
    sandbox.pty.stream_input(pty.pid, [b"stty ", b"size\n"])
    until(lambda: b"20 60\r\n" in shown)
    sandbox.pty.send_stdin(pty.pid, b"echo $((6 * 7)); exit 0\n")
    reading.join(30)
    assert not reading.is_alive()
    assert b"42\r\n" in shown


def left_and_killed(sandbox: Sandbox) -> None:
    pty = sandbox.pty.create(PtySize(rows=24, cols=80), timeout=0)
    pty.disconnect()
    assert pty.pid in living(sandbox.sandbox_id)
    joined = sandbox.pty.connect(pty.pid, timeout=0)
    assert joined.pid == pty.pid
    assert sandbox.pty.kill(pty.pid)
    with raises(CommandExitException):
        joined.wait()
    assert not sandbox.pty.kill(pty.pid)


async def main() -> None:
    sandbox = Sandbox.create(timeout=120)
    synchronously(sandbox)
    left_and_killed(sandbox)
    same = await AsyncSandbox.connect(sandbox.sandbox_id)
    await typed(same)
    await left_and_joined(same)
    await killed(same)
    assert await same.kill()


asyncio.run(main())
