"""Limits that control groups enforce, with real groups where this machine lets us."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Generator
from pathlib import Path

import pytest

from sandbook_local.cgroups import Hierarchies
from sandbook_local.limits import Cgroup, enforceable, sweep

MIB = 1 << 20
PLAIN = 61001
PLUGINS = Path(__file__).parents[2] / "plugins"

needs_memory = pytest.mark.skipif(
    "limits.memory" not in enforceable(), reason="no memory group can be made here"
)
needs_cpus = pytest.mark.skipif(
    "limits.cpus" not in enforceable(), reason="no cpu group can be made here"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives groups away")

BOMB = """
import sys
sys.stdin.readline()
held = []
for number in range(50):
    held.append(bytearray(b"x") * (8 << 20))
    print(8 * number + 8, flush=True)
"""
SPIN = """
import sys, time
sys.stdin.readline()
end = time.monotonic() + 2
while time.monotonic() < end:
    pass
print(time.process_time())
"""
FORKS = """
import os, sys, time
sys.stdin.readline()
children = 0
try:
    for children in range(100):
        if os.fork() == 0:
            sys.stdin.read()
            os._exit(0)
except BlockingIOError:
    print(children)
"""


@pytest.fixture
def name() -> Generator[str]:
    name = f"test-{uuid.uuid4().hex}"
    yield name
    for folder in Hierarchies.of_this_process().folders():
        assert not Path(folder, f"sandbook-{name}").exists()


def _run_in(group: Cgroup, program: str) -> tuple[int, str]:
    """Run a program that waits for a line before it does anything."""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    group.add(process.pid)
    output, _ = process.communicate("go\n", timeout=120)
    return process.returncode, output


def _remove(group: Cgroup) -> None:
    deadline = time.monotonic() + 20
    while not group.remove():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@needs_memory
def test_a_process_over_the_memory_limit_is_killed_and_named(name: str) -> None:
    group = Cgroup.create(name, memory=96 * MIB)
    try:
        assert group.events() is None
        code, output = _run_in(group, BOMB)
        reached = int(output.split()[-1])
        words = group.events()
    finally:
        _remove(group)
    assert code == -9
    assert 60 <= reached <= 96
    assert words == "memory: a process was killed at the limit of 96 MiB"


@needs_memory
def test_a_process_within_its_memory_is_left_alone(name: str) -> None:
    group = Cgroup.create(name, memory=600 * MIB)
    try:
        assert _run_in(group, BOMB)[0] == 0
        assert group.events() is None
    finally:
        _remove(group)


@needs_cpus
def test_half_a_cpu_is_half_a_cpu(name: str) -> None:
    group = Cgroup.create(name, cpus=0.5)
    try:
        code, output = _run_in(group, SPIN)
    finally:
        _remove(group)
    assert code == 0
    assert float(output) < 1.4  # of 2 s; what the noise of a machine takes lowers it


@needs_memory
def test_the_process_limit_is_named(name: str) -> None:
    try:
        group = Cgroup.create(name, pids=10)
    except OSError:
        pytest.skip("no pids group can be made here")
    try:
        assert _run_in(group, FORKS) == (0, "9\n")
        words = group.events()
    finally:
        _remove(group)
    assert words == "pids: the limit of 10 processes and threads was reached"


@needs_memory
@needs_root
def test_a_supervisor_that_is_root_no_more_removes_its_group(name: str) -> None:
    program = f"""
import os, sys
sys.path.insert(0, {str(PLUGINS)!r})
from sandbook_local.limits import Cgroup
group = Cgroup.create({name!r}, memory=64 << 20, cpus=1.0, owner={PLAIN})
os.setgroups([]); os.setgid({PLAIN}); os.setuid({PLAIN})
try:
    open(group.folders[0] + "/memory.limit_in_bytes", "w").write("-1")
except PermissionError:
    print("kept its limit")
print(group.remove(), [os.path.exists(f + "/inside") for f in group.folders])
print(*group.folders)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[:2] == ["kept its limit", "True [False, False]"]
    left = lines[2].split()
    assert len(left) == 2
    assert all(Path(folder).is_dir() for folder in left)
    sweep(left)
    assert not any(Path(folder).exists() for folder in left)


@needs_memory
def test_a_sweep_leaves_groups_in_use_alone(name: str) -> None:
    group = Cgroup.create(name, memory=64 * MIB)
    try:
        sweep(group.folders)
        assert all(Path(folder, "inside").is_dir() for folder in group.folders)
        process = subprocess.Popen(["sleep", "60"])
        group.add(process.pid)
        assert not group.remove()  # and lets go of its lock
        sweep(group.folders)
        assert all(Path(folder, "inside").is_dir() for folder in group.folders)
        process.kill()
        process.wait()
    finally:
        _remove(group)


@needs_memory
def test_what_cannot_be_limited_leaves_no_half_made_group(name: str) -> None:
    group = Cgroup.create(name, memory=64 * MIB)
    try:
        with pytest.raises(FileExistsError):
            Cgroup.create(name, memory=64 * MIB)
        assert all(Path(folder, "inside").is_dir() for folder in group.folders)
        with pytest.raises(OSError, match="Invalid argument"):
            Cgroup.create(f"{name}x", cpus=1e12, memory=64 * MIB)
    finally:
        _remove(group)
    for folder in group.folders:
        assert not Path(f"{folder}x").exists()


def test_without_hierarchies_the_missing_controllers_are_named() -> None:
    with pytest.raises(OSError, match="no control group for memory, cpu"):
        Cgroup.create("x", memory=MIB, cpus=1.0, hierarchies=Hierarchies("", ""))


def test_version_1_groups_are_made_below_our_own() -> None:
    mountinfo = (
        "31 30 0:27 / /cg/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "32 30 0:28 /docker/ab /cg/memory rw shared:9 - cgroup cgroup rw,memory\n"
        "33 30 0:29 /elsewhere /cg/pids rw - cgroup cgroup rw,pids\n"
        "34 30 0:30 / /cg/systemd rw - cgroup cgroup rw,name=systemd\n"
        "35 30 0:31 / /home rw - ext4 /dev/root rw\n"
    )
    membership = (
        "5:memory:/docker/ab/in\n4:cpu,cpuacct:/\n3:pids:/x\n2:name=systemd:/\n0::/\n"
    )
    found = Hierarchies(mountinfo, membership)
    assert found.first["memory"] == "/cg/memory/in"
    assert found.first["cpu"] == "/cg/cpu,cpuacct"
    assert "pids" not in found.first
    assert found.second == ()


def test_version_2_groups_are_made_in_the_nearest_folder_that_can(
    tmp_path: Path,
) -> None:
    own = tmp_path / "user/app/own"
    own.mkdir(parents=True)
    for folder, divided in ((own, None), (own.parent, "memory pids"), (tmp_path, "")):
        (folder / "cgroup.controllers").write_text("cpu memory pids")
        (folder / "cgroup.procs").touch()
        if divided is not None:
            (folder / "cgroup.subtree_control").write_text(divided)
    mountinfo = f"30 29 0:26 / {tmp_path} rw - cgroup2 cgroup2 rw\n"
    hierarchies = Hierarchies(mountinfo, "0::/user/app/own\n")
    group = Cgroup.create("a", memory=MIB, pids=7, hierarchies=hierarchies)
    made = own.parent / "sandbook-a"
    assert group.folders == (str(made),)
    assert (made / "memory.max").read_text() == str(MIB)
    assert (made / "memory.swap.max").read_text() == "0"
    assert (made / "pids.max").read_text() == "7"
    (made / "memory.events").write_text("low 0\noom 2\noom_kill 2\n")
    assert group.events() == "memory: 2 processes were killed at the limit of 1 MiB"
    group.add(123)
    assert (made / "inside/cgroup.procs").read_text() == "123"
    group.remove()
    Cgroup.create("b", cpus=0.5, hierarchies=hierarchies).remove()
    assert (own.parent / "cgroup.subtree_control").read_text() == "+cpu"
    assert (own.parent / "sandbook-b/cpu.max").read_text() == "50000 100000"
