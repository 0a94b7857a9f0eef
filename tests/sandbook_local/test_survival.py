"""What outlives a kill, and what does not: each rule once, and many times over.

The marker `stress` holds the many: `pytest -m stress tests/sandbook_local`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from sandbook.api import SandboxRef, Settings
from sandbook_local import folders
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import Create, processes_with, run, until

pytestmark = pytest.mark.anyio

_KILLS = 30
_LIVES = 5
_EXACT = 1.0
"""Seconds that the end of a life, and of everything in it, may be off."""

_LINES = 60
_STEP = f"""
i=0
while [ $i -lt {_LINES} ]; do
  i=$((i+1)); echo "out $i"; echo "err $i" >&2; sleep 0.03
done
exit 7
"""
_CLIENT = """
import json, sys
from pathlib import Path
import anyio
from sandbook.api import ExecRequest, SandboxSpec, Settings, Shell
from sandbook_local.provider import LocalProvider

async def main(state: Path, key: str, text: str) -> None:
    provider = LocalProvider(Settings(state=state, cache=state / "cache"))
    sandbox = await provider.create(SandboxSpec(network="off"), key=key)
    request = ExecRequest(program=Shell(text=text), key=f"{key}/step/1")
    process = await sandbox.start(request)
    print(json.dumps(sandbox.ref.to_json()), flush=True)
    async for chunk in process.output():
        pass

anyio.run(main, Path(sys.argv[1]), *sys.argv[2:])
"""
_DAEMON = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize(
    "kills",
    [3, pytest.param(_KILLS, marks=pytest.mark.stress)],
    ids=["a few", "many"],
)
async def test_a_client_killed_at_any_moment_of_a_step_loses_nothing(
    settings: Settings, provider: LocalProvider, kills: int
) -> None:
    lost: list[str] = []
    for number in range(kills):
        delay = random.uniform(0.05, 0.55)
        ref = await to_thread.run_sync(_start_and_kill, settings, number, delay)
        try:
            await _check_step(provider, ref, f"client-{number}/step/1")
        except Exception as error:  # noqa: BLE001 (each kill is told of)
            lost.append(f"after {delay:.3f} s: {error!r}")
        await provider.destroy(ref)
    print(f"{kills - len(lost)} of {kills} kills lost nothing")  # noqa: T201 (the figures, by `-s`)
    assert lost == []


def _start_and_kill(settings: Settings, number: int, delay: float) -> SandboxRef:
    """Let a client start a step, and kill it `delay` seconds later."""
    command = [sys.executable, "-c", _CLIENT, str(settings.state), f"client-{number}"]
    with subprocess.Popen([*command, _STEP], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        line = client.stdout.readline()
        with suppress(subprocess.TimeoutExpired):
            client.wait(delay)
        client.kill()
    assert client.returncode == -signal.SIGKILL
    return SandboxRef.from_json(json.loads(line))


async def _check_step(provider: LocalProvider, ref: SandboxRef, key: str) -> None:
    sandbox = await provider.attach(ref)
    process = await sandbox.find(key)
    assert process is not None
    shown = {"stdout": b"", "stderr": b""}
    async for chunk in process.output():
        shown[chunk.stream] += chunk.data
    result = await process.wait()
    assert (result.end, result.code) == ("exited", 7)
    numbers = range(1, _LINES + 1)
    assert shown["stdout"] == b"".join(b"out %d\n" % n for n in numbers)
    assert shown["stderr"] == b"".join(b"err %d\n" % n for n in numbers)
    assert result.stdout.data() == shown["stdout"]
    assert result.stderr.data() == shown["stderr"]
    assert (await run(sandbox, "exit 3")).code == 3


async def _start_all_kinds(sandbox: LocalSandbox) -> str:
    """Leave a plain, a setsid'ed and a double-forked process; what marks them."""
    mark = f"600.{uuid.uuid4().int % 10**12}"
    text = f"sleep {mark} & setsid sleep {mark} & python3 -c '{_DAEMON}' {mark}"
    await run(sandbox, text)
    await until(lambda: len(processes_with(mark)) == 3)
    return mark


async def _live(create: Create, settings: Settings, *, lifetime: float) -> float:
    """Live to the end; seconds from its told end until nothing was left."""
    sandbox = await create(lifetime=lifetime)
    folder = settings.state / "sandboxes" / sandbox.ref.id
    mark = await _start_all_kinds(sandbox)
    expires = (await sandbox.info()).expires_at
    assert expires is not None
    end = expires.timestamp()
    while processes_with(mark) or folder.exists():
        if time.time() < end - _EXACT:
            # A look may come between a shell and what it becomes: look again.
            await until(lambda: len(processes_with(mark)) == 3)
            assert folder.exists()
        assert time.time() < end + 20, "it never ended"
        await anyio.sleep(0.02)
    return time.time() - end


async def test_nothing_ends_before_its_life_is_over_and_all_does_then(
    create: Create, settings: Settings
) -> None:
    assert await _live(create, settings, lifetime=4) > -_EXACT


@pytest.mark.stress
async def test_everything_ends_within_a_second_of_the_told_end(
    create: Create, settings: Settings
) -> None:
    off = [await _live(create, settings, lifetime=4) for _ in range(_LIVES)]
    print(f"seconds from the told end: {[round(o, 3) for o in off]}")  # noqa: T201 (the figures, by `-s`)
    assert all(abs(seconds) < _EXACT for seconds in off)


def _kill_with_remover(folder: Path) -> None:
    """Kill a supervisor; as root first the one who would clear up after it."""
    found = folders.read_supervisor(folder)
    assert found is not None
    status = Path(f"/proc/{found[0]}/status").read_text(encoding="utf-8")
    parent = int(status.partition("PPid:\t")[2].split()[0])
    line = Path(f"/proc/{parent}/cmdline").read_bytes()
    if os.getuid() == 0:
        assert b"inside/main.py" in line
        os.kill(parent, signal.SIGKILL)
    os.kill(found[0], signal.SIGKILL)


async def _lose_supervisor(sandbox: LocalSandbox, settings: Settings) -> float:
    """Kill its supervisor; seconds until nothing ran. Its folder is left."""
    folder = settings.state / "sandboxes" / sandbox.ref.id
    mark = await _start_all_kinds(sandbox)
    began = time.monotonic()
    _kill_with_remover(folder)
    await until(lambda: processes_with(mark) == [])
    seconds = time.monotonic() - began
    await until(lambda: not folders.is_alive(folder))
    assert folder.exists()
    return seconds


_RUNBOOK = "runbook: 1\nsteps:\n  - command: echo next\n"


def _run_next(settings: Settings, folder: Path) -> None:
    """Run a runbook over the same state, as the next user of it does."""
    (folder / "next.yaml").write_text(_RUNBOOK)
    own = {
        "SANDBOOK_STATE": str(settings.state),
        "SANDBOOK_CACHE": str(settings.cache),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }
    command = [sys.executable, "-m", "sandbook", "run", str(folder / "next.yaml")]
    done = subprocess.run(
        command,
        env={**os.environ, **own},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_the_next_run_removes_what_a_killed_supervisor_left(
    create: Create, settings: Settings, tmp_path: Path
) -> None:
    sandbox = await create()
    await _lose_supervisor(sandbox, settings)
    await to_thread.run_sync(_run_next, settings, tmp_path)
    assert not (settings.state / "sandboxes" / sandbox.ref.id).exists()


@pytest.mark.stress
async def test_nothing_runs_a_second_after_a_supervisor_was_killed(
    create: Create, settings: Settings, provider: LocalProvider
) -> None:
    taken = [
        await _lose_supervisor(await create(), settings) for _ in range(2 * _LIVES)
    ]
    print(f"seconds until nothing ran: {[round(t, 3) for t in taken]}")  # noqa: T201 (the figures, by `-s`)
    assert max(taken) < _EXACT
    assert provider.sweep() == len(taken)
    assert [p for p in (settings.state / "sandboxes").iterdir() if p.is_dir()] == []
