"""Who descends from whom, and how a whole tree is ended.

Parents are read from `/proc`. Every keeper adopts what its command orphans, so the
chain of parents never breaks while the keeper lives.
"""

# pathlib would add a third to the supervisor's start
# ruff: noqa: PTH208

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_ROUNDS = 50
_THREADS = 17


def parents() -> dict[int, int]:
    """The parent of each process of this pid namespace."""
    found: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            descriptor = os.open(f"/proc/{name}/stat", os.O_RDONLY)
        except OSError:
            continue
        try:
            text = os.read(descriptor, 1024)
        except OSError:
            continue
        finally:
            os.close(descriptor)
        fields = text[text.rindex(b")") + 2 :].split()
        # A process whose first thread ended is shown as a zombie while others run.
        if fields[0] not in b"ZX" or int(fields[_THREADS]) > 1:
            found[int(name)] = int(fields[1])
    return found


def waited(pid: int) -> float:
    """Seconds in which the first thread of a process wanted a processor in vain."""
    try:
        descriptor = os.open(f"/proc/{pid}/schedstat", os.O_RDONLY)
    except OSError:
        return 0.0  # not every system keeps it
    try:
        return int(os.read(descriptor, 128).split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
    finally:
        os.close(descriptor)


def descendants(root: int) -> set[int]:
    """Every live process below `root`."""
    return set(descendants_in_order(root))


def descendants_in_order(root: int) -> list[int]:
    """The same, each after its parent."""
    table = parents()
    found: dict[int, None] = {}
    fresh = {root}
    while fresh:
        fresh = {pid for pid, parent in table.items() if parent in fresh}
        fresh -= found.keys()
        found.update(dict.fromkeys(fresh))
    return list(found)


def signal_below(root: int, signum: int) -> int:
    """Signal every process below `root`, parents first; how many there were.

    A shell whose child ends first may end of that, and never see the signal.
    """
    found = descendants_in_order(root)
    for pid in found:
        _kill(pid, signum)
    return len(found)


def kill_below(root: int) -> bool:
    """Kill every process below `root`; False when some cannot die yet.

    They are stopped first, since a process that forks while its siblings are killed
    one by one would stay ahead of us.
    """
    for _ in range(_ROUNDS):
        stopped = _stop_all(root)
        if not stopped:
            return True
        for pid in stopped:
            _kill(pid, signal.SIGKILL)
    return not descendants(root)


def kill_adopted(own: Collection[int]) -> None:
    """As pid 1: kill what a keeper left behind when something killed the keeper."""
    for _ in range(_ROUNDS):
        strays = [p for p, parent in parents().items() if parent == 1 and p not in own]
        if not strays:
            return
        for pid in strays:
            _kill(pid, signal.SIGSTOP)
            kill_below(pid)
            _kill(pid, signal.SIGKILL)
        _reap(strays)


def _stop_all(root: int) -> set[int]:
    stopped: set[int] = set()
    while fresh := descendants(root) - stopped:
        for pid in fresh:
            _kill(pid, signal.SIGSTOP)
        stopped |= fresh
    return stopped


def _reap(pids: Collection[int]) -> None:
    for pid in pids:
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            continue


def _kill(pid: int, signum: int) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return
