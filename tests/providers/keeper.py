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
import struct
import subprocess
import sys
import time
from collections import deque

FRAME = struct.Struct("!QBdI")
STDOUT, STDERR, SUPERSEDED, END = range(4)
CHUNK = 64 << 10
SLOW_READER = 1 << 20
TICK = 0.05
PR_SET_CHILD_SUBREAPER = 36

Frame = tuple[int, int, float, bytes]


class Spool:
    """The first `head` and last `tail` bytes of a stream, as they came in."""

    def __init__(self, head: int, tail: int) -> None:
        self.limits = (head, tail)
        self.first: list[Frame] = []
        self.last: deque[Frame] = deque()
        self.total = self.first_size = self.last_size = 0

    def add(self, frame: Frame) -> None:
        size = len(frame[3])
        self.total += size
        if self.first_size < self.limits[0]:
            self.first.append(frame)
            self.first_size += size
            return
        self.last.append(frame)
        self.last_size += size
        while self.last and self.last_size - len(self.last[0][3]) >= self.limits[1]:
            self.last_size -= len(self.last.popleft()[3])

    def frames(self) -> list[Frame]:
        return [*self.first, *self.last]

    def captured(self) -> tuple[bytes, bytes, int]:
        head_limit, tail_limit = self.limits
        start = b"".join(frame[3] for frame in self.first)
        rest = start[head_limit:] + b"".join(frame[3] for frame in self.last)
        tail = rest[-tail_limit:] if tail_limit else b""
        return start[:head_limit], tail, self.total


class Connection:
    """One client: what it still has to be sent, and what it waits for."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = bytearray()
        self.to_send = bytearray()
        self.role = "new"
        self.close_when_sent = False
        self.stdin_left = 0


def descendants() -> list[int]:
    """Every process below this one, zombies left out."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - a keeper starts without pathlib
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split()
            if fields[0] != b"Z":
                parents[int(name)] = int(fields[1])
    found: list[int] = []
    level = {os.getpid()}
    while level:
        level = {pid for pid, parent in parents.items() if parent in level}
        found.extend(level)
    return found


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
        """Bind by way of the folder's descriptor: the path may be over 107 bytes."""
        at = os.open(self.folder, os.O_PATH)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(f"/proc/self/fd/{at}/sock")
        os.close(at)
        self.listener.listen(32)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, "listener")
        self.lock = os.open(f"{self.folder}/lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.woken, wake = socket.socketpair()
        for end in (self.woken, wake):
            end.setblocking(False)
        self.wake = wake
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self.selector.register(self.woken, selectors.EVENT_READ, "child")

    def start(self) -> None:
        """Start the program; one that cannot start ends as a shell would tell it."""
        outs = [os.pipe() for _ in "12"]
        stdin, self.input = self._open_stdin()
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

    def _open_stdin(self) -> tuple[int, int | None]:
        if self.request["stdin"] == "pipe":
            here, there = os.pipe()
            os.set_blocking(there, False)
            return here, there
        source = (
            "/dev/null" if self.request["stdin"] is None else f"{self.folder}/stdin"
        )
        return os.open(source, os.O_RDONLY), None

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
        self._kill_all(getattr(signal, f"SIG{name}"))
        return True

    def _kill_all(self, number: int) -> None:
        for pid in descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

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
            self._kill_all(signal.SIGTERM)
        if self._is_over():
            self.lost = True
            self.wipe_at = 0.0
        if now >= self.wipe_at:
            self._kill_all(signal.SIGKILL)

    def _is_over(self) -> bool:
        try:
            with open(self.life, encoding="ascii") as file:  # noqa: PTH123
                return time.time() >= float(file.read())
        except FileNotFoundError:
            return True

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
        code: int | None = (
            128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else status >> 8
        )
        end = "signalled" if os.WIFSIGNALED(status) else "exited"
        if self.timed_out:
            end, code = "timed_out", None
        seconds = time.monotonic() - self.began
        told: dict[str, object] = {"end": end, "code": code, "seconds": seconds}
        with open(f"{self.folder}/spool", "wb") as file:  # noqa: PTH123
            file.writelines(
                FRAME.pack(*frame[:3], len(frame[3])) + frame[3]
                for frame in sorted(self.spools[0].frames() + self.spools[1].frames())
            )
            for name, spool in zip(("stdout", "stderr"), self.spools, strict=True):
                head, tail, total = spool.captured()
                told[name] = (file.tell(), len(head), len(tail), total)
                file.write(head + tail)
        with open(f"{self.folder}/result.new", "w", encoding="ascii") as file:  # noqa: PTH123
            json.dump(told, file)
        os.rename(f"{self.folder}/result.new", f"{self.folder}/result.json")  # noqa: PTH104


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
