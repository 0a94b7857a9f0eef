"""Who outlives whom: clients, supervisors, sandboxes and their folders."""

# ruff: noqa: ASYNC220, ASYNC221 (probes outside are over at once)

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from sandbook.api import SandboxRef, SandboxSpec, Settings
from sandbook.errors import SandboxGone, SandboxLost, SpecRejected, Unsupported
from sandbook_local import folders
from sandbook_local.inside import frames
from sandbook_local.inside.service import PROTOCOL
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import (
    Create,
    argv,
    processes_with,
    run,
    shell,
    text_of,
    until,
)

pytestmark = pytest.mark.anyio

_DAEMON = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
time.sleep(float(sys.argv[1]))
"""

_CLIENT = """
import json, sys
from pathlib import Path
import anyio
from sandbook.api import ExecRequest, SandboxSpec, Settings, Shell
from sandbook_local.provider import LocalProvider

async def main() -> None:
    state = Path(sys.argv[1])
    provider = LocalProvider(Settings(state=state, cache=state / "cache"))
    sandbox = await provider.create(SandboxSpec(network="off"), key="client")
    text = "echo began; sleep 1; for i in 1 2 3; do echo $i; done; exit 7"
    request = ExecRequest(program=Shell(text=text), key="in/flight")
    process = await sandbox.start(request)
    print(json.dumps(sandbox.ref.to_json()), flush=True)
    await process.wait()

anyio.run(main)
"""


def _folder(settings: Settings, sandbox: LocalSandbox) -> Path:
    return settings.state / "sandboxes" / sandbox.ref.id


async def test_a_command_outlives_its_killed_client_and_is_found_by_key(
    settings: Settings, provider: LocalProvider
) -> None:
    client = subprocess.Popen(
        [sys.executable, "-c", _CLIENT, str(settings.state)], stdout=subprocess.PIPE
    )
    with client:
        assert client.stdout is not None
        line = await anyio.to_thread.run_sync(client.stdout.readline)
        client.kill()
    assert client.returncode == -signal.SIGKILL
    sandbox = await provider.attach(SandboxRef.from_json(json.loads(line)))
    process = await sandbox.find("in/flight")
    assert process is not None
    assert process.pid is not None
    chunks = [chunk.data async for chunk in process.output()]
    assert b"".join(chunks) == b"began\n1\n2\n3\n"
    result = await process.wait()
    assert (result.end, result.code) == ("exited", 7)
    assert result.stdout.data() == b"began\n1\n2\n3\n"
    assert await sandbox.find("unknown") is None


async def test_a_known_key_never_starts_twice(sandbox: LocalSandbox) -> None:
    request = shell("echo once >> count; cat count", key="the/same")
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(run, sandbox, request)
    assert (await run(sandbox, request)).stdout.data() == b"once\n"
    assert await text_of(sandbox, "cat count") == "once\n"


async def test_a_cancelled_start_leaves_nothing_running(sandbox: LocalSandbox) -> None:
    mark = f"600.{uuid.uuid4().int % 10**12}"
    with anyio.CancelScope() as scope:
        scope.cancel()
        # One that was answered at once could not be cancelled: its wait is.
        await (await sandbox.start(argv("sleep", mark))).wait()
    await anyio.sleep(0.3)
    await until(lambda: processes_with(mark) == [])


async def test_a_lifetime_s_end_takes_everything_along(
    create: Create, settings: Settings
) -> None:
    sandbox = await create(lifetime=5)
    mark = f"600.{uuid.uuid4().int % 10**12}"
    text = f"sleep {mark} & setsid sleep {mark} & python3 -c '{_DAEMON}' {mark}"
    await run(sandbox, text)
    await until(lambda: len(processes_with(mark)) == 3)
    assert _folder(settings, sandbox).exists()
    await until(lambda: processes_with(mark) == [])
    await until(lambda: not _folder(settings, sandbox).exists())
    with pytest.raises(SandboxLost, match="ended"):
        await sandbox.start(argv("true"))


async def test_extend_moves_the_end_and_never_back(create: Create) -> None:
    sandbox = await create(lifetime=30)
    later = await sandbox.extend(300)
    assert later is not None
    assert timedelta(290) > later - datetime.now(UTC) > timedelta(seconds=290)
    same = await sandbox.extend(10)
    assert same is not None
    assert abs((same - later).total_seconds()) < 1
    info = await sandbox.info()
    assert info.expires_at is not None
    assert abs((info.expires_at - later).total_seconds()) < 1


async def test_nothing_is_extended_beyond_the_hard_end(create: Create) -> None:
    sandbox = await create(lifetime=5, max_lifetime=20)
    end = await sandbox.extend(3600)
    assert end is not None
    assert end - datetime.now(UTC) < timedelta(seconds=21)


async def test_a_killed_supervisor_ends_all_and_sweep_takes_the_folder(
    sandbox: LocalSandbox, settings: Settings, provider: LocalProvider
) -> None:
    mark = f"600.{uuid.uuid4().int % 10**12}"
    await run(sandbox, f"sleep {mark} & setsid sleep {mark} & true")
    await until(lambda: len(processes_with(mark)) == 2)
    found = folders.read_supervisor(_folder(settings, sandbox))
    assert found is not None
    os.kill(found[0], signal.SIGKILL)
    await until(lambda: processes_with(mark) == [])
    await until(lambda: not folders.is_alive(_folder(settings, sandbox)))
    provider.sweep()
    await until(lambda: not _folder(settings, sandbox).exists())
    assert [info async for info in provider.list({})] == []
    with pytest.raises(SandboxGone):
        await provider.attach(sandbox.ref)


async def test_a_sandbox_whose_folder_is_removed_by_hand_ends(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    mark = f"600.{uuid.uuid4().int % 10**12}"
    await run(sandbox, f"sleep {mark} &")
    await until(lambda: len(processes_with(mark)) == 1)
    shutil.rmtree(_folder(settings, sandbox))
    await until(lambda: processes_with(mark) == [])


async def test_sweep_touches_no_live_sandbox(
    sandbox: LocalSandbox, settings: Settings, provider: LocalProvider
) -> None:
    left = settings.state / "sandboxes" / "0left-behind"
    left.mkdir()
    (left / "lock").touch()
    assert provider.sweep() == 1
    assert not left.exists()
    assert (await run(sandbox, "exit 3")).code == 3


async def test_sweep_follows_no_link(
    settings: Settings, provider: LocalProvider
) -> None:
    kept = settings.state / "kept"
    kept.mkdir(parents=True)
    (kept / "file").touch()
    left = settings.state / "sandboxes" / "0left-behind"
    left.mkdir(parents=True)
    (left / "link").symlink_to(kept)
    assert provider.sweep() == 1
    assert (kept / "file").exists()


async def test_destroy_twice_says_already_gone(
    sandbox: LocalSandbox, settings: Settings, provider: LocalProvider
) -> None:
    mark = f"600.{uuid.uuid4().int % 10**12}"
    await run(sandbox, f"sleep {mark} &")
    await until(lambda: len(processes_with(mark)) == 1)
    assert await provider.destroy(sandbox.ref) == "destroyed"
    assert processes_with(mark) == []
    assert not _folder(settings, sandbox).exists()
    assert await provider.destroy(sandbox.ref) == "already_gone"
    with pytest.raises(SandboxGone, match=sandbox.ref.id):
        await provider.attach(sandbox.ref)


async def test_an_id_cannot_point_outside(provider: LocalProvider) -> None:
    ref = SandboxRef(provider="local", id="../../etc", created_at=datetime.now(UTC))
    with pytest.raises(SandboxGone):
        await provider.attach(ref)
    assert await provider.destroy(ref) == "already_gone"


async def test_a_key_makes_one_sandbox_even_when_asked_at_once(
    provider: LocalProvider,
) -> None:
    made: list[str] = []

    async def make() -> None:
        spec = SandboxSpec(network="off")
        made.append((await provider.create(spec, key="one")).ref.id)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(make)
    assert len(made) == 5
    assert len(set(made)) == 1
    assert len([info async for info in provider.list({})]) == 1


async def test_list_finds_by_labels(create: Create, provider: LocalProvider) -> None:
    first = await create(labels={"a": "1", "b": "1"}, metadata={"m": "x"})
    second = await create(labels={"a": "1", "b": "2"})
    both = [info.ref async for info in provider.list({"a": "1"})]
    assert both == [first.ref, second.ref]
    (one,) = [info async for info in provider.list({"b": "1"})]
    assert (one.ref, one.metadata, one.state) == (first.ref, {"m": "x"}, "running")
    assert [info async for info in provider.list({"b": "3"})] == []


async def test_what_is_written_down_holds_no_values_of_the_environment(
    create: Create, settings: Settings
) -> None:
    sandbox = await create(env={"TOKEN": "s3cret-value"})
    await run(sandbox, shell("true", env={"OTHER": "s3cret-value"}))
    for path in _folder(settings, sandbox).rglob("*"):
        if path.is_file():
            assert b"s3cret-value" not in path.read_bytes(), path
    assert _folder(settings, sandbox).stat().st_mode & 0o777 == 0o700
    assert (_folder(settings, sandbox) / "sandbox.json").stat().st_mode & 0o777 == 0o600


async def test_a_cancelled_create_leaves_no_sandbox(
    settings: Settings, provider: LocalProvider
) -> None:
    for delay in (0.0, 0.01, 0.02, 0.03):
        with anyio.move_on_after(delay):
            await provider.create(SandboxSpec(network="off"), key=f"cancelled-{delay}")
            continue
        root = settings.state / "sandboxes"
        await until(lambda root=root: not root.exists() or not any(root.iterdir()))  # type: ignore[misc]


@pytest.mark.parametrize(
    "fields",
    [
        {"isolation": "microvm"},
        {"template": "debian"},
        {"network": "host"},
        {"options": {"unknown": 1}},
    ],
    ids=["isolation", "template", "host network", "option"],
)
async def test_what_cannot_be_had_is_refused(
    create: Create, fields: dict[str, object], provider: LocalProvider
) -> None:
    with pytest.raises(Unsupported) as caught:
        await create(**fields)
    assert caught.value.remedy
    assert caught.value.sent == "no"
    assert [info async for info in provider.list({})] == []


@pytest.mark.parametrize("workdir", ["/etc", "/proc/x", "..", "/"])
async def test_a_working_folder_of_the_system_is_refused(
    create: Create, workdir: str
) -> None:
    with pytest.raises(SpecRejected, match="workdir"):
        await create(workdir=workdir)


@pytest.mark.parametrize(
    ("workdir", "found"),
    [("/work", "/work"), ("app", "/home/user/app"), ("/tmp/x", "/tmp/x")],
)
async def test_the_working_folder_can_be_chosen(
    create: Create, workdir: str, found: str
) -> None:
    sandbox = await create(workdir=workdir)
    assert await text_of(sandbox, "touch it; pwd") == f"{found}\n"


async def test_a_state_folder_may_have_a_long_path(tmp_path: Path) -> None:
    state = tmp_path / ("x" * 100) / ("y" * 100)
    provider = LocalProvider(Settings(state=state, cache=tmp_path))
    sandbox = await provider.create(SandboxSpec(network="off"), key="long")
    assert await text_of(sandbox, "echo on") == "on\n"
    await provider.destroy(sandbox.ref)


async def test_nothing_of_a_sandbox_with_a_network_is_left(
    create: Create, provider: LocalProvider
) -> None:
    for _ in range(5):
        sandbox = await create(network="egress")
        outer = (await text_of(sandbox, "cat /proc/self/uid_map")).split()[1]
        assert await provider.destroy(sandbox.ref) == "destroyed"
        if os.getuid() == 0:
            await until(lambda outer=outer: not _processes_of(int(outer)))  # type: ignore[misc]


_STRANGER = """
import socket, sys
channel = socket.socket(socket.AF_UNIX)
channel.connect(f"/proc/self/fd/{sys.argv[1]}/control.sock")
try:
    channel.sendall(bytes.fromhex(sys.argv[2]))
    print(len(channel.recv(100)))
except (BrokenPipeError, ConnectionResetError):
    print(0)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="nobody else to be")
async def test_a_supervisor_answers_nobody_but_its_owner(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    folder = _folder(settings, sandbox)
    folder.chmod(0o755)
    (folder / "control.sock").chmod(0o666)
    request = frames.pack({"api": PROTOCOL, "do": "info"}).hex()
    place = os.open(folder, os.O_PATH)
    answers: list[int] = []
    for uid in ("0", "61001"):
        user = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"]
        command = [
            *user,
            "/usr/bin/python3",
            "-I",
            "-c",
            _STRANGER,
            str(place),
            request,
        ]
        done = subprocess.run(
            command, pass_fds=[place], check=True, capture_output=True, cwd="/"
        )
        answers.append(int(done.stdout))
    os.close(place)
    assert answers[0] > 0
    assert answers[1] == 0


def _processes_of(uid: int) -> list[Path]:
    found: list[Path] = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and folder.stat().st_uid == uid:
                found.append(folder)
        except FileNotFoundError:
            continue
    return found
