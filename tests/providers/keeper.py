"""The process that keeps one command of a bare sandbox: starts it, spools it, ends it.

One keeper per command, made an orphan at once, so that the command outlives the
client. It is a child subreaper: whatever the command leaves behind becomes its
child and is found when the command or the sandbox must end. Standard library only,
because it starts with every command.

The folder it is given holds `request.json` (and `stdin`); it adds `sock`, `pid`,
`lock`, and at the end `spool` and `result.json`.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

# A keeper starts without a search path of ours: this is the folder that holds `tests`.
sys.path.insert(0, os.path.abspath(f"{__file__}/../../.."))  # noqa: PTH100 - no pathlib
from tests.providers.keeper_parts import (
    END,
    FRAME,
    SUPERSEDED,
    Connection,
    Frame,
    Spool,
    descendants,
    is_over,
    kill_all,
    listening,
    open_stdin,
    store,
)

CHUNK = 64 << 10
SLOW_READER = 1 << 20
TICK = 0.05
PR_SET_CHILD_SUBREAPER = 36


def _ignore(number: int, frame: FrameType | None) -> None:
    """Be there, so that the signal wakes the loop."""


class Keeper:
    """The loop around one command."""

    def __init__(self, folder: str) -> None:
        with open(f"{folder}/request.json", encoding="utf-8") as file:  # noqa: PTH123
            self.request = json.load(file)
        self.folder = folder
        self.life = f"{folder}/../../life"
        self.selector = selectors.DefaultSelector()
        self.spools = [Spool(self.request["head"], self.request["tail"]) for _ in "12"]
        self.connections: dict[int, Connection] = {}
        self.consumer: Connection | None = None
        self.pipes: dict[int, int] = {}
        self.reading = False
        self.input: int | None = None
        self.seq = 0
        self.pid = 0
        self.status: int | None = None
        self.ended = False
        self.began = time.monotonic()
        self.term_at = self.kill_at = self.wipe_at = float("inf")
        self.timed_out = self.lost = False
        if self.request["timeout"] is not None:
            self.term_at = self.began + self.request["timeout"]

    def listen(self) -> None:
        """Be reached by clients, known to be there, and woken by children."""
        self.listener = listening(self.folder)
        self.selector.register(self.listener, selectors.EVENT_READ, "listener")
        self.lock = os.open(f"{self.folder}/lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.woken, wake = socket.socketpair()
        for end in (self.woken, wake):
            end.setblocking(False)
        self.wake = wake
        signal.signal(signal.SIGCHLD, _ignore)
        # Who started the tests in the background may have had it ignored, and that
        # would be handed down to the command.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self.selector.register(self.woken, selectors.EVENT_READ, "child")

    def start(self) -> None:
        """Start the program; one that cannot start ends as a shell would tell it."""
        outs = [os.pipe() for _ in "12"]
        stdin, self.input = open_stdin(self.request["stdin"], self.folder)
        try:
            # Held, because a Popen that is dropped takes the exit status with it.
            self.child = subprocess.Popen(
                self.request["argv"],
                stdin=stdin,
                stdout=outs[0][1],
                stderr=outs[1][1],
                env=self.request["env"],
                cwd=self.request["cwd"],
                start_new_session=True,
                user=self.request["user"],
                group=self.request["group"],
                extra_groups=None if self.request["user"] is None else [],
            )
            self.pid = self.child.pid
        except OSError as error:
            os.write(
                outs[1][1], f"{self.request['argv'][0]}: {error.strerror}\n".encode()
            )
            missing = isinstance(error, FileNotFoundError | NotADirectoryError)
            self.status = (127 if missing else 126) << 8
        for number, (here, there) in enumerate(outs):
            os.close(there)
            os.set_blocking(here, False)
            self.pipes[here] = number
        os.close(stdin)

    def run(self) -> None:
        """Serve until the command's last process and the last client are gone."""
        while True:
            self._set_reading()
            for key, events in self.selector.select(TICK):
                self._serve(key.data, key.fd, events)
            self._reap()
            self._keep_time()
            if self.status is not None and not self.ended and not self._is_ending():
                self._finish()
            if self.ended and (self.lost or not self.connections) and not descendants():
                return

    def _is_ending(self) -> bool:
        return self.wipe_at < float("inf") and bool(descendants())

    def _serve(self, what: object, fd: int, events: int) -> None:
        if what == "listener":
            self._accept()
        elif what == "child":
            with contextlib.suppress(BlockingIOError):
                self.woken.recv(4096)
        elif what == "pipe":
            self._read(fd)
        elif what == "input":
            self._feed()
        elif isinstance(what, Connection):
            self._talk(what, events)

    def _set_reading(self) -> None:
        """Read the pipes unless the one who reads them is slow, or there is nobody."""
        wanted = any(c.role in ("output", "wait") for c in self.connections.values())
        slow = self.consumer is not None and len(self.consumer.to_send) > SLOW_READER
        reading = not slow and (wanted or not self.request["background"] or self.ended)
        if reading == self.reading:
            return
        self.reading = reading
        for fd in self.pipes:
            if reading:
                self.selector.register(fd, selectors.EVENT_READ, "pipe")
            else:
                self.selector.unregister(fd)

    def _read(self, fd: int) -> bool:
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            if self.reading:
                self.selector.unregister(fd)
            del self.pipes[fd]
            os.close(fd)
            return False
        if not self.ended:
            self.seq += 1
            frame = (self.seq, self.pipes[fd], time.time(), data)
            self.spools[frame[1]].add(frame)
            if self.consumer is not None:
                self._queue(self.consumer, frame)
        return True

    def _queue(self, client: Connection, frame: Frame) -> None:
        seq, stream, at, data = frame
        client.to_send += FRAME.pack(seq, stream, at, len(data)) + data
        self._watch(client)

    def _watch(self, client: Connection) -> None:
        events = selectors.EVENT_READ
        if client.to_send or client.close_when_sent:
            events |= selectors.EVENT_WRITE
        self.selector.modify(client.sock, events, client)

    def _accept(self) -> None:
        sock = self.listener.accept()[0]
        sock.setblocking(False)
        client = Connection(sock)
        self.connections[sock.fileno()] = client
        self.selector.register(sock, selectors.EVENT_READ, client)

    def _drop(self, client: Connection) -> None:
        self.selector.unregister(client.sock)
        del self.connections[client.sock.fileno()]
        client.sock.close()
        if self.consumer is client:
            self.consumer = None

    def _talk(self, client: Connection, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                sent = client.sock.send(client.to_send[:CHUNK]) if client.to_send else 0
                del client.to_send[:sent]
                self._watch(client)
                if client.close_when_sent and not client.to_send:
                    self._drop(client)
                    return
            if events & selectors.EVENT_READ:
                data = client.sock.recv(CHUNK)
                if not data:
                    self._drop(client)
                    return
                client.received += data
                self._obey(client)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)

    def _obey(self, client: Connection) -> None:
        if client.role == "send":
            self._feed()
            return
        if client.role != "new" or b"\n" not in client.received:
            return
        line, _, rest = client.received.partition(b"\n")
        client.received = bytearray(rest)
        asked = json.loads(line)
        client.role = asked["op"]
        if client.role == "output":
            self._begin_output(client, asked["after"])
        elif client.role == "wait":
            self._answer(client, {}) if self.ended else None
        elif client.role == "signal":
            self._answer(client, {"sent": self._signal(asked["name"])})
        elif client.role == "send":
            client.stdin_left = asked["size"]
            self._feed()
        elif client.role == "end_input":
            self._close_input()
            self._answer(client, {})

    def _answer(self, client: Connection, value: dict[str, object]) -> None:
        client.to_send += json.dumps(value).encode() + b"\n"
        client.close_when_sent = True
        self._watch(client)

    def _begin_output(self, client: Connection, after: int) -> None:
        if self.consumer is not None:
            self._queue(self.consumer, (0, SUPERSEDED, 0.0, b""))
            self.consumer.close_when_sent = True
            self._watch(self.consumer)
        kept = sorted(self.spools[0].frames() + self.spools[1].frames())
        for frame in kept:
            if frame[0] > after:
                self._queue(client, frame)
        if self.ended:
            self._end_output(client)
            return
        self.consumer = client

    def _end_output(self, client: Connection) -> None:
        self._queue(client, (0, END, 0.0, b""))
        client.close_when_sent = True
        self._watch(client)

    def _signal(self, name: str) -> bool:
        if self.ended:
            return False
        if name == "KILL":
            self.wipe_at = 0.0
        kill_all(getattr(signal, f"SIG{name}"))
        return True

    def _feed(self) -> None:
        """Move what clients send into the pipe, as far as it takes it."""
        senders = [c for c in self.connections.values() if c.role == "send"]
        for client in senders:
            try:
                while client.received and self.input is not None:
                    done = os.write(self.input, client.received[:CHUNK])
                    del client.received[:done]
                    client.stdin_left -= done
            except BlockingIOError:
                self._wait_for_room(waiting=True)
                return
            except OSError:
                self._close_input()
            if self.input is None or self.ended:
                self._answer(client, {"closed": True})
                client.role = "done"
            elif client.stdin_left <= 0:
                self._answer(client, {})
                client.role = "done"
        self._wait_for_room(waiting=False)

    def _wait_for_room(self, *, waiting: bool) -> None:
        if self.input is None:
            return
        watched = self.input in self.selector.get_map()
        if waiting and not watched:
            self.selector.register(self.input, selectors.EVENT_WRITE, "input")
        elif watched and not waiting:
            self.selector.unregister(self.input)

    def _close_input(self) -> None:
        if self.input is not None:
            self._wait_for_room(waiting=False)
            os.close(self.input)
            self.input = None

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.pid:
                    self.status = status

    def _keep_time(self) -> None:
        now = time.monotonic()
        if now >= self.term_at and self.status is None:
            self.term_at = float("inf")
            self.timed_out = True
            self.wipe_at = now + self.request["grace"]
            kill_all(signal.SIGTERM)
        if is_over(self.life):
            self.lost = True
            self.wipe_at = 0.0
        if now >= self.wipe_at:
            kill_all(signal.SIGKILL)

    def _finish(self) -> None:
        """Take what the pipes hold now; left-over children are not waited for."""
        for fd in list(self.pipes):
            for _ in range(17):
                if not self._read(fd):
                    break
        self.wipe_at = float("inf") if not self.lost else 0.0
        self.ended = True
        self._store()
        for client in list(self.connections.values()):
            if client.role == "output":
                self._end_output(client)
            elif client.role == "wait":
                self._answer(client, {})
            elif client.role == "send":
                self._answer(client, {"closed": True})
                client.role = "done"

    def _store(self) -> None:
        if self.lost:
            return
        status = self.status or 0
        code: int | None = status >> 8
        end = "exited"
        if os.WIFSIGNALED(status):
            end, code = "signalled", 128 + os.WTERMSIG(status)
        if self.timed_out:
            end, code = "timed_out", None
        seconds = time.monotonic() - self.began
        told = {"end": end, "code": code, "seconds": seconds}
        store(self.folder, self.spools, told)


def main() -> None:
    """Become an orphan, start the command, tell the launcher, keep it."""
    here, there = os.pipe()
    if os.fork():
        os.close(there)
        os._exit(0 if os.read(here, 1) else 1)
    os.setsid()
    os.close(here)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    keeper = Keeper(sys.argv[1])
    keeper.listen()
    keeper.start()
    with open(f"{sys.argv[1]}/pid", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(str(keeper.pid))
    os.write(there, b"+")
    os.close(there)
    keeper.run()


if __name__ == "__main__":
    main()
