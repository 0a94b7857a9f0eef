"""Connections to a supervisor are used again, and only when they are at rest."""

from __future__ import annotations

import gc
import json
import warnings
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from sandbook.api import Settings
from sandbook.errors import SandboxLost
from sandbook_local.connection import Ended, Line
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import argv, run, text_of, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def line(sandbox: LocalSandbox, settings: Settings) -> Line:
    """A line to the supervisor of `sandbox`."""
    return Line(settings.state / "sandboxes" / sandbox.ref.id)


def sockets() -> set[str]:
    """The sockets that this process has open, by their numbers."""
    links = (_target(link) for link in Path("/proc/self/fd").iterdir())
    return {link for link in links if link.startswith("socket:")}


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


async def test_requests_one_after_the_other_share_a_connection(line: Line) -> None:
    before = sockets()
    await line.request({"do": "info"})
    first = sockets() - before
    assert len(first) == 1
    for _ in range(5):
        await line.request({"do": "info"})
    assert sockets() - before == first
    line.close()
    assert sockets() <= before


async def test_commands_one_after_the_other_share_a_connection(
    sandbox: LocalSandbox,
) -> None:
    assert await text_of(sandbox, "echo 1") == "1\n"
    before = sockets()
    for number in range(5):
        assert await text_of(sandbox, f"echo {number}") == f"{number}\n"
        process = await sandbox.start(replace(argv("true"), key=f"{number}"))
        assert [chunk async for chunk in process.output()] == []
        assert (await process.wait()).code == 0
    assert sockets() <= before


async def test_requests_at_once_do_not_mix(line: Line) -> None:
    async with line.connect() as one, line.connect() as two:
        for connection in (one, two):
            await connection.send(line.ask({"do": "info"}))
        answers = [(await each.receive()).message for each in (two, one)]
    assert answers[0]["id"] == answers[1]["id"]
    assert one is not two


async def test_an_output_left_in_the_middle_is_not_read_by_the_next(
    sandbox: LocalSandbox,
) -> None:
    process = await sandbox.start(
        replace(argv("sh", "-c", "seq 100000; sleep 600"), key="long")
    )
    async for chunk in process.output():
        assert chunk.data
        break
    assert await text_of(sandbox, "echo mine") == "mine\n"
    await process.signal("KILL")
    assert (await process.wait()).code == 137


async def test_a_cancelled_wait_leaves_nothing_behind_for_the_next(
    sandbox: LocalSandbox,
) -> None:
    with anyio.move_on_after(0.2):
        await run(sandbox, argv("sleep", "600"))
    assert await text_of(sandbox, "echo mine") == "mine\n"


async def test_a_connection_that_was_hung_up_on_is_not_used(
    line: Line, sandbox: LocalSandbox, settings: Settings
) -> None:
    await line.request({"do": "info"})
    await LocalProvider(settings).destroy(sandbox.ref)
    with pytest.raises(Ended):
        await line.request({"do": "info"})
    with pytest.raises(SandboxLost):
        await run(sandbox, argv("true"))


async def test_who_forgets_to_hang_up_is_not_warned(line: Line) -> None:
    before = sockets()
    other = Line(line.folder)
    await other.request({"do": "info"})
    assert sockets() - before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del other
        gc.collect()
    assert not sockets() - before


async def test_a_supervisor_keeps_nothing_of_requests_that_are_over(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    record = settings.state / "sandboxes" / sandbox.ref.id / "sandbox.json"
    pid = _supervisor(record)
    await text_of(sandbox, "echo 1")
    before = _descriptors(pid)
    for number in range(20):
        await text_of(sandbox, f"echo {number}")
    await until(lambda: _descriptors(pid) <= before)


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _supervisor(record: Path) -> int:
    told = json.loads(record.read_text())["supervisor"]["pid"]
    assert isinstance(told, int)
    return told
