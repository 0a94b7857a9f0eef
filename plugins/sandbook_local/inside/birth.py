"""How a supervisor comes to be: everything that needs root, in order, then none of it.

As root there are two processes more than for a plain user: a remover, which waits for
the supervisor's end and takes the folder away, since the uid that the supervisor has
by then may not; and the uid itself, held for as long as the sandbox lives.
"""

# pathlib would add a third to the supervisor's start
# ruff: noqa: PTH102

from __future__ import annotations

import _socket
import contextlib
import os
import resource
import select
import signal
import sys
import zlib

from sandbook_local.inside import bounds, enter, frames, kernel, remove
from sandbook_local.inside.init import Init
from sandbook_local.inside.plan import Plan
from sandbook_local.inside.supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

_SETUP_TIMEOUT = 30_000
_BACKLOG = 512
_GO = b"!"


def supervise() -> NoReturn:
    """Read the plan, make the sandbox, tell the creator, and serve until the end."""
    creator = _take_stdin()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    frame = _receive(creator)
    plan = Plan(frame.message)
    is_root = os.geteuid() == 0
    if is_root:
        _leave_remover(plan)
    try:
        _supervise(plan, creator, is_root=is_root)
    except enter.Refused as refusal:
        frames.send_all(creator, frames.pack({"refused": refusal.to_message()}))
    except OSError as error:
        cause = f"{error.strerror} {error.filename or ''}".strip()
        told = enter.Refused("supervisor", cause, error.errno or 0).to_message()
        frames.send_all(creator, frames.pack({"refused": told}))
        raise
    finally:
        remove.remove_folder(plan.folder)
    sys.exit(0)


def _supervise(plan: Plan, creator: _socket.socket, *, is_root: bool) -> None:
    os.chdir(plan.folder)
    uid, holder = _take_uid(plan) if is_root else (None, None)
    for name in ("root", "spool"):
        os.mkdir(name, 0o700)
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    server.bind("control.sock")
    server.listen(_BACKLOG)
    folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    proxy = _start_proxy(plan, uid) if plan.egress else None
    limits = _bound(plan, uid)
    first, init, greeting = _make_init(plan, uid, limits)
    if uid is not None:
        for name in ("root", "spool", "."):
            os.chown(name, uid, uid)
        enter.become(uid)
    if proxy is not None:
        _hand_over(proxy, greeting.descriptors.pop())
    proc, tmpfs, terminals = greeting.descriptors
    limits.look_at(proc, tmpfs)
    init.sendall(_GO)
    supervisor = Supervisor(
        plan,
        folder=folder,
        terminals=terminals,
        init=init,
        first=first,
        limits=limits,
    )
    supervisor.write_record()
    supervisor.listen(server)
    frames.send_all(creator, frames.pack({"ready": True}))
    if plan.probe or creator.recv(1) == _GO:
        creator.close()
        if not plan.probe:
            supervisor.run()
    supervisor.close()
    limits.remove()
    # Before clients are hung up on: they look at the folder to know what that means.
    remove.empty_folder(folder)
    del holder


def _bound(plan: Plan, uid: int | None) -> bounds.Bounds:
    try:
        return bounds.Bounds(plan, uid)
    except OSError as error:
        raise enter.Refused("limits", str(error), error.errno or 0) from error


def _take_stdin() -> _socket.socket:
    """The way to the creator, off descriptor 0."""
    creator = _socket.socket(fileno=os.dup(0))
    empty = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(empty, descriptor, inheritable=True)
    os.close(empty)
    return creator


def _receive(channel: _socket.socket) -> frames.Frame:
    reader = frames.Reader()
    while (frame := reader.next()) is None:
        if not reader.receive(channel):
            raise enter.Refused("start", "the other side ended without a word")
    return frame


def _leave_remover(plan: Plan) -> None:
    """Go on as a child; this process waits for its end and removes the folder."""
    child = os.fork()
    if child == 0:
        return
    os.chdir("/")
    _close_all_but(())
    os.waitpid(child, 0)
    remove.remove_folder(plan.folder)
    if plan.memory is not None or plan.cpus is not None:
        from sandbook_local import cgroups

        cgroups.sweep()
    os._exit(0)


def _take_uid(plan: Plan) -> tuple[int, _socket.socket]:
    """A uid that no other sandbox of this computer has, and what holds it.

    The name of an abstract socket is free again when its holder dies, however it
    dies, and is one for all users and folders of this computer.
    """
    wish = zlib.crc32(plan.id.encode())
    for step in range(plan.uid_count):
        uid = plan.uid_base + (wish + step) % plan.uid_count
        holder = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            holder.bind(f"\0sandbook-uid-{uid}")
        except OSError:
            holder.close()
            continue
        return uid, holder
    raise enter.Refused("uid", "every uid of the range is in use")


def _make_init(
    plan: Plan, uid: int | None, limits: bounds.Bounds
) -> tuple[int, _socket.socket, frames.Frame]:
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    reading, writing = os.pipe()
    builder = os.fork()
    if builder == 0:
        _close_all_but((theirs.fileno(), writing))
        limits.join(os.getpid())
        enter.become_first(plan, uid, report=writing, serve=Init(plan, theirs).serve)
    theirs.close()
    os.close(writing)
    first = _hear_report(reading)
    os.waitpid(builder, 0)
    return first, ours, _receive(ours)


def _hear_report(reading: int) -> int:
    """The pid of init, once it is set up."""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    told = b""
    while poll.poll(_SETUP_TIMEOUT) and (data := os.read(reading, 4096)):
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


def _start_proxy(plan: Plan, uid: int | None) -> _socket.socket:
    """Start the process that reaches the network for the sandbox.

    It loads its modules beside our own work, and gets its socket when there is one.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    supervisor = os.getpid()
    if os.fork():
        theirs.close()
        return ours
    try:
        _close_all_but((theirs.fileno(),))
        _proxy(plan, uid, theirs, supervisor=supervisor)
    except Exception as error:  # noqa: BLE001 (the network is then closed)
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(1)


def _hand_over(proxy: _socket.socket, listener: int) -> None:
    # One that could not start has said so in the log; its network stays closed.
    with contextlib.suppress(BrokenPipeError):
        frames.send_all(proxy, _GO, [listener])
    os.close(listener)


def _proxy(
    plan: Plan, uid: int | None, channel: _socket.socket, *, supervisor: int
) -> None:
    # All before the change of uid: later the interpreter may be out of reach.
    import importlib
    import socket

    importlib.import_module(
        "encodings.idna"
    )  # names of hosts need it, and find it late

    from sandbook_local import proxy

    if uid is not None:
        enter.become(uid)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        return  # it ended while we were loading
    _, extra, _, _ = channel.recvmsg(1, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
    if not extra:
        return
    listener = socket.socket(fileno=int.from_bytes(extra[0][2][:4], sys.byteorder))
    allow = None if plan.allow is None else tuple(plan.allow)
    proxy.serve(listener, allow)


def _close_all_but(kept: Iterable[int]) -> None:
    """Close what came along by the fork, except the log and these."""
    last = 2
    for descriptor in sorted(kept):
        os.closerange(last + 1, descriptor)
        last = descriptor
    os.closerange(last + 1, 1024)
