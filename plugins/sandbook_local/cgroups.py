"""Decides whether control groups can enforce limits here, and makes them.

Groups are made below the one this process is in, so that every limit that holds for
us holds for a sandbox. Standard library only.
"""

# pathlib takes 8 ms to load, at the start of every supervisor:
# ruff: noqa: PTH102, PTH106, PTH110, PTH112, PTH119, PTH120, PTH123, PTH208

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

TYPE_CHECKING = False  # `typing` takes 5 ms to load
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    _Values = dict[str, float]

_PREFIX = "sandbook-"
_INNER = "inside"
_PERIOD = 100_000  # microseconds
_LEAST_QUOTA = 1_000  # the kernel's own
_CONTROLLERS = {"limits.memory": "memory", "limits.cpus": "cpu"}


class Hierarchies:
    """Where control groups can be made, by what the kernel says of this process.

    Version 1 has a folder for each controller, version 2 one for all. Ours is the
    group to start from: what limits us then limits a sandbox too. In version 2 a group
    with processes cannot divide its controllers, so groups above it are tried as well.
    """

    def __init__(self, mountinfo: str, membership: str) -> None:
        self.first: dict[str, str] = {}
        self.second: tuple[str, ...] = ()
        paths = dict(line.split(":", 2)[1:] for line in membership.splitlines())
        for line in mountinfo.splitlines():
            before, _, after = line.partition(" - ")
            kind, _, options = after.split()[:3]
            if kind in ("cgroup", "cgroup2"):
                root, mount = before.split()[3:5]
                self._add_mount(kind, mount, root, options=options, paths=paths)

    @classmethod
    def of_this_process(cls) -> Hierarchies:
        """As they are now; none where /proc does not tell."""
        try:
            return cls(_text("/proc/self/mountinfo"), _text("/proc/self/cgroup"))
        except OSError:
            return cls("", "")

    def _add_mount(
        self, kind: str, mount: str, root: str, *, options: str, paths: dict[str, str]
    ) -> None:
        if kind == "cgroup2":
            below = _below(paths.get("", ""), root)
            if below is not None:
                self.second = tuple(_upwards(mount, below))
            return
        for names, path in paths.items():
            below = _below(path, root)
            if (
                below is None
                or not names
                or not set(names.split(",")) & set(options.split(","))
            ):
                continue
            for name in names.split(","):
                self.first.setdefault(name, (mount + below).rstrip("/"))

    def choose(self, controllers: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """The folder to make a group in -> the controllers it is for.

        Raises:
            OSError: A controller is nowhere to be had; it is named.
        """
        chosen: dict[str, tuple[str, ...]] = {}
        rest: list[str] = []
        for name in controllers:
            folder = self.first.get(name)
            if folder is None:
                rest.append(name)
            else:
                chosen[folder] = (*chosen.get(folder, ()), name)
        if rest:
            found = next((f for f in self.second if _can_divide(f, rest)), None)
            if found is None:
                raise OSError(errno.ENOTSUP, f"no control group for {', '.join(rest)}")
            chosen[found] = tuple(rest)
        return chosen

    def folders(self) -> tuple[str, ...]:
        """Every folder a group of ours may be in."""
        return (*dict.fromkeys(self.first.values()), *self.second)


class Cgroup:
    """The control groups of one sandbox.

    In each hierarchy two, one in the other: the outer holds the limits and stays
    root's but for its folder, the inner holds the processes. So the supervisor, root
    no more, can remove the inner one and change no limit; `sweep` removes the rest.
    `folders` are the outer ones, for whoever sweeps from elsewhere.
    """

    def __init__(self, folders: tuple[str, ...], values: _Values) -> None:
        self.folders = folders
        self._values = values
        self._locks = [_locked(folder, fcntl.LOCK_SH) for folder in folders]

    @classmethod
    def create(
        cls,
        name: str,
        *,
        memory: int | None = None,
        cpus: float | None = None,
        pids: int | None = None,
        owner: int | None = None,
        hierarchies: Hierarchies | None = None,
    ) -> Cgroup:
        """Make the groups; `memory` in bytes, `owner` the uid that will remove them.

        Raises:
            OSError: A limit that was asked for cannot be enforced; nothing is left.
        """
        given = {"memory": memory, "cpu": cpus, "pids": pids}
        values = {key: value for key, value in given.items() if value is not None}
        places = (hierarchies or Hierarchies.of_this_process()).choose(values)
        made: list[str] = []
        try:
            for place, controllers in places.items():
                outer = f"{place}/{_PREFIX}{name}"
                os.mkdir(outer, 0o755)
                made.append(outer)
                for controller in controllers:
                    _set_limit(outer, controller, values[controller])
                os.mkdir(f"{outer}/{_INNER}", 0o755)
                if owner is not None:
                    os.chown(outer, owner, -1)
            return cls(tuple(made), values)
        except OSError:
            for outer in made:
                _remove(outer)
            raise

    def add(self, pid: int) -> None:
        """Put a process in, before it gives its rights up; its children follow."""
        for folder in self.folders:
            _write(f"{folder}/{_INNER}/cgroup.procs", str(pid))

    def events(self) -> str | None:
        """The limit that was hit since the start, or None. A slowed CPU is no event."""
        killed = self._count("oom_kill", ("memory.oom_control", "memory.events"))
        if killed:
            limit = size_in_words(int(self._values["memory"]))
            words = "a process was" if killed == 1 else f"{killed} processes were"
            return f"memory: {words} killed at the limit of {limit}"
        if self._count("max", ("pids.events",)):
            limit = f"{self._values['pids']:.0f}"
            return f"pids: the limit of {limit} processes and threads was reached"
        return None

    def remove(self) -> bool:
        """Remove what can be removed; False while a process is left inside."""
        for lock in self._locks:
            os.close(lock)
        self._locks = []
        removed = [_remove(folder) for folder in self.folders]
        return all(removed)

    def _count(self, word: str, files: tuple[str, ...]) -> int:
        # Version 1 counts where the process was, version 2 also above; newer kernels
        # count a refused fork where the limit was.
        return max(
            (
                _counter(f"{folder}{below}/{file}", word)
                for folder in self.folders
                for below in ("", f"/{_INNER}")
                for file in files
            ),
            default=0,
        )


def enforceable() -> frozenset[str]:
    """Which of "limits.memory" and "limits.cpus" can be enforced here, by trying."""
    return frozenset(name for name, key in _CONTROLLERS.items() if _works(key))


def sweep(folders: Iterable[str] = ()) -> int:
    """Remove empty groups of sandboxes that are gone; returns how many.

    Looks where `Cgroup.create` would make them now, and at `folders` remembered from
    other sandboxes. A group in use, by a process or by a live `Cgroup`, stays.
    """
    places = Hierarchies.of_this_process().folders()
    found = {
        f"{place}/{name}"
        for place in places
        if os.path.isdir(place)
        for name in os.listdir(place)
        if name.startswith(_PREFIX)
    }
    found.update(f for f in folders if os.path.basename(f).startswith(_PREFIX))
    return sum(map(_sweep_one, sorted(found)))


def size_in_words(number: int) -> str:
    """A number of bytes as a person says it."""
    return f"{number / (1 << 20):.0f} MiB" if number >= 1 << 20 else f"{number} bytes"


def _below(path: str, root: str) -> str | None:
    """Our group's path as seen from a mount of `root`; None when it is not below."""
    if root == "/":
        return None if path.startswith("/..") or not path else path.rstrip("/")
    if path != root and not path.startswith(f"{root}/"):
        return None
    return path[len(root) :]


def _upwards(mount: str, below: str) -> Iterator[str]:
    while below:
        yield mount + below
        below = below.rpartition("/")[0]
    yield mount


def _can_divide(folder: str, controllers: list[str]) -> bool:
    """Whether groups below this folder of version 2 can have these controllers."""
    try:
        given = set(_text(f"{folder}/cgroup.subtree_control").split())
        missing = [name for name in controllers if name not in given]
        if missing:
            # Refused by the kernel where the controller or our right is missing, or
            # where processes are in this very group.
            orders = " ".join(f"+{name}" for name in missing)
            _write(f"{folder}/cgroup.subtree_control", orders)
    except OSError:
        return False
    # Moving a process takes the right to write where both groups meet.
    return all(os.access(f"{folder}{name}", os.W_OK) for name in ("", "/cgroup.procs"))


def _set_limit(folder: str, controller: str, value: float) -> None:
    is_second = os.path.exists(f"{os.path.dirname(folder)}/cgroup.controllers")
    if controller == "pids":
        _write(f"{folder}/pids.max", f"{value:.0f}")
    elif controller == "cpu":
        quota = max(round(value * _PERIOD), _LEAST_QUOTA)
        if is_second:
            _write(f"{folder}/cpu.max", f"{quota} {_PERIOD}")
        else:
            _write(f"{folder}/cpu.cfs_period_us", str(_PERIOD))
            _write(f"{folder}/cpu.cfs_quota_us", str(quota))
    elif is_second:
        _write(f"{folder}/memory.max", f"{value:.0f}")
        _write_if_there(f"{folder}/memory.swap.max", "0")
    else:
        _write(f"{folder}/memory.limit_in_bytes", f"{value:.0f}")
        _write_if_there(f"{folder}/memory.memsw.limit_in_bytes", f"{value:.0f}")


def _works(controller: str) -> bool:
    name = f"probe-{os.getpid()}-{os.urandom(4).hex()}"
    try:
        if controller == "memory":
            group = Cgroup.create(name, memory=64 << 20)
        else:
            group = Cgroup.create(name, cpus=1.0)
    except OSError:
        return False
    return group.remove()


def _locked(folder: str, how: int) -> int:
    """Mark a group as someone's; raises `BlockingIOError` when it is another's."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _sweep_one(folder: str) -> bool:
    try:
        lock = _locked(folder, fcntl.LOCK_EX)
    except OSError:
        return False
    try:
        _remove(folder)
    finally:
        os.close(lock)
    return not os.path.exists(folder)


def _remove(outer: str) -> bool:
    """Remove both groups, as far as we may; False while the inner one is in use."""
    inner = f"{outer}/{_INNER}"
    with contextlib.suppress(OSError):
        os.rmdir(inner)
    with contextlib.suppress(OSError):
        os.rmdir(outer)
    return not os.path.exists(inner)


def _counter(path: str, word: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in _text(path).splitlines():
            name, _, count = line.partition(" ")
            if name == word:
                return int(count)
    return 0


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _write(path: str, text: str) -> None:
    # Unbuffered: the kernel's answer to the write is the error we want.
    with open(path, "wb", buffering=0) as file:
        file.write(text.encode())


def _write_if_there(path: str, text: str) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):
        _write(path, text)
