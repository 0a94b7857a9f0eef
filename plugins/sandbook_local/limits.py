"""Decides when a local sandbox is over a limit, and says so in words.

`Cgroup` enforces, where this process may make control groups. `MemoryWatch` observes,
from what the sandbox's /proc shows, where nothing enforces. `disk_full` and
`processes_full` name limits the kernel enforces without telling. Standard library only.
"""

from __future__ import annotations

import os

from sandbook_local.cgroups import Cgroup, enforceable, size_in_words, sweep

__all__ = [
    "Cgroup",
    "MemoryWatch",
    "disk_full",
    "enforceable",
    "processes_full",
    "sweep",
]

TYPE_CHECKING = False  # `typing` takes 5 ms to load
if TYPE_CHECKING:
    from collections.abc import Iterator

_PAGE = os.sysconf("SC_PAGE_SIZE")
_READ = os.O_RDONLY | os.O_CLOEXEC


class MemoryWatch:
    """Compares the memory of all processes of a sandbox with its limit.

    Of pid 1 so many `copies`, itself included, are ours and count for nothing.
    `proc_fd` is a descriptor of the sandbox's /proc, `tmpfs_fds` descriptors of its
    tmpfs mounts, whose files are memory too; both stay the caller's.
    """

    def __init__(
        self,
        proc_fd: int,
        limit: int,
        *,
        tmpfs_fds: tuple[int, ...] = (),
        copies: int = 0,
    ) -> None:
        self._proc = proc_fd
        self._limit = limit
        self._tmpfs = tmpfs_fds
        self._copies = copies

    def check(self) -> str | None:
        """What is wrong, or None. Cheap while usage is far from the limit."""
        ours = self._copies * _resident(self._proc, "1")
        files = sum(map(_tmpfs_used, self._tmpfs)) - ours
        pids = list(_pids(self._proc))
        # Counts a shared page once for each process: never too low.
        if files + sum(_resident(self._proc, pid) for pid in pids) <= self._limit:
            return None
        used = files + sum(_proportional(self._proc, pid) for pid in pids)
        if used <= self._limit:
            return None
        limit = size_in_words(self._limit)
        return f"memory: {size_in_words(used)} used, the limit is {limit}"


def disk_full(*tmpfs_fds: int) -> str | None:
    """What is wrong when a sandbox's tmpfs has no room left, or None.

    Exact while it is asked right after the failure: a program that removes its file
    on ENOSPC makes room again.
    """
    for descriptor in tmpfs_fds:
        found = os.fstatvfs(descriptor)
        if found.f_blocks and not found.f_bfree:
            size = size_in_words(found.f_blocks * found.f_frsize)
            return f"disk: the limit of {size} is reached"
        if found.f_files and not found.f_ffree:
            return f"disk: the limit of {found.f_files} files is reached"
    return None


def processes_full(proc_fd: int, limit: int) -> str | None:
    """What is wrong when a sandbox runs as many processes as it may, or None.

    RLIMIT_NPROC leaves no trace of having refused a fork, so this counts what it
    counts: threads, as they are now. One short counts as full: the process that was
    refused a fork has often ended by then.
    """
    running = sum(_threads(proc_fd, pid) for pid in _pids(proc_fd))
    if running < limit - 1:
        return None
    return f"pids: {running} processes and threads, the limit is {limit}"


def _pids(proc: int) -> Iterator[str]:
    with os.scandir(proc) as entries:
        for entry in entries:
            if entry.name.isdigit():
                yield entry.name


def _resident(proc: int, pid: str) -> int:
    fields = _read(proc, f"{pid}/statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _proportional(proc: int, pid: str) -> int:
    """Memory of a process with shared pages divided among those who share them.

    A process that hides this (it is not dumpable) counts in full.
    """
    for line in _read(proc, f"{pid}/smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) << 10
    return _resident(proc, pid)


def _threads(proc: int, pid: str) -> int:
    try:
        return os.stat(f"{pid}/task", dir_fd=proc).st_nlink - 2
    except OSError:
        return 0


def _read(proc: int, path: str) -> bytes:
    try:
        file = os.open(path, _READ, dir_fd=proc)
    except OSError:
        return b""
    try:
        return os.read(file, 4096)
    except OSError:  # the process ended between the two calls
        return b""
    finally:
        os.close(file)


def _tmpfs_used(descriptor: int) -> int:
    found = os.fstatvfs(descriptor)
    return (found.f_blocks - found.f_bfree) * found.f_frsize
