"""What becomes of orders that overtake one another, or that nobody takes."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from sandbook.api import PtyRequest, Settings
from sandbook.errors import Busy, SandboxLost
from sandbook_local import folders
from sandbook_local.connection import request
from sandbook_local.process import LocalProcess
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import argv, processes_with, run, text_of, until

pytestmark = pytest.mark.anyio

_REMEMBERED = 256


def _folder(settings: Settings, sandbox: LocalSandbox) -> Path:
    return settings.state / "sandboxes" / sandbox.ref.id


def _start(key: str, call: str, *program: str) -> dict[str, object]:
    order: dict[str, object] = {"do": "start", "key": key, "call": call}
    order |= {"argv": list(program), "env": {}, "timeout": None, "grace": 1.0}
    return order | {"head": 100, "tail": 100}


async def test_a_start_that_arrives_after_its_stop_starts_nothing(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    folder = _folder(settings, sandbox)
    mark = f"600.{uuid.uuid4().int % 10**12}"
    await request(folder, {"do": "stop", "key": "late", "call": "first"})
    late = await request(folder, _start("late", "first", "sleep", mark))
    assert late.message["refused"] == "stopped"
    assert await sandbox.find("late") is None
    assert processes_with(mark) == []
    # The key itself is free: only that one call was given up.
    again = await request(folder, _start("late", "second", "sleep", mark))
    assert again.message["known"] is True
    await until(lambda: len(processes_with(mark)) == 1)


async def test_only_so_many_stops_are_remembered(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    folder = _folder(settings, sandbox)
    for number in range(_REMEMBERED + 1):
        await request(folder, {"do": "stop", "key": "k", "call": f"call-{number}"})
    newest = await request(folder, _start("new", f"call-{_REMEMBERED}", "true"))
    assert newest.message["refused"] == "stopped"
    oldest = await request(folder, _start("old", "call-0", "true"))
    assert oldest.message["known"] is True


@pytest.mark.parametrize("delay", [0.0, 0.0005, 0.001, 0.002, 0.004])
async def test_a_cancelled_start_leaves_nothing_running_whenever_it_is(
    sandbox: LocalSandbox, delay: float
) -> None:
    mark = f"600.{uuid.uuid4().int % 10**12}"
    terminal = PtyRequest(argv=("sleep", mark), key="terminal", cols=80, rows=24)
    with anyio.move_on_after(delay):
        await (await sandbox.start(argv("sleep", mark))).signal("KILL")
    with anyio.move_on_after(delay):
        await (await sandbox.pty(terminal)).signal("KILL")
    await anyio.sleep(0.3)
    await until(lambda: processes_with(mark) == [])


def _init_of(folder: Path) -> int:
    """The pid of a sandbox's init, here: the supervisor's child with a filter."""
    found = folders.read_supervisor(folder)
    assert found is not None
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            lines = (entry / "status").read_text().splitlines()
        except OSError:
            continue  # it ended while we looked
        if f"PPid:\t{found[0]}" in lines and "Seccomp:\t2" in lines:
            return int(entry.name)
    raise AssertionError("no init")


@asynccontextmanager
async def _frozen(pid: int) -> AsyncGenerator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_orders_do_not_pile_up_when_nobody_takes_them(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    busy: list[Busy] = []
    codes: list[int | None] = []

    async def start() -> None:
        try:
            codes.append((await run(sandbox, argv("true"))).code)
        except Busy as error:
            busy.append(error)

    init = _init_of(_folder(settings, sandbox))
    async with anyio.create_task_group() as group, _frozen(init):
        for _ in range(900):
            group.start_soon(start)
        await until(lambda: bool(busy))
        # It still answers.
        assert await sandbox.find("unknown") is None
    assert busy[0].sent == "no"
    assert busy[0].remedy
    assert codes
    assert set(codes) == {0}
    assert len(codes) + len(busy) == 900
    assert await text_of(sandbox, "echo on") == "on\n"


_MAKE = """
import asyncio, resource, sys
from pathlib import Path
from sandbook.api import SandboxSpec, Settings
from sandbook_local.provider import LocalProvider

resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
settings = Settings(state=Path(sys.argv[1]), cache=Path(sys.argv[1]), values={})
made = LocalProvider(settings).create(SandboxSpec(network="off"), key="few")
print(asyncio.run(made).ref.id)
"""


async def test_more_programs_than_a_supervisor_has_descriptors_for_are_refused(
    settings: Settings, provider: LocalProvider
) -> None:
    made = await anyio.run_process([sys.executable, "-c", _MAKE, str(settings.state)])
    found = [info async for info in provider.list({})]
    assert [info.ref.id for info in found] == [made.stdout.decode().strip()]
    sandbox = await provider.attach(found[0].ref)
    started: list[LocalProcess] = []
    await _start_until_refused(sandbox, started)
    assert 8 < len(started) < 256
    await started[0].signal("KILL")
    await started[0].wait()
    await until(lambda: _takes_more(sandbox))


async def _start_until_refused(
    sandbox: LocalSandbox, started: list[LocalProcess]
) -> None:
    for _ in range(256):
        try:
            started.append(await sandbox.start(argv("sleep", "600")))
        except Busy:
            return


async def _takes_more(sandbox: LocalSandbox) -> bool:
    try:
        return await text_of(sandbox, "echo on") == "on\n"
    except Busy:
        return False


async def test_a_sandbox_whose_init_takes_no_orders_at_all_ends(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    folder = _folder(settings, sandbox)
    mark = f"600.{uuid.uuid4().int % 10**12}"
    process = await sandbox.start(argv("sleep", mark))
    init = _init_of(folder)
    os.kill(init, signal.SIGSTOP)

    async def signal_without_end() -> None:
        for _ in range(20_000):
            await process.signal("INT")

    with pytest.raises(SandboxLost):
        await signal_without_end()
    await until(lambda: processes_with(mark) == [])
    await until(lambda: not folder.exists())
