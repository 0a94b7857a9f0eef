"""Paused local sandboxes: everything stops, and goes on where it was."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial

import anyio
import pytest

from sandbook.api import PtyRequest, SandboxSpec
from sandbook.errors import SandboxLost, SpecRejected
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import Create, run, shell, text_of, until

pytestmark = pytest.mark.anyio

COUNTER = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"


async def _state(provider: LocalProvider, box: LocalSandbox) -> str:
    [info] = [info async for info in provider.list({}) if info.ref == box.ref]
    assert (await box.info()).state == info.state
    return info.state


async def _resume(provider: LocalProvider, box: LocalSandbox) -> LocalSandbox:
    return await provider.attach(box.ref, resume_paused=True)


async def test_what_runs_stops_and_goes_on_where_it_was(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    process = await sandbox.start(shell(COUNTER))
    seen: list[bytes] = []

    async def read() -> None:
        async for chunk in process.output():
            seen.append(chunk.data)  # noqa: PERF401 (as it comes)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await until(lambda: len(seen) > 3)
        await sandbox.pause()
        assert await _state(provider, sandbox) == "paused"
        await anyio.sleep(0.1)  # what was written before may still be on its way
        count = len(seen)
        await anyio.sleep(0.5)
        assert len(seen) == count
        await (await _resume(provider, sandbox)).aclose()
        assert await _state(provider, sandbox) == "running"
        await until(lambda: len(seen) > count + 3)
        await process.signal("KILL")
    numbers = b"".join(seen).split()
    assert numbers == [b"%d" % (i + 1) for i in range(len(numbers))]


async def test_everything_in_it_stops_also_what_is_just_made(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    # Forks as fast as it can, in sessions of their own, and writes the time.
    text = (
        "import os, time\n"
        "for i in range(100000):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        "            open('last', 'w').write(str(time.time()))\n"
        "            os._exit(0)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    await sandbox.start(shell(f'python3 -c "{text}"'))
    await until(lambda: _exists(sandbox, "last"))
    for _ in range(5):
        await sandbox.pause()
        paused_at = time.time()
        await anyio.sleep(0.2)
        # It goes on at once, before we hear of it.
        resumed_at = time.time()
        sandbox = await _resume(provider, sandbox)
        written = await sandbox.files.read("last")
        assert not paused_at < float(written or 0) < resumed_at
        await until(partial(_is_later, sandbox, resumed_at))
        await sandbox.aclose()


async def _exists(box: LocalSandbox, path: str) -> bool:
    return (await run(box, f"test -s {path}")).code == 0


async def _is_later(box: LocalSandbox, moment: float) -> bool:
    text = (await run(box, "cat last")).stdout.data()
    return bool(text) and float(text) > moment


async def test_a_paused_sandbox_is_not_attached_to_without_saying_so(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    await sandbox.pause()
    with pytest.raises(SpecRejected, match="is paused") as caught:
        await provider.attach(sandbox.ref)
    assert "resume_paused=True" in caught.value.remedy
    assert sandbox.ref.id in caught.value.remedy
    assert await _state(provider, sandbox) == "paused"


async def test_what_would_have_to_run_is_refused_while_it_is_paused(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    process = await sandbox.start(shell("echo before; sleep 300", key="known"))
    await sandbox.files.write("a", b"1")
    await sandbox.pause()
    for refused in (
        sandbox.start(shell("true")),
        sandbox.files.read("a"),
        sandbox.pty(PtyRequest(argv=("sh",), key="t")),
    ):
        with pytest.raises(SpecRejected, match="is paused"):
            await refused
    found = await sandbox.find("known")
    assert found is not None
    assert found.pid == process.pid
    again = await _resume(provider, sandbox)
    assert await again.files.read("a") == b"1"
    assert await text_of(again, "echo on") == "on\n"
    await again.aclose()


async def test_time_outs_do_not_run_on_while_it_is_paused(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    process = await sandbox.start(shell("sleep 1.2; echo done", timeout=2.5))
    await sandbox.pause()
    await anyio.sleep(3)
    await (await _resume(provider, sandbox)).aclose()
    result = await process.wait()
    # `sleep` itself has a clock that nobody stops.
    assert (result.end, result.code) == ("exited", 0)
    assert result.seconds < 2.5
    late = await sandbox.start(shell("sleep 300", timeout=1.0))
    await sandbox.pause()
    await (await _resume(provider, sandbox)).aclose()
    assert (await late.wait()).end == "timed_out"


async def test_the_life_of_a_paused_sandbox_goes_on(
    create: Create, provider: LocalProvider
) -> None:
    box = await create(lifetime=2.0)
    await box.pause()
    assert [info async for info in provider.list({})]
    await until(lambda: _is_gone(provider), within=30)
    with pytest.raises(SandboxLost):
        await box.info()


async def _is_gone(provider: LocalProvider) -> bool:
    return not [info async for info in provider.list({})]


async def test_a_paused_sandbox_is_destroyed_without_waking_it(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    text = "trap 'echo woken' CONT; echo ready; while :; do sleep 0.02; done"
    process = await sandbox.start(shell(text))
    seen: list[bytes] = []

    async def read() -> None:
        with suppress(SandboxLost):
            async for chunk in process.output():
                seen.append(chunk.data)  # noqa: PERF401 (as it comes)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await until(lambda: b"ready" in b"".join(seen))
        await sandbox.pause()
        await (await _resume(provider, sandbox)).aclose()
        await until(lambda: b"woken" in b"".join(seen))
        await sandbox.pause()
        assert await provider.destroy(sandbox.ref) == "destroyed"
    assert b"".join(seen).count(b"woken") == 1


async def test_a_paused_command_can_be_killed(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    process = await sandbox.start(shell("sleep 300 & sleep 300"))
    await sandbox.pause()
    assert await process.signal("KILL")
    with anyio.fail_after(30):
        result = await process.wait()
    assert (result.end, result.code) == ("signalled", 137)
    await (await _resume(provider, sandbox)).aclose()


async def test_what_was_stopped_before_stays_stopped(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    await sandbox.start(
        shell("sleep 301 & echo $! >one; sleep 302 & echo $! >two; wait")
    )
    await until(lambda: _exists(sandbox, "two"))
    await text_of(sandbox, "kill -STOP $(cat one)")
    states = "for f in one two; do cut -d' ' -f3 /proc/$(cat $f)/stat; done"
    assert await text_of(sandbox, states) == "T\nS\n"
    await sandbox.pause()
    again = await _resume(provider, sandbox)
    assert await text_of(again, states) == "T\nS\n"
    await again.aclose()


async def test_a_shell_in_a_terminal_does_not_see_that_it_was_paused(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    pty = await sandbox.pty(
        PtyRequest(argv=("bash", "--norc", "-i"), key="t", env={"PS1": "> "})
    )
    shown = b""

    async def read() -> None:
        nonlocal shown
        async for chunk in pty.output():
            shown += chunk.data

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await until(lambda: b"> " in shown)
        await pty.send(b"sleep 2; echo en''d\n")
        await until(lambda: b"sleep 2" in shown)
        await anyio.sleep(0.3)
        for _ in range(10):
            await sandbox.pause()
            await (await _resume(provider, sandbox)).aclose()
        await until(lambda: b"end" in shown)
        await pty.send(b"exit\n")
    assert b"Stopped" not in shown, shown


async def test_pausing_twice_and_going_on_twice_change_nothing(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    await sandbox.pause()
    await sandbox.pause()
    again = await _resume(provider, sandbox)
    await (await _resume(provider, sandbox)).aclose()
    assert await text_of(again, "echo on") == "on\n"
    await again.aclose()


async def test_a_create_with_the_same_key_lets_it_go_on(
    provider: LocalProvider,
) -> None:
    spec = SandboxSpec(network="off")
    box = await provider.create(spec, key="same")
    await box.pause()
    again = await provider.create(spec, key="same")
    assert again.ref == box.ref
    assert await text_of(again, "echo on") == "on\n"
    await again.aclose()


async def test_an_extended_life_counts_while_it_is_paused(
    create: Create, provider: LocalProvider
) -> None:
    box = await create(lifetime=60.0)
    await box.pause()
    end = await box.extend(600.0)
    assert end is not None
    [info] = [info async for info in provider.list({})]
    assert info.state == "paused"
    assert info.expires_at is not None
    assert abs((info.expires_at - end).total_seconds()) < 1
