"""How a process becomes the first one of a sandbox.

One recipe for root and for a plain user: whoever starts it, the namespaces belong to
an ordinary uid of the host. Mapping host uid 0 would leave `/proc/sys` open for
writing, which is an escape.
"""

from __future__ import annotations

import _socket
import os

from sandbook_local.inside import frames, kernel, seccomp, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbook_local.inside.plan import Plan

INNER_UID = 1000
HOST_NAME = "sandbox"

_NAMESPACES = (
    kernel.CLONE_NEWUSER
    | kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
    | kernel.CLONE_NEWCGROUP
)


class Refused(Exception):  # noqa: N818 (an answer to the creator)
    """This computer does not let us do a part of the set-up."""

    def __init__(self, stage: str, cause: str, code: int = 0) -> None:
        super().__init__(cause)
        self.stage = stage
        self.cause = cause
        self.code = code

    def to_message(self) -> frames.Message:
        """As the creating client reads it."""
        return {"stage": self.stage, "cause": self.cause, "errno": self.code}


def become_first(
    plan: Plan,
    uid: int | None,
    report: int,
    serve: Callable[[], None],
) -> None:
    """Turn this process into init and serve; never returns.

    `uid` is the host uid to become, None when this process already has one. What
    goes wrong is written to `report`; end-of-file without a word means it worked.
    """
    stage = ["machine"]
    try:
        _enter(plan, uid, stage)
        first = os.fork()
        if first:
            os.write(report, frames.pack({"first": first}))
            os._exit(0)
        _settle(stage, has_network=not plan.host_network)
        os.close(report)
        serve()
    except OSError as error:
        call = getattr(error, "call", "")
        cause = f"{call} {error.filename or ''}: {error.strerror}".strip()
        refusal = Refused(stage[0], cause, error.errno or 0)
        os.write(report, frames.pack(refusal.to_message()))
    finally:
        os._exit(1)


def _enter(plan: Plan, uid: int | None, stage: list[str]) -> None:
    if not seccomp.is_known(os.uname().machine):
        raise OSError(0, f"no system-call table for {os.uname().machine}")
    proc = "/proc"
    if uid is not None:
        stage[0] = "tree"
        kernel.unshare(kernel.CLONE_NEWNS)
        tree.plant(plan)
        proc = "/old/proc"
        stage[0] = "uid"
        become(uid)
    outer = os.getuid(), os.getgid()
    stage[0] = "namespaces"
    kernel.unshare(
        _NAMESPACES & ~kernel.CLONE_NEWNET if plan.host_network else _NAMESPACES
    )
    stage[0] = "map"
    _map_ids(proc, *outer)
    if uid is None:
        stage[0] = "tree"
        tree.plant(plan)
    stage[0] = "mounts"
    tree.finish(plan)
    tree.furnish(plan)


def become(uid: int) -> None:
    """Stop being root, for good."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    # A change of uid hides /proc/self from us, and the maps are written there.
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)


def _map_ids(proc: str, uid: int, gid: int) -> None:
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{INNER_UID} {uid} 1"),
        ("gid_map", f"{INNER_UID} {gid} 1"),
    ):
        descriptor = os.open(f"{proc}/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, content.encode())
        finally:
            os.close(descriptor)


def _settle(stage: list[str], *, has_network: bool) -> None:
    """As pid 1: the last mounts, then give up every right."""
    stage[0] = "proc"
    tree.mount_proc()
    stage[0] = "root"
    tree.enter()
    stage[0] = "network"
    if has_network:
        kernel.raise_loopback()
    _socket.sethostname(HOST_NAME)
    stage[0] = "rights"
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.drop_capabilities()
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    stage[0] = "filter"
    kernel.install_filter(seccomp.build_filter(os.uname().machine))
