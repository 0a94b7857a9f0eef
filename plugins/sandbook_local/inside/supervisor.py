"""The supervisor of one sandbox: holds its life, its commands and its spools.

It runs detached from whoever made the sandbox, as an ordinary uid, and believes
neither its clients nor init more than it must.
"""

# pathlib would add a third to the supervisor's start
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import _socket
import json
import os
import resource
import signal
import time
from struct import Struct

from sandbook_local.inside import frames, loop, terminal
from sandbook_local.inside.command import Command
from sandbook_local.inside.peer import Peer, accept
from sandbook_local.inside.service import Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbook_local.inside.bounds import Bounds
    from sandbook_local.inside.command import Limits
    from sandbook_local.inside.frames import Frame, Message
    from sandbook_local.inside.plan import Plan

_PEER_CREDENTIALS = 17  # SO_PEERCRED
_CREDENTIALS = Struct("=iII")  # pid, uid, gid
_WATCH_INTERVAL = 0.05
_ORDERS = 256
"""Orders that may wait for init before nothing new is started."""

_ORDERS_OF_A_DEAF = 4096
"""As many may wait when things are only ended; an init that takes none is no use."""
_FOLDER_INTERVAL = 5.0
_DESCRIPTORS_EACH = 8
"""At most so many does a command hold, the one who reads it included."""

_DESCRIPTORS_ASIDE = 64
_MOST_DESCRIPTORS = 1 << 20
_ADMIT_AGAIN = 0.05


class Supervisor:
    """Serves clients until the sandbox's life is over."""

    def __init__(
        self,
        plan: Plan,
        *,
        folder: int,
        terminals: int,
        init: _socket.socket,
        first: int,
        limits: Bounds,
    ) -> None:
        self.plan = plan
        self.commands: dict[str, Command] = {}
        self.is_paused = False
        self.loop = loop.Loop()
        self._folder = folder
        self._terminals = terminals
        self._spool = os.open(
            "spool", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder
        )
        self._first = first
        self._limits = limits
        self._service = Service(self)
        self._count = 0
        self._room = (_raised_limit() - _DESCRIPTORS_ASIDE) // _DESCRIPTORS_EACH
        self._peers: set[Peer] = set()
        self._created = time.time()
        self._hard_end = loop.now() + plan.hard_end
        self._end = min(loop.now() + plan.lifetime, self._hard_end)
        self._timer = self.loop.call_at(self._end, self._die)
        self._init = Peer(self.loop, init, self._hear_init)
        self._init.when_closed.append(lambda: self.end("init ended"))

    def listen(self, server: _socket.socket) -> None:
        """Let clients in through this socket."""
        self._server = server
        if self._limits.must_be_watched():
            self._watch_limits()
        server.setblocking(False)
        self._watch_door()

    def run(self) -> None:
        """Serve until the end; TERM brings it about."""
        signal.signal(signal.SIGTERM, self._on_term)
        self._look_after_folder()
        self.loop.run()

    def end(self, reason: str) -> None:
        """End the sandbox."""
        os.write(2, f"{time.time():.3f} end: {reason}\n".encode())
        self.loop.stop()

    def close(self) -> None:
        """Kill what is left; whoever waits is hung up on only after that."""
        os.kill(self._first, signal.SIGKILL)
        os.waitpid(self._first, 0)

    # What clients ask.

    def describe(self) -> Message:
        """The sandbox as it is now."""
        left = self._end - loop.now()
        return {
            "id": self.plan.id,
            "home": self.plan.home,
            "workdir": self.plan.workdir,
            "expires_at": time.time() + left,
            "paused": self.is_paused,
        }

    def pause(self) -> None:
        """Let the time of all commands stand still; the sandbox's own goes on."""
        if not self.is_paused:
            self.is_paused = True
            for command in self.commands.values():
                command.hold()
            self.write_record()

    def go_on(self) -> None:
        """Let it go on."""
        if self.is_paused:
            self.is_paused = False
            for command in self.commands.values():
                command.go_on()
            self.write_record()

    def extend(self, lifetime: float) -> None:
        """Live at least so long from now, but never beyond the hard end."""
        end = min(loop.now() + lifetime, self._hard_end)
        if end <= self._end:
            return
        self._end = end
        self._timer.cancel()
        self._timer = self.loop.call_at(end, self._die)
        self.write_record()

    def resolve(self, cwd: str | None) -> str:
        """The folder that a command starts in."""
        if cwd is None:
            return self.plan.workdir
        if cwd == "~" or cwd.startswith("~/"):
            return self.plan.home + cwd[1:]
        return os.path.join(self.plan.workdir, cwd)

    def start(
        self,
        key: str,
        order: Message,
        *,
        limits: Limits,
        stdin: int | None,
        program: str,
    ) -> Command:
        """Start a command whose key is new."""
        made = self._make(key, limits)
        made.start({**order, "do": "spawn", "id": made.number}, stdin, program=program)
        return made

    def start_in_terminal(
        self, key: str, order: Message, *, limits: Limits, cols: int, rows: int
    ) -> Command:
        """Start a command whose key is new, in a terminal of its own."""
        ours, theirs = terminal.open_terminal(self._terminals, cols=cols, rows=rows)
        made = self._make(key, limits)
        order = {**order, "do": "spawn", "id": made.number, "terminal": True}
        made.start_in_terminal(
            order, ours, theirs, program=frames.texts(order, "argv")[0]
        )
        return made

    def _make(self, key: str, limits: Limits) -> Command:
        self._count += 1
        made = Command(
            self._count, key, limits=limits, folder=self._spool, lp=self.loop, init=self
        )
        self.commands[key] = made
        return made

    def is_full(self) -> bool:
        """Whether no more may be started: too much waits, or runs."""
        return self.is_deaf() or self._keepers() >= self._room

    def is_deaf(self) -> bool:
        """Whether so much waits for init that nothing more may be asked of it."""
        return self._init.waiting >= _ORDERS

    def order(self, message: Message, descriptors: Iterable[int] = ()) -> None:
        """Send init an order; the descriptors stay ours."""
        if self._init.waiting >= _ORDERS_OF_A_DEAF:
            self.end("init takes no orders")
            return
        self._init.send(message, descriptors=[os.dup(d) for d in descriptors])

    def explain_failure(self) -> str | None:
        """The limit that a command which just failed may have met, in words."""
        return self._limits.explain_failure(self._keepers())

    def write_record(self) -> None:
        """Write what other processes may know of this sandbox."""
        record = json.loads(self.plan.record)
        record["expires_at"] = time.time() + self._end - loop.now()
        record["state"] = "paused" if self.is_paused else "running"
        record["supervisor"] = {"pid": os.getpid(), "start": _start_time()}
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open("sandbox.json.new", flags, 0o600, dir_fd=self._folder)
        try:
            os.write(descriptor, json.dumps(record).encode())
        finally:
            os.close(descriptor)
        os.rename(
            "sandbox.json.new",
            "sandbox.json",
            src_dir_fd=self._folder,
            dst_dir_fd=self._folder,
        )

    def _watch_door(self) -> None:
        self.loop.watch(self._server.fileno(), loop.READ, lambda _: self._admit())

    def _admit(self) -> None:
        try:
            descriptor = accept(self._server)
        except BlockingIOError:
            return
        except OSError:
            # Out of descriptors: whoever waits is let in when some were given back.
            self.loop.forget(self._server.fileno())
            self.loop.call_at(loop.now() + _ADMIT_AGAIN, self._watch_door)
            return
        channel = _socket.socket(fileno=descriptor)
        os.set_inheritable(descriptor, False)
        credentials = channel.getsockopt(
            _socket.SOL_SOCKET, _PEER_CREDENTIALS, _CREDENTIALS.size
        )
        if _CREDENTIALS.unpack(credentials)[1] != self.plan.owner:
            channel.close()
            return
        peer = Peer(self.loop, channel, self._service.serve)
        self._peers.add(peer)
        peer.when_closed.append(lambda: self._peers.discard(peer))

    def _hear_init(self, _peer: Peer, frame: Frame) -> None:
        frame.close()
        raise frames.ProtocolError("init has nothing to say")

    def _keepers(self) -> int:
        return sum(command.is_kept() for command in self.commands.values())

    def _on_term(self, _number: int, _frame: object) -> None:
        os.kill(self._first, signal.SIGKILL)  # we hear of that, and end

    def _look_after_folder(self) -> None:
        """Nobody can reach a sandbox whose folder was removed by hand: end it."""
        if os.fstat(self._folder).st_nlink == 0:
            self.end("its folder was taken away")
        self.loop.call_at(loop.now() + _FOLDER_INTERVAL, self._look_after_folder)

    def _watch_limits(self) -> None:
        # Nobody takes anything where nothing runs.
        is_busy = any(command.is_kept() for command in self.commands.values())
        exceeded = self._limits.exceeded() if is_busy else None
        if exceeded is not None:
            for command in self.commands.values():
                command.stop_for(exceeded)
        self.loop.call_at(loop.now() + _WATCH_INTERVAL, self._watch_limits)

    def _die(self) -> None:
        self.end("its life is over")


def _raised_limit() -> int:
    """How many descriptors we may have, after asking for all that are allowed."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else _MOST_DESCRIPTORS


def _start_time() -> int:
    with open("/proc/self/stat", "rb") as stat:
        return int(stat.read().rpartition(b")")[2].split()[19])
