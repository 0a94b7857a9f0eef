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
import signal
import sys
import zlib

from sandbook_local.inside import bounds, enter, first, frames, kernel, remove
from sandbook_local.inside.plan import Plan
from sandbook_local.inside.supervisor import Supervisor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_BACKLOG = 512
_GO = b"!"


def supervise() -> NoReturn:
    """Read the plan, make the sandbox, tell the creator, and serve until the end."""
    creator = _take_stdin()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    frame = first.receive(creator)
    plan = Plan(frame.message)
    is_root = os.geteuid() == 0
    if is_root:
        _leave_remover(plan)
    try:
        files = frame.descriptors[1:]  # behind the lock
        _supervise(plan, creator, files, is_root=is_root)
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


def _supervise(
    plan: Plan, creator: _socket.socket, files: list[int], *, is_root: bool
) -> None:
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
    pid, init, greeting = first.make(plan, uid, limits)
    if uid is not None:
        for name in ("root", "spool", "."):
            os.chown(name, uid, uid)
        enter.become(uid)
    listener = greeting.descriptors.pop() if proxy is not None else None
    proc, tmpfs, terminals = greeting.descriptors
    limits.look_at(proc, tmpfs)
    init.sendall(_GO)
    supervisor = Supervisor(
        plan,
        folder=folder,
        terminals=terminals,
        init=init,
        first=pid,
        limits=limits,
    )
    supervisor.write_record()
    supervisor.listen(server)
    if proxy is not None and listener is not None:
        _open_network(proxy, listener)
    for file in files:
        _unpack(supervisor, file)
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


def _unpack(supervisor: Supervisor, file: int) -> None:
    """Have the files of a snapshot made, before anybody can run anything."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    supervisor.order({"do": "unpack"}, [theirs.fileno(), file])
    theirs.close()
    os.close(file)
    number = frames.whole(first.receive(ours, stage="snapshot").message, "errno")
    if number:
        raise enter.Refused("snapshot", os.strerror(number).lower(), number)
    ours.close()


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


def _leave_remover(plan: Plan) -> None:
    """Go on as a child; this process waits for its end and removes the folder."""
    child = os.fork()
    if child == 0:
        return
    os.chdir("/")
    first.close_all_but(())
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
        first.close_all_but((theirs.fileno(),))
        _proxy(plan, uid, theirs, supervisor=supervisor)
    except Exception as error:  # noqa: BLE001 (the sandbox is then refused)
        sys.excepthook(type(error), error, error.__traceback__)
        refusal = enter.Refused("proxy", str(error) or type(error).__name__)
        with contextlib.suppress(OSError):
            frames.send_all(theirs, frames.pack({"refused": refusal.to_message()}))
    finally:
        os._exit(1)


def _open_network(proxy: _socket.socket, listener: int) -> None:
    """Give the proxy its socket as soon as it can serve; raises `enter.Refused`."""
    proxy.settimeout(first.SETUP_TIMEOUT)
    try:
        told = first.receive(proxy, stage="proxy").message
        if "refused" in told:
            cause = frames.text(frames.child(told, "refused"), "cause")
            raise enter.Refused("proxy", cause)
        frames.send_all(proxy, _GO, [listener])
    except OSError as error:
        cause = error.strerror or str(error)
        raise enter.Refused("proxy", cause, error.errno or 0) from error
    finally:
        os.close(listener)
        proxy.close()


def _proxy(
    plan: Plan, uid: int | None, channel: _socket.socket, *, supervisor: int
) -> None:
    # All before the change of uid: later the interpreter may be out of reach.
    import importlib
    import socket

    importlib.import_module(
        "encodings.idna"
    )  # names of hosts need it, and find it late

    from sandbook_local import hosts, proxy

    policy = hosts.Policy(plan.allow, also=plan.also)
    if uid is not None:
        enter.become(uid)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        return  # it ended while we were loading
    frames.send_all(channel, frames.pack({"ready": True}))
    _, extra, _, _ = channel.recvmsg(1, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
    if not extra:
        return
    listener = socket.socket(fileno=int.from_bytes(extra[0][2][:4], sys.byteorder))
    proxy.serve_policy(listener, policy)
