"""How bubblewrap makes a sandbox, where only it may use user namespaces.

The tree is the same as that of `tree`, but for what bubblewrap cannot do: `/tmp` is a
link to a folder beside the home, so that both share one limit, and `/dev/shm` has an
eighth of the limit for itself. Nothing is believed: `guest` checks from inside, and
the supervisor from outside, that the sandbox is what was ordered.
"""

# pathlib would add a third to the supervisor's start; `/tmp` is the sandbox's own
# ruff: noqa: S108, PTH110, PTH113, PTH118, PTH120

from __future__ import annotations

import os

from sandbook_local.inside import enter, tree
from sandbook_local.inside.plan import CODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

    from sandbook_local.inside.plan import Plan

PATH = "/usr/bin/bwrap"
LOG = 3
"""The descriptor of the log for init; bubblewrap itself writes its errors to 2."""

_TMP = ".tmp"
_NAMESPACES = ("user", "ipc", "pid", "uts", "cgroup")


def become_bwrap(plan: Plan, *, info: int, program: str) -> NoReturn:
    """Turn this process, an ordinary one, into bubblewrap; 0 is init's channel.

    `info` gets the pid of init as JSON, `program` is the interpreter inside.
    """
    os.set_inheritable(info, True)
    arguments = [*_arguments(plan), "--info-fd", str(info)]
    packed = "\0".join(arguments).encode("utf-8", "surrogateescape") + b"\0"
    # What it is told is nobody's business; a command line is everybody's.
    told = str(_hold(packed))
    inner = [program, "-I", "-S", f"{CODE}/main.py", "guest"]
    nothing: dict[str, str] = {}
    os.execve(PATH, [PATH, "--args", told, "--", *inner], nothing)  # noqa: S606


def shared_disk(disk: int) -> int:
    """The part of the limit that home, work folder and `/tmp` share, in bytes."""
    return disk - disk // 8


def _arguments(plan: Plan) -> Iterator[str]:
    for name in _NAMESPACES if plan.host_network else (*_NAMESPACES, "net"):
        yield f"--unshare-{name}"
    yield from ("--uid", str(enter.INNER_UID), "--gid", str(enter.INNER_UID))
    yield from ("--hostname", enter.HOST_NAME, "--as-pid-1", "--new-session")
    yield from ("--cap-drop", "ALL", "--clearenv")
    yield from _folders(plan)
    yield from _system(plan)
    yield from _processes()
    size = str(max(plan.disk // 8, 1))
    yield from ("--dev", "/dev", "--size", size, "--perms", "1777")
    yield from ("--tmpfs", "/dev/shm", "--remount-ro", "/dev", "--remount-ro", "/")
    yield from ("--chdir", "/")


def _folders(plan: Plan) -> Iterator[str]:
    volume = os.path.dirname(plan.home)
    size = str(shared_disk(plan.disk))
    yield from ("--perms", "0755", "--size", size, "--tmpfs", volume)
    yield from ("--perms", "0755", "--dir", plan.home)
    yield from ("--perms", "1777", "--dir", os.path.join(volume, _TMP))
    yield from ("--symlink", os.path.join(volume, _TMP)[1:], "/tmp")


def _system(plan: Plan) -> Iterator[str]:
    # Or bubblewrap makes them, and closes them to others.
    for path in ("/etc", "/run", os.path.dirname(CODE)):
        yield from ("--perms", "0755", "--dir", path)
    for source, target in plan.binds:
        yield from ("--ro-bind", source, _moved(plan, target))
    for text, path in plan.links:
        yield from ("--symlink", text, path)
    for path, content in plan.files:
        yield from ("--perms", "0644", "--file", str(_hold(content.encode())), path)


def _processes() -> Iterator[str]:
    yield from ("--proc", "/proc")
    for name in tree.PROC_READ_ONLY:
        if os.path.exists(f"/proc/{name}"):
            yield from ("--ro-bind", f"/proc/{name}", f"/proc/{name}")
    for name in tree.PROC_HIDDEN:
        if os.path.isfile(f"/proc/{name}"):
            yield from ("--ro-bind", "/dev/null", f"/proc/{name}")


def _moved(plan: Plan, path: str) -> str:
    """Where a path really is: below `/tmp` it is not."""
    if not path.startswith("/tmp/"):
        return path
    return os.path.join(os.path.dirname(plan.home), _TMP, path[len("/tmp/") :])


def _hold(content: bytes) -> int:
    """A descriptor, inherited, that reads these bytes."""
    descriptor = os.memfd_create("sandbook", 0)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.set_inheritable(descriptor, True)
    return descriptor
