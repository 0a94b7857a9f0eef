"""Limits that are observed, and names for those the kernel enforces silently."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbook_local.limits import MemoryWatch, disk_full, processes_full

MIB = 1 << 20
IS_ROOT = os.geteuid() == 0

# Holds shared memory that both processes have touched, and memory of the child's own.
SHARING = """
import mmap, os, sys
shared = mmap.mmap(-1, 100 << 20)
shared.write(b"x" * (100 << 20))
if os.fork() == 0:
    seen = sum(shared[i] for i in range(0, len(shared), 4096))
    own = bytearray(os.urandom(1)) * (20 << 20)
    print("ready", flush=True)
sys.stdin.read()
"""
# A process tree in a /proc of its own; prints the descriptor's path for us to open.
IN_NAMESPACE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x20020000) == 0  # pid and mount
if os.fork():
    os.wait()
    sys.exit()
assert libc.mount(b"x", b"/", None, 0x44000, None) == 0
assert libc.mount(b"proc", b"/proc", b"proc", 0, None) == 0
"""
pytestmark = pytest.mark.skipif(not IS_ROOT, reason="makes a pid namespace")


@contextmanager
def _sandbox(program: str) -> Generator[int]:
    """Run a program alone in a /proc; gives a descriptor of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", IN_NAMESPACE + program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    proc = os.open(f"/proc/{children.split()[0]}/root/proc", os.O_RDONLY)
    try:
        yield proc
    finally:
        os.close(proc)
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


def test_memory_over_the_limit_is_said_with_both_numbers() -> None:
    with _sandbox(SHARING) as proc:
        words = MemoryWatch(proc, 100 * MIB).check()
    assert words is not None
    used = int(words.removeprefix("memory: ").split()[0])
    assert 120 <= used < 170
    assert words == f"memory: {used} MiB used, the limit is 100 MiB"


def test_the_memory_of_our_own_processes_counts_for_nothing() -> None:
    with _sandbox(SHARING) as proc:
        assert MemoryWatch(proc, 100 * MIB).check() is not None
        assert MemoryWatch(proc, 100 * MIB, copies=1).check() is None


def test_memory_that_processes_share_counts_once() -> None:
    with _sandbox(SHARING) as proc:
        # Their resident sizes add up to more than 220 MiB.
        assert MemoryWatch(proc, 190 * MIB).check() is None


def test_files_on_a_tmpfs_count_as_memory() -> None:
    program = """
os.mkdir("/tmp/full") if not os.path.isdir("/tmp/full") else None
assert libc.mount(b"tmpfs", b"/tmp/full", b"tmpfs", 0, b"size=64m") == 0
open("/tmp/full/f", "wb").write(bytes(40 << 20))
print("ready", flush=True)
sys.stdin.read()
"""
    with _sandbox(program) as proc:
        tmpfs = os.open("../tmp/full", os.O_RDONLY, dir_fd=proc)
        try:
            assert MemoryWatch(proc, 60 * MIB).check() is None
            watch = MemoryWatch(proc, 40 * MIB, tmpfs_fds=(tmpfs,))
            assert watch.check() is not None
            assert disk_full(tmpfs) is None
        finally:
            os.close(tmpfs)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("size=1m", "disk: the limit of 1 MiB is reached"),
        ("size=9m,nr_inodes=20", "disk: the limit of 20 files is reached"),
    ],
)
def test_a_full_tmpfs_is_named(options: str, words: str) -> None:
    program = f"""
os.makedirs("/tmp/full", exist_ok=True)
assert libc.mount(b"tmpfs", b"/tmp/full", b"tmpfs", 0, b"{options}") == 0
try:
    for number in range(100):
        with open(f"/tmp/full/{{number}}", "wb", buffering=0) as file:
            while file.write(bytes(100_000)) and {"nr_inodes" not in options}:
                pass
except OSError as error:
    assert error.errno == 28
print("ready", flush=True)
sys.stdin.read()
"""
    with _sandbox(program) as proc:
        tmpfs = os.open("../tmp/full", os.O_RDONLY, dir_fd=proc)
        try:
            assert disk_full(tmpfs) == words
        finally:
            os.close(tmpfs)


def test_as_many_processes_as_allowed_is_said_and_fewer_are_not() -> None:
    program = """
import threading
for _ in range(5):
    threading.Thread(target=sys.stdin.read, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""
    program = program.replace("threading.Event().wait()", "sys.stdin.read()")
    with _sandbox(program) as proc:
        assert processes_full(proc, 20) is None
        words = "pids: 6 processes and threads, the limit is 6"
        assert processes_full(proc, 6) == words


def test_processes_that_vanish_meanwhile_do_no_harm() -> None:
    proc = os.open("/proc", os.O_RDONLY)
    try:
        storm = subprocess.Popen(
            ["sh", "-c", "i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done"]
        )
        while storm.poll() is None:
            assert MemoryWatch(proc, 1).check() is not None
    finally:
        os.close(proc)
