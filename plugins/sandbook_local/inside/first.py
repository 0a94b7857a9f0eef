"""How init is made and heard of: by our own hands, or by bubblewrap's."""

# pathlib would add a third to the supervisor's start
# ruff: noqa: PTH123

from __future__ import annotations

import _socket
import fcntl
import json
import os
import select
import signal
import sys

from sandbook_local.inside import enter, frames, kernel
from sandbook_local.inside.init import Init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from sandbook_local.inside.bounds import Bounds
    from sandbook_local.inside.plan import Plan

    Made = tuple[int, _socket.socket, frames.Frame]

SETUP_TIMEOUT = 30.0
_OUT_OF_THE_WAY = 100


def make(plan: Plan, uid: int | None, limits: Bounds) -> Made:
    """Its pid, the channel to it, and its greeting; raises `enter.Refused`.

    `uid` is the host uid to become, None when this process already has one. Init is
    a child of this process by then, and has no rights left.
    """
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    if plan.launcher == "bwrap":
        return _make_by_bwrap(plan, uid, limits)
    return _make(plan, uid, limits)


def receive(channel: _socket.socket, *, stage: str = "start") -> frames.Frame:
    """The next frame of a channel that must not end before it."""
    reader = frames.Reader()
    while (frame := reader.next()) is None:
        if not reader.receive(channel):
            raise enter.Refused(stage, "the other side ended without a word")
    return frame


def close_all_but(kept: Iterable[int]) -> None:
    """Close what came along by the fork, except the log and these."""
    last = 2
    for descriptor in sorted(kept):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, 1024)


def _make(plan: Plan, uid: int | None, limits: Bounds) -> Made:
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    reading, writing = os.pipe()
    builder = os.fork()
    if builder == 0:
        close_all_but((theirs.fileno(), writing))
        limits.join(os.getpid())
        enter.become_first(plan, uid, report=writing, serve=Init(plan, theirs).serve)
    theirs.close()
    os.close(writing)
    first = _hear_report(reading)
    os.waitpid(builder, 0)
    return first, ours, receive(ours)


def _hear_report(reading: int) -> int:
    """The pid of init, once it is set up."""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    told = b""
    while poll.poll(SETUP_TIMEOUT * 1000) and (data := os.read(reading, 4096)):
        told += data
    os.close(reading)
    first = 0
    for message in _messages(told):
        if "stage" in message:
            cause, code = frames.text(message, "cause"), frames.whole(message, "errno")
            raise enter.Refused(frames.text(message, "stage"), cause, code)
        first = frames.whole(message, "first", least=2)
    if not first:
        raise enter.Refused("start", "the first process ended without a word")
    return first


def _messages(told: bytes) -> Iterable[frames.Message]:
    reader = frames.Reader()
    reader.feed(told)
    while (frame := reader.next()) is not None:
        yield frame.message


def _make_by_bwrap(plan: Plan, uid: int | None, limits: Bounds) -> Made:
    from sandbook_local.inside import guest

    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    info, errors = os.pipe(), os.pipe()
    launcher = os.fork()
    if launcher == 0:
        _be_bwrap(plan, uid, limits, (theirs.fileno(), errors[1], info[1]))
    theirs.close()
    os.close(info[1])
    os.close(errors[1])
    try:
        told: frames.Message = {"plan": plan.message, "host": guest.own_namespaces()}
        greeting = _greeted(ours, told, errors[0])
        pid = _find_child(os.read(info[0], 4096), launcher)
    finally:
        os.close(info[0])
        os.close(errors[0])
    _check_ids(pid, os.geteuid() if uid is None else uid)
    # Its work is done; without it init is our own child, and ends with us.
    os.kill(launcher, signal.SIGKILL)
    os.waitpid(launcher, 0)
    return pid, ours, greeting


def _be_bwrap(
    plan: Plan, uid: int | None, limits: Bounds, ends: tuple[int, int, int]
) -> NoReturn:
    """Become bubblewrap; `ends` are init's channel, errors, and the way for its pid."""
    from sandbook_local.inside import bwrap

    try:
        limits.join(os.getpid())
        high = [fcntl.fcntl(d, fcntl.F_DUPFD, _OUT_OF_THE_WAY) for d in (*ends, 2)]
        channel, errors, info, log = high
        for source, target in ((channel, 0), (errors, 2), (log, bwrap.LOG)):
            os.dup2(source, target)
        close_all_but((bwrap.LOG, info))
        if uid is not None:
            enter.become(uid)
        bwrap.become_bwrap(plan, info=info, program=sys.executable)
    except OSError as error:
        os.write(2, f"{error.strerror} {error.filename or ''}".encode())
    finally:
        os._exit(1)


def _greeted(
    channel: _socket.socket, told: frames.Message, errors: int
) -> frames.Frame:
    channel.settimeout(SETUP_TIMEOUT)
    try:
        frames.send_all(channel, frames.pack(told))
        greeting = receive(channel)
    except (enter.Refused, BrokenPipeError, ConnectionResetError) as error:
        said = os.read(errors, 4096).decode(errors="replace").strip()
        cause = said.splitlines()[-1] if said else "it ended without a word"
        raise enter.Refused("bwrap", cause) from error
    channel.settimeout(None)
    if "refused" in greeting.message:
        cause = frames.text(frames.child(greeting.message, "refused"), "cause")
        raise enter.Refused("bwrap", cause)
    return greeting


def _find_child(info: bytes, launcher: int) -> int:
    """The pid of init, as bubblewrap tells it; the kernel must agree."""
    try:
        told: object = json.loads(info)["child-pid"]
        with open(f"/proc/{told}/stat", "rb") as stat:
            parent = int(stat.read().rpartition(b")")[2].split()[1])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise enter.Refused("bwrap", "bubblewrap names no process") from error
    if not isinstance(told, int) or parent != launcher:
        raise enter.Refused("bwrap", "bubblewrap names another process")
    return told


def _check_ids(pid: int, uid: int) -> None:
    """See that one id is mapped, and to an ordinary one; asked from outside."""
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{name}", "rb") as table:
            rows = [list(map(int, line.split())) for line in table]
        own = uid if name == "uid_map" else os.getegid()
        if len(rows) != 1 or rows[0][0] != enter.INNER_UID or rows[0][2] != 1:
            raise enter.Refused("bwrap", f"bubblewrap maps {rows}")
        if rows[0][1] in (0, -1) or (name == "uid_map" and rows[0][1] != own):
            raise enter.Refused("bwrap", f"bubblewrap maps to {rows[0][1]}")
