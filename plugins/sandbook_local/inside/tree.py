"""What a sandbox sees: the system read-only, a home of its own, and no more.

`plant` runs as real root where there is one, since only it may reach an interpreter
below a closed folder; `finish` runs in the namespaces of the sandbox. Between them
`/old` is the host and `/new` the tree to be.
"""

# pathlib would add a third to the supervisor's start; `/tmp` is the sandbox's own
# ruff: noqa: S108, PTH101, PTH102, PTH103, PTH110, PTH112, PTH113, PTH120, PTH211

from __future__ import annotations

import os

from sandbook_local.inside import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbook_local.inside.plan import Plan

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = (
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
)
PROC_READ_ONLY = ("sys", "irq", "bus", "fs", "sysrq-trigger", "driver")
PROC_HIDDEN = ("kcore", "keys", "timer_list", "sched_debug", "kpagecount", "acpi")
_TMPFS_FLAGS = kernel.MS_NOSUID | kernel.MS_NODEV


def plant(plan: Plan) -> None:
    """Build the read-only part below `/new` and move the host to `/old`."""
    base = f"{plan.folder}/root"
    kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
    kernel.mount(
        "tmpfs", base, kind="tmpfs", flags=_TMPFS_FLAGS, data="mode=755,size=16m"
    )
    for name in ("new", "old", "data", "later"):
        os.mkdir(f"{base}/{name}", 0o755)
    kernel.pivot_root(base, f"{base}/old")
    os.chdir("/")
    for number, (source, target) in enumerate(plan.binds):
        place = f"/later/{number}" if _is_covered(plan, target) else f"/new{target}"
        _bind_read_only(f"/old{source}", place)
    for target, path in plan.links:
        _make_parents(f"/new{path}")
        os.symlink(target, f"/new{path}")
    for path, content in plan.files:
        _write(f"/new{path}", content)
    for path in ("/proc", "/tmp", "/dev/pts", "/dev/shm", plan.home, plan.workdir):
        _make_folder(f"/new{path}")
    _plant_devices()


def finish(plan: Plan) -> None:
    """Add what belongs to the sandbox itself: its writable folders and terminals."""
    kernel.mount("/new", "/new", flags=kernel.MS_BIND | kernel.MS_REC)
    # Half as many entries as pages: an empty file costs the kernel memory, too.
    limits = f"size={plan.disk},nr_inodes={max(plan.disk // 2048, 1024)},mode=755"
    kernel.mount("tmpfs", "/data", kind="tmpfs", flags=_TMPFS_FLAGS, data=limits)
    for name, target, mode in _writable(plan):
        os.mkdir(f"/data/{name}")
        os.chmod(f"/data/{name}", mode)
        kernel.mount(f"/data/{name}", f"/new{target}", flags=kernel.MS_BIND)
    _uncover(plan)
    terminals = "newinstance,ptmxmode=0666,mode=620"
    flags = kernel.MS_NOSUID | kernel.MS_NOEXEC
    kernel.mount("devpts", "/new/dev/pts", kind="devpts", flags=flags, data=terminals)


def furnish(plan: Plan, *, root: str = "/new") -> None:
    """Fill the home folder."""
    home = f"{root}{plan.home}"
    for target, path in plan.home_links:
        _make_parents(f"{home}/{path}")
        os.symlink(target, f"{home}/{path}")
    for path, content in plan.home_files:
        _write(f"{home}/{path}", content)
    os.makedirs(f"{root}{plan.workdir}", exist_ok=True)


def mount_proc() -> None:
    """Show the processes of this pid namespace, while the host's are still mounted.

    The kernel refuses a new `proc` to whoever does not already see a whole one.
    """
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    kernel.mount("proc", "/new/proc", kind="proc", flags=flags)
    for name in PROC_READ_ONLY:
        path = f"/new/proc/{name}"
        if os.path.exists(path):
            kernel.mount(path, path, flags=kernel.MS_BIND | kernel.MS_REC)
            kernel.remount(path, flags | kernel.MS_RDONLY)
    for name in PROC_HIDDEN:
        path = f"/new/proc/{name}"
        if os.path.isfile(path):
            kernel.mount("/new/dev/null", path, flags=kernel.MS_BIND)


def enter() -> None:
    """Make `/new` the root and lose sight of the host for good."""
    kernel.make_read_only("/new", recursive=False)
    os.chdir("/new")
    kernel.pivot_root(".", ".")
    kernel.unmount(".")
    os.chdir("/")


def _writable(plan: Plan) -> list[tuple[str, str, int]]:
    places = [
        ("home", plan.home, 0o755),
        ("tmp", "/tmp", 0o1777),
        ("shm", "/dev/shm", 0o1777),
    ]
    inside = [f"{target}/" for _, target, _ in places]
    if not any(f"{plan.workdir}/".startswith(target) for target in inside):
        places.append(("work", plan.workdir, 0o755))
    return places


def _is_covered(plan: Plan, path: str) -> bool:
    """Whether a writable folder will be put over this path."""
    return any(f"{path}/".startswith(f"{target}/") for _, target, _ in _writable(plan))


def _uncover(plan: Plan) -> None:
    """Show again what a writable folder hides: an interpreter may live below `/tmp`."""
    for number, (_, target) in enumerate(plan.binds):
        if _is_covered(plan, target):
            _make_folder(f"/new{target}")
            flags = kernel.MS_BIND | kernel.MS_REC
            kernel.mount(f"/later/{number}", f"/new{target}", flags=flags)


def _plant_devices() -> None:
    for name in _DEVICES:
        _write(f"/new/dev/{name}", "")
        kernel.mount(f"/old/dev/{name}", f"/new/dev/{name}", flags=kernel.MS_BIND)
    for target, name in _DEVICE_LINKS:
        os.symlink(target, f"/new/dev/{name}")


def _bind_read_only(source: str, target: str) -> None:
    if os.path.isdir(source):
        _make_folder(target)
    else:
        _write(target, "")
    kernel.mount(source, target, flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.make_read_only(target, recursive=True)


def _make_folder(path: str) -> None:
    os.makedirs(path, 0o755, exist_ok=True)


def _make_parents(path: str) -> None:
    _make_folder(os.path.dirname(path))


def _write(path: str, content: str) -> None:
    _make_parents(path)
    mode = 0o755 if content.startswith("#!") else 0o644
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode
    )
    try:
        os.write(descriptor, content.encode())
    finally:
        os.close(descriptor)
