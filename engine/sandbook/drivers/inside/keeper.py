"""The process that keeps one command: starts it, spools it, ends it.

It outlives whoever asked for it. Its folder holds `request.json`; it adds `sock`,
`pid`, and at the end `spool` and `result.json`.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import time
from typing import Any

from sandbook.drivers.inside import starting, terminal, tree
from sandbook.drivers.inside.client import AHEAD, Client
from sandbook.drivers.inside.spool import Frame, Spool, in_order, store
from sandbook.drivers.inside.wire import PIECE, unpacked

_CHUNK = PIECE
_NEVER = float("inf")
_LOOK = 0.02
_LOOK_IDLE = 0.5
_LAST_READS = 64
_READER = 10.0
"""Seconds that a command waits for who reads it, before any of its output is lost."""


class Keeper:
    """The loop around one command."""

    def __init__(self, folder: str) -> None:
        with open(folder + "/request.json", encoding="ascii") as file:
            self.request: dict[str, Any] = json.load(file)
        self.folder = folder
        self.selector = selectors.DefaultSelector()
        head, tail = self.request["head"], self.request["tail"]
        self.spools = [Spool(head, tail), Spool(head, tail)]
        self.clients: list[Client] = []
        self.consumer: Client | None = None
        self.pipes: dict[int, int] = {}
        self.input: int | None = None
        self.seq = 0
        self.pid = 0
        self.status: int | None = None
        self.ended = self.timed_out = False
        self.began = self.alone_since = time.monotonic()
        self.wipe_at = _NEVER
        limit = self.request["timeout"]
        self.term_at = _NEVER if limit is None else self.began + limit

    def listen(self) -> None:
        """Be reached by clients, and woken by children."""
        at = os.open(self.folder, os.O_PATH)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(f"/proc/self/fd/{at}/sock")
        os.close(at)
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, "listener")
        self.woken, self.wake = socket.socketpair()
        self.woken.setblocking(False)
        self.wake.setblocking(False)
        self.selector.register(self.woken, selectors.EVENT_READ, "child")
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self.wake.fileno(), warn_on_full_buffer=False)

    def start(self) -> None:
        """Start the program."""
        self._started = starting.start(self.request, self.folder)
        self.pid, self.status = self._started.pid, self._started.status
        self.pipes, self.input = self._started.pipes, self._started.input

    def run(self) -> None:
        """Serve until the command's last process and the last client are gone."""
        while True:
            self._set_reading()
            for key, events in self.selector.select(self._patience()):
                self._serve(key.data, key.fd, events)
            self._reap()
            self._keep_time()
            if self.status is not None and not self.ended and not self._is_ending():
                self._finish()
            if self.ended and not self.clients and not tree.descendants():
                return

    def _patience(self) -> float:
        if self.wipe_at < _NEVER and (self.ended or self.status is not None):
            return _LOOK
        if self.ended or self._is_held():
            return _LOOK_IDLE
        due = min(self.term_at, self.wipe_at) - time.monotonic()
        return max(min(due, 3600.0), _LOOK)

    def _is_ending(self) -> bool:
        return self.wipe_at < _NEVER and bool(tree.descendants())

    def _serve(self, what: object, fd: int, events: int) -> None:
        if what == "listener":
            self._accept()
        elif what == "child":
            self.woken.recv(4096)
        elif what == "pipe":
            self._read(fd)
        elif what == "input":
            self._feed()
        elif isinstance(what, Client):
            self._talk(what, events)

    def _set_reading(self) -> None:
        """Read the pipes unless the one who reads them is slow, or there is nobody."""
        for client in list(self.clients):
            client.move()
            self._watch(client)
        slow = self.consumer is not None and self.consumer.ahead > AHEAD
        wanted = self._is_read() or not self.request["background"] or self.ended
        reading = wanted and not slow and not self._is_held()
        registered = self.selector.get_map()
        for fd in self.pipes:
            if reading and fd not in registered:
                self.selector.register(fd, selectors.EVENT_READ, "pipe")
            elif not reading and fd in registered:
                self.selector.unregister(fd)

    def _is_read(self) -> bool:
        return any(client.reads for client in self.clients)

    def _is_held(self) -> bool:
        is_due = time.monotonic() - self.alone_since > _READER or self._is_read()
        return not is_due and any(spool.is_full() for spool in self.spools)

    def _read(self, fd: int) -> bool:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            # So a terminal says that nobody has its other end.
            data = b""
        if not data:
            if fd in self.selector.get_map():
                self.selector.unregister(fd)
            del self.pipes[fd]
            os.close(fd)
            return False
        if not self.ended:
            self.seq += len(data)
            stream, at = self.pipes[fd], time.time()
            if self.consumer is not None:
                # One of its own: what is kept may be joined to its neighbour.
                self.consumer.give(Frame(self.seq, stream, at, data))
            self.spools[stream].add(Frame(self.seq, stream, at, data))
        return True

    def _watch(self, client: Client) -> None:
        if client.is_over and not client.to_send and not client.frames:
            self._drop(client)
            return
        events = selectors.EVENT_READ
        if client.to_send:
            events |= selectors.EVENT_WRITE
        self.selector.modify(client.sock, events, client)

    def _accept(self) -> None:
        sock = self.listener.accept()[0]
        sock.setblocking(False)
        client = Client(sock)
        self.clients.append(client)
        self.selector.register(sock, selectors.EVENT_READ, client)

    def _drop(self, client: Client) -> None:
        self.selector.unregister(client.sock)
        self.clients.remove(client)
        client.sock.close()
        if client.reads:
            self.alone_since = time.monotonic()
        if self.consumer is client:
            self.consumer = None

    def _talk(self, client: Client, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE and client.to_send:
                sent = client.sock.send(client.to_send[:AHEAD])
                del client.to_send[:sent]
            if events & selectors.EVENT_READ:
                data = client.sock.recv(256 << 10)
                if not data:
                    self._drop(client)
                    return
                client.received += data
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)
            return
        while b"\n" in client.received:
            line, _, rest = client.received.partition(b"\n")
            client.received = bytearray(rest)
            self._obey(client, json.loads(line))

    def _obey(self, client: Client, asked: dict[str, Any]) -> None:
        what = asked["do"]
        if what == "room":
            client.room += asked["bytes"]
            return
        client.role = what
        if what == "output":
            self._begin_output(client, asked)
        elif what == "wait":
            self._answer_wait(client)
        elif what == "signal":
            client.answer({"sent": self._signal(asked["name"])})
        elif what == "send":
            client.input = unpacked(asked["data"])
            self._feed()
        elif what == "end_input":
            self._close_input()
            client.answer({"done": True})
        else:
            client.answer(self._do_with_terminal(asked))

    def _answer_wait(self, client: Client) -> None:
        if self.ended:
            client.answer({"ended": True})

    def _do_with_terminal(self, asked: dict[str, Any]) -> dict[str, Any]:
        if self.ended or self.input is None:
            return {"closed": True}
        if asked["do"] == "resize":
            terminal.resize(self.input, cols=asked["cols"], rows=asked["rows"])
        elif asked["do"] == "echo":
            return {"echo": terminal.echo(self.input)}
        elif asked["do"] == "hang_up":
            tree.signal_all(signal.SIGHUP)
            tree.signal_all(signal.SIGCONT)
            self.wipe_at = min(self.wipe_at, time.monotonic() + asked["grace"])
        return {"done": True}

    def _begin_output(self, client: Client, asked: dict[str, Any]) -> None:
        if self.consumer is not None:
            self.consumer.frames.clear()
            self.consumer.answer({"superseded": True})
            self.consumer = None
        client.room = asked["room"]
        for frame in in_order(self.spools):
            if frame.seq > asked["after"]:
                client.give(frame.after(asked["after"]))
        if self.ended:
            client.finish()
        else:
            self.consumer = client

    def _signal(self, name: str) -> bool:
        if self.ended:
            return False
        if name == "KILL":
            self.wipe_at = 0.0
        tree.signal_all(getattr(signal, "SIG" + name))
        return True

    def _feed(self) -> None:
        """Move what clients send into the pipe, as far as it takes it."""
        for client in [one for one in self.clients if one.role == "send"]:
            while client.input and self.input is not None:
                try:
                    done = os.write(self.input, client.input[:_CHUNK])
                except BlockingIOError:
                    self._wait_for_room(waiting=True)
                    return
                except OSError:
                    self._close_input()
                else:
                    client.input = client.input[done:]
            client.role = "sent"
            closed = self.input is None or self.ended
            client.answer({"closed": True} if closed else {"done": True})
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
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self.pid:
                    self.status = status
        except ChildProcessError:
            return

    def _keep_time(self) -> None:
        now = time.monotonic()
        if now >= self.term_at and self.status is None:
            self.term_at = _NEVER
            self.timed_out = True
            self.wipe_at = now + self.request["grace"]
            tree.signal_all(signal.SIGTERM)
        if now >= self.wipe_at:
            tree.signal_all(signal.SIGKILL)

    def _finish(self) -> None:
        """Take what the pipes hold now; left-over children are not waited for."""
        for fd in list(self.pipes):
            for _ in range(_LAST_READS):
                if not self._read(fd):
                    break
        self.wipe_at = _NEVER
        self.ended = True
        self._close_input()
        store(self.folder, self.spools, self._told())
        for client in list(self.clients):
            if client.role == "output":
                client.finish()
            elif client.role == "wait":
                self._answer_wait(client)
            elif client.role == "send":
                client.role = "sent"
                client.answer({"closed": True})

    def _told(self) -> dict[str, Any]:
        status = self.status or 0
        end, code = "exited", status >> 8
        if os.WIFSIGNALED(status):
            end, code = "signalled", 128 + os.WTERMSIG(status)
        seconds = time.monotonic() - self.began
        if self.timed_out:
            return {"end": "timed_out", "code": None, "seconds": seconds}
        return {"end": end, "code": code, "seconds": seconds}
