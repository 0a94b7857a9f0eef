"""Init where bubblewrap made the sandbox: what was ordered is checked, then served.

It begins as a program of its own, so it is told the plan through its channel, and the
host's namespaces with it: none of them may be its own.
"""

# pathlib would add a third to the supervisor's start
# ruff: noqa: PTH115, PTH123

from __future__ import annotations

import _socket
import os

from sandbook_local.inside import bwrap, enter, frames, kernel, seccomp, tree
from sandbook_local.inside.init import Init
from sandbook_local.inside.plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

NAMESPACES = ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup")
_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def own_namespaces() -> dict[str, str]:
    """The names of the namespaces that this process is in."""
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}


def begin() -> NoReturn:
    """Be init; what is not as ordered is told on the channel, and the end."""
    os.dup2(bwrap.LOG, 2)
    os.close(bwrap.LOG)
    channel = _socket.socket(fileno=os.dup(0))
    empty = os.open("/dev/null", os.O_RDWR)
    os.dup2(empty, 0)
    os.dup2(empty, 1)
    os.close(empty)
    try:
        reader = frames.Reader()
        while (frame := reader.next()) is None:
            if not reader.receive(channel):
                os._exit(1)
        plan = Plan(frames.child(frame.message, "plan"))
        _settle(plan, frames.mapping(frame.message, "host"))
        Init(plan, channel).serve()
    except enter.Refused as refusal:
        frames.send_all(channel, frames.pack({"refused": refusal.to_message()}))
    except OSError as error:
        cause = f"{error.strerror} {error.filename or ''}".strip()
        told = enter.Refused("bwrap", cause, error.errno or 0).to_message()
        frames.send_all(channel, frames.pack({"refused": told}))
    finally:
        os._exit(1)


def _settle(plan: Plan, host: dict[str, str]) -> None:
    # /proc/self is root's for whoever is not dumpable, and is looked at here.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
    _check("the first process", os.getpid() == 1)
    for name, mine in own_namespaces().items():
        shared = name == "net" and plan.host_network
        _check(f"a {name} namespace of its own", shared or mine != host[name])
    if not plan.host_network:
        names = [name for _, name in _socket.if_nameindex()]
        _check("no network but loopback", names == ["lo"])
    _check_disk(plan)
    tree.furnish(plan, root="")
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.install_filter(seccomp.build_filter(os.uname().machine))
    _check_rights()


def _check_disk(plan: Plan) -> None:
    limits = {plan.home: bwrap.shared_disk(plan.disk), "/dev/shm": plan.disk // 8}  # noqa: S108
    for path, limit in limits.items():
        found = os.statvfs(path)
        # The kernel counts whole pages.
        size = found.f_blocks * found.f_frsize
        _check(f"a limit of {path}", 0 < size <= limit + found.f_frsize)
    for path in ("/", "/dev", "/proc/sys", *(target for _, target in plan.binds)):
        _check(f"{path} read-only", bool(os.statvfs(path).f_flag & os.ST_RDONLY))


def _check_rights() -> None:
    with open("/proc/self/status", "rb") as lines:
        pairs = [line.decode().split(":\t", 1) for line in lines if b":\t" in line]
    status = {name: value.strip() for name, value in pairs}
    for name in _CAPABILITIES:
        _check(f"no {name}", int(status[name], 16) == 0)
    _check("no way to new rights", status["NoNewPrivs"] == "1")
    _check("a system-call filter", status["Seccomp"] == "2")


def _check(what: str, holds: bool) -> None:  # noqa: FBT001 (a claim about `what`)
    if not holds:
        raise enter.Refused("bwrap", f"bubblewrap did not give us: {what}")
