"""The limits of a sandbox as its supervisor holds them: enforced, or watched."""

from __future__ import annotations

import os

from sandbook_local import limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbook_local.inside.plan import Plan

_OWN_PROCESSES = 1
_OWN_COPIES = 2
"""Of pid 1: itself, and the keeper that waits for its next order."""


def _most_files(plan: Plan) -> int | None:
    """The limit that bubblewrap cannot set; elsewhere the file system has it."""
    return max(plan.disk // 2048, 1024) if plan.launcher == "bwrap" else None


class Bounds:
    """Control groups where a limit needs them, else a watch on memory.

    Raises `OSError` when a limit that must be enforced cannot be.
    """

    def __init__(self, plan: Plan, uid: int | None) -> None:
        self._pids = plan.pids
        self._memory = plan.memory or plan.usual_memory
        self._is_memory_written = plan.memory is not None
        self._files = _most_files(plan)
        self._group: limits.Cgroup | None = None
        self._watch: limits.MemoryWatch | None = None
        self._descriptors: tuple[int, int] | None = None
        self._told: str | None = None
        if plan.memory is None and plan.cpus is None:
            return
        try:
            self._group = limits.Cgroup.create(
                plan.id, memory=plan.memory, cpus=plan.cpus, owner=uid
            )
        except OSError:
            if plan.enforce:
                raise

    def join(self, pid: int) -> None:
        """Put a process, and so all it will start, under the limits."""
        if self._group is not None:
            self._group.add(pid)

    def look_at(self, proc: int, tmpfs: int) -> None:
        """Use these descriptors of the sandbox's `/proc` and writable files."""
        self._descriptors = proc, tmpfs
        if self._group is None or not self._is_memory_written:
            self._watch = limits.MemoryWatch(
                proc, self._memory, tmpfs_fds=(tmpfs,), copies=_OWN_COPIES
            )

    def must_be_watched(self) -> bool:
        """Whether `exceeded` has to be asked again and again."""
        return self._watch is not None or self._files is not None

    def exceeded(self) -> str | None:
        """What is over its limit now and must be ended, in words."""
        if self._files is not None and self._descriptors is not None:
            found = os.fstatvfs(self._descriptors[1])
            if found.f_files - found.f_ffree > self._files:
                return f"disk: the limit of {self._files} files is reached"
        return None if self._watch is None else self._watch.check()

    def explain_failure(self, keepers: int) -> str | None:
        """The limit that a command which just failed may have met, in words."""
        told = None if self._group is None else self._group.events()
        if told is not None and told != self._told:
            self._told = told
            return told
        if self._descriptors is None:
            return None
        proc, tmpfs = self._descriptors
        allowed = self._pids + keepers + _OWN_PROCESSES
        return limits.disk_full(tmpfs) or limits.processes_full(proc, allowed)

    def remove(self) -> None:
        """Take the control groups away, as far as we may."""
        if self._group is not None:
            self._group.remove()
