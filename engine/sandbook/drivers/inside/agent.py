"""The driver's front: many questions over one stdin and stdout.

A question is a line with an `id`; a process of its own answers it, with lines of the
same `id`, of which the last says `eof`. The agent only passes lines on. It ends when
its stdin does, or when nothing was heard for a while: then its client is gone, and
those who were in the middle of reading must not hold a command up.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import socket
import stat
import time
from typing import Any

from sandbook.drivers.inside import code, commands, entries, ports, watcher
from sandbook.drivers.inside.wire import Line, Message

MARK = b"sandbook-driver-1 "
SILENCE = 60.0
SILENCE_IN_CELLS = 12.0
"""Seconds: a cell whose client is gone holds others up."""

_LOOK = 2.0
_NOT_PASSED_ON = ("_", "SHLVL", "OLDPWD", "PWD")
_COMMANDS = frozenset(
    ("wait", "output", "signal", "send", "end_input", "resize", "echo", "hang_up")
)


class Agent:
    """The loop around stdin."""

    def __init__(self, root: str, hello: Message) -> None:
        self.selector = selectors.DefaultSelector()
        self.asking: dict[int, Line] = {}
        self.in_cells: set[int] = set()
        self.received = bytearray()
        self.heard = time.monotonic()
        self.home = os.path.expanduser("~")
        self.workdir = _workdir(root, self.home, hello.get("workdir"))
        env = {k: v for k, v in os.environ.items() if k not in _NOT_PASSED_ON}
        self.place = commands.Place(root, env, self.workdir)
        self.paths = entries.Paths(self.home, self.workdir)
        self.selector.register(0, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Pass lines on until the client has gone."""
        is_there = True
        while is_there:
            for key, _ in self.selector.select(_LOOK):
                if key.data is not None:
                    self._pass_back(key.data)
                elif not self._hear():
                    return
            _reap()
            # Behind a look at stdin: what a slow client said meanwhile is there now.
            is_there = time.monotonic() - self.heard < self._patience()

    def _patience(self) -> float:
        return SILENCE_IN_CELLS if self.in_cells else SILENCE

    def _hear(self) -> bool:
        data = os.read(0, 1 << 20)
        self.heard = time.monotonic()
        self.received += data
        while b"\n" in self.received:
            line, _, rest = self.received.partition(b"\n")
            self.received = bytearray(rest)
            if line.strip():
                self._obey(json.loads(line))
        return bool(data)

    def _obey(self, message: Message) -> None:
        number = message.pop("id")
        if number == 0:
            # Whoever hears nothing for long would take us for dead.
            _write(b'{"id": 0}\n')
            return
        if "do" not in message:
            return
        if message["do"] == "close":
            if number in self.in_cells:
                self._pass_on(number, {"what": "left"})
            self._close(number)
        elif number in self.asking:
            self._pass_on(number, message)
        else:
            self._ask(number, message)

    def _pass_on(self, number: int, message: Message) -> None:
        try:
            self.asking[number].send(message)
        except OSError:
            return

    def _ask(self, number: int, message: Message) -> None:
        here, there = socket.socketpair()
        if os.fork() == 0:
            self._answer(here, Line(there), message)
        there.close()
        self.asking[number] = Line(here)
        if message["do"] == "code":
            self.in_cells.add(number)
        self.selector.register(here, selectors.EVENT_READ, number)

    def _answer(self, here: socket.socket, line: Line, message: Message) -> None:
        """Be the process of one question."""
        try:
            here.close()
            for other in self.asking.values():
                other.sock.close()
            nothing = os.open("/dev/null", os.O_RDWR)
            os.dup2(nothing, 0)
            os.dup2(nothing, 1)
            self._do(message, line)
        except OSError as error:
            line.send({"error": [error.errno or 5, error.strerror or str(error)]})
        finally:
            os._exit(0)

    def _do(self, message: Message, line: Line) -> None:
        what = message["do"]
        if what == "start":
            commands.start(self.place, message, line)
        elif what == "find":
            commands.find(self.place, message, line)
        elif what == "find_pty":
            commands.find_pty(self.place, message, line)
        elif what == "listens":
            ports.listens(message, line)
        elif what == "watch":
            watcher.watch(self.paths, self.place.root, message, line)
        elif what == "code":
            code.code(self.place, message, line)
        elif what in _COMMANDS:
            commands.speak(self.place, message, line)
        else:
            entries.do(self.paths, message, line)

    def _pass_back(self, number: int) -> None:
        line = self.asking.get(number)
        if line is None:
            return
        more = line.fill()
        begin = b'{"id": %d, ' % number
        told = [begin + text[1:] + b"\n" for text in line.lines().splitlines()]
        if not more:
            told.append(begin + b'"eof": true}\n')
            self._close(number)
        _write(b"".join(told))

    def _close(self, number: int) -> None:
        line = self.asking.pop(number, None)
        self.in_cells.discard(number)
        if line is not None:
            self.selector.unregister(line.sock)
            line.sock.close()


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _root(box: str) -> str:
    """A folder that is ours alone, where nobody looks by chance."""
    path = f"/tmp/.sandbook-{os.getuid()}"  # noqa: S108 - checked below
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        found = os.lstat(path)
        is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if not is_ours or found.st_mode & 0o077:
            raise PermissionError(1, "is not ours alone", path) from None
    _forget_strangers(path, box)
    os.makedirs(path + "/commands", mode=0o700, exist_ok=True)
    os.makedirs(path + "/stdin", mode=0o700, exist_ok=True)
    return path


def _forget_strangers(path: str, box: str) -> None:
    """In a copy of a sandbox, leave nothing of what that one had started."""
    file = path + "/box"
    try:
        with open(file, encoding="utf-8") as known:
            if known.read() == box:
                return
    except FileNotFoundError:
        pass
    for name in os.listdir(path):
        if os.path.isdir(path + "/" + name):
            shutil.rmtree(path + "/" + name, ignore_errors=True)
        elif not name.startswith("box"):
            os.unlink(path + "/" + name)
    fresh = f"{file}.{os.getpid()}"
    with open(fresh, "w", encoding="utf-8") as new:
        new.write(box)
    os.rename(fresh, file)


def _workdir(root: str, home: str, wanted: str | None) -> str:
    """The working folder, decided by the first who comes."""
    file = root + "/workdir"
    if wanted is not None and not os.path.exists(file):
        path = os.path.normpath(os.path.join(home, wanted))
        os.makedirs(path, exist_ok=True)
        with open(file + ".new", "w", encoding="utf-8") as new:
            new.write(path)
        os.rename(file + ".new", file)
    try:
        with open(file, encoding="utf-8") as known:
            return known.read()
    except FileNotFoundError:
        return home


def _first_line() -> bytes:
    """The first line of stdin, and not a byte more."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return b"{}"
        line += byte
    return line


def main() -> None:
    """Say what there is here, then serve."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    hello: dict[str, Any] = json.loads(_first_line())
    try:
        root = _root(hello.get("box", ""))
        agent = Agent(root, hello)
    except OSError as error:
        _write(MARK + json.dumps({"refused": str(error)}).encode("ascii") + b"\n")
        return
    os.chdir("/")
    told = {"home": agent.home, "workdir": agent.workdir, "root": root}
    _write(MARK + json.dumps(told).encode("ascii") + b"\n")
    agent.run()
