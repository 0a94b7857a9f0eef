"""Files and the way out of a whole sandbox."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from sandbook.api import Resources
from sandbook.errors import AccessDenied, ConnectionLost, FileMissing, NoSpace
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import Create, run, text_of

pytestmark = pytest.mark.anyio

MIB = 1 << 20


@pytest.fixture
async def create(create: Create) -> AsyncIterator[Create]:
    """Makes sandboxes that are closed, and their file servers with them."""
    async with AsyncExitStack() as stack:

        async def make(**fields: object) -> LocalSandbox:
            sandbox = await create(**fields)
            stack.push_async_callback(sandbox.aclose)
            return sandbox

        yield make


async def test_what_is_written_is_what_commands_read_and_the_reverse(
    sandbox: LocalSandbox,
) -> None:
    await sandbox.files.write("in/$x 'y'\n", b"\x00\xff")
    shown = await text_of(sandbox, "cd in && od -An -tx1 -- *")
    assert shown.split() == ["00", "ff"]
    await text_of(sandbox, "printf 'a\\200' > 'out put'; ln -s 'out put' link")
    assert await sandbox.files.read("link") == b"a\x80"


async def test_relative_paths_start_where_commands_start(sandbox: LocalSandbox) -> None:
    await sandbox.files.write("f", b"")
    await sandbox.files.write("~/g", b"")
    folder = (await text_of(sandbox, "pwd; ls f >&2")).strip()
    assert (await sandbox.files.stat("f")).path == f"{folder}/f"
    home = (await text_of(sandbox, "ls ~/g >&2; echo ~")).strip()
    assert sandbox.home == home
    assert (await sandbox.files.stat("~/g")).path == f"{home}/g"


async def test_a_written_program_runs(sandbox: LocalSandbox) -> None:
    await sandbox.files.write("run", b"#!/bin/sh\necho ran\n", mode=0o755)
    assert await text_of(sandbox, "./run") == "ran\n"


async def test_the_system_of_a_sandbox_is_not_written(sandbox: LocalSandbox) -> None:
    for path in ("/usr/x", "/etc/passwd", "/x", "/proc/sys/kernel/core_pattern"):
        with pytest.raises((AccessDenied, FileMissing)):
            await sandbox.files.write(path, b"x")
    with pytest.raises(FileMissing):
        await sandbox.files.read("/etc/shadow")


@pytest.mark.parametrize(
    "target",
    ["/proc/1/root/etc/shadow", "/proc/self/fd/0", "/proc/self/exe", "/proc/self/mem"],
)
async def test_a_planted_link_leads_nowhere(
    sandbox: LocalSandbox, tmp_path: Path, target: str
) -> None:
    await text_of(sandbox, f"mkdir d; ln -s {target} d/evil; echo ok > d/fine")
    for attempt in (
        sandbox.files.read("d/evil"),
        sandbox.files.write("d/evil", b"x"),
        sandbox.files.download("d/evil", tmp_path / "evil"),
    ):
        with pytest.raises((AccessDenied, FileMissing)):
            await attempt
    moved = await sandbox.files.download("d", tmp_path / "d")
    assert [path for path, _ in moved.skipped] == ["evil"]
    assert (tmp_path / "d/fine").read_text() == "ok\n"


async def test_the_disk_limit_is_said_as_such(create: Create) -> None:
    sandbox = await create(resources=Resources(disk=4 * MIB))

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(MIB)

    with pytest.raises(NoSpace), anyio.fail_after(60):
        await sandbox.files.write("f", endless())
    assert [entry async for entry in sandbox.files.list(".")] == []
    assert await sandbox.files.write("f", b"fits again") == 10


async def test_a_file_moves_from_the_work_folder_to_tmp(sandbox: LocalSandbox) -> None:
    await sandbox.files.write("f", b"data")
    await sandbox.files.rename("f", "/tmp/there")
    assert await text_of(sandbox, "cat /tmp/there; ls") == "data"


async def test_many_files_at_once(sandbox: LocalSandbox) -> None:
    async with anyio.create_task_group() as group:
        for number in range(60):
            group.start_soon(sandbox.files.write, f"d/{number}", b"%d" % number)
    assert await text_of(sandbox, "cat d/* | wc -c") == "110\n"


async def test_a_killed_file_server_is_a_lost_connection_and_the_next_call_works(
    sandbox: LocalSandbox,
) -> None:
    killed = anyio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"half"
        assert (await run(sandbox, "kill -9 -1")).end == "signalled"
        killed.set()
        yield b"rest"

    with pytest.raises(ConnectionLost):
        await sandbox.files.write("f", slow())
    assert killed.is_set()
    assert await sandbox.files.write("f", b"again") == 5


FETCH = """
python3 - <<'END'
import urllib.request, urllib.error
try:
    print(urllib.request.urlopen("{url}", timeout=60).status)
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
END
"""


@pytest.mark.parametrize("network", ["egress", ("127.0.0.1", "example.test")])
async def test_the_way_out_does_not_lead_to_this_computer(
    create: Create, network: str | tuple[str, ...]
) -> None:
    sandbox = await create(network=network)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            server.accept()[0].close()
        # Python asks no proxy for 127.0.0.1 itself.
        url = f"http://127.1:{port}/"
        shown = await text_of(sandbox, FETCH.format(url=url))
    assert shown.startswith("403 sandbook:")
    assert "loopback" in shown or "list of hosts" in shown


async def test_a_host_that_is_not_listed_is_refused_by_name(create: Create) -> None:
    sandbox = await create(network=("example.test",))
    shown = await text_of(sandbox, FETCH.format(url="http://other.test/"))
    assert shown.startswith("403 sandbook: 'other.test' is not on this sandbox's list")
