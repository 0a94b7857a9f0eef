"""Commands, as those who ask see them: started by key, found, heard, ended.

Each function runs in a process of its own, which ends with the question.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import tempfile
import time

from sandbook.drivers.inside import tree
from sandbook.drivers.inside.keeper import Keeper
from sandbook.drivers.inside.spool import (
    STREAMS,
    read_frames,
    read_part,
    read_result,
)
from sandbook.drivers.inside.wire import PIECE, Line, Message, dial, packed, relay

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LONG = 96 << 10
_PATIENCE = 30.0
_LOOK = 0.01


class Place:
    """Where commands are kept, and what they begin with."""

    def __init__(self, root: str, env: dict[str, str], workdir: str) -> None:
        self.root = root
        self.env = env
        self.workdir = workdir

    def folder(self, key: str) -> str:
        """The folder of the command with this key."""
        name = hashlib.sha256(key.encode("utf-8")).hexdigest()[:32]
        return f"{self.root}/commands/{name}"


def start(place: Place, asked: Message, line: Line) -> None:
    """Start a command, unless its key is known."""
    folder = place.folder(asked["key"])
    if not os.path.isdir(folder):
        _claim(place, asked, folder)
    elif asked["stdin"][0] == "file":
        os.unlink(asked["stdin"][1])
    line.send({"pid": _pid(folder)})


def find(place: Place, asked: Message, line: Line) -> None:
    """Whether a key is known."""
    folder = place.folder(asked["key"])
    there = os.path.isdir(folder)
    pid = _pid(folder) if there else None
    is_pty = there and _request(folder)["pty"] is not None
    line.send({"known": there, "pid": pid, "pty": is_pty})


def find_pty(place: Place, asked: Message, line: Line) -> None:
    """The key of the terminal whose program has this number."""
    commands = place.root + "/commands"
    for name in os.listdir(commands):
        folder = commands + "/" + name
        if os.path.exists(folder + "/pid") and _pid(folder) == asked["pid"]:
            request = _request(folder)
            if request["pty"] is not None:
                line.send({"key": request["key"]})
                return
    line.send({"key": None})


def _request(folder: str) -> Message:
    with open(folder + "/request.json", encoding="ascii") as file:
        found: Message = json.load(file)
    return found


def speak(place: Place, asked: Message, line: Line) -> None:
    """Hand a question to the keeper; answer it from what it left if it has ended."""
    folder = place.folder(asked["key"])
    try:
        own = Line(dial(folder))
        own.send(asked)
    except OSError:
        _answer_ended(folder, asked, line)
        return
    heard = relay(own, line)
    if heard is False:
        # It had ended, perhaps between accepting us and answering.
        _answer_ended(folder, asked, line)
    elif heard and asked["do"] == "wait":
        _tell_result(folder, line)


def _claim(place: Place, asked: Message, folder: str) -> None:
    """Make the folder whole, and put it in its place, which one alone can do."""
    cwd = os.path.join(place.workdir, asked["cwd"] or "")
    os.close(os.open(cwd, os.O_RDONLY | os.O_DIRECTORY))
    fresh = tempfile.mkdtemp(prefix="new-", dir=place.root + "/commands")
    env = dict(place.env)
    env.update(asked["env"])
    request = dict(asked, cwd=cwd, env=env, argv=_argv(asked, env, fresh, folder))
    with open(fresh + "/request.json", "w", encoding="ascii") as file:
        json.dump(request, file)
    try:
        os.rename(fresh, folder)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        if not os.path.isdir(folder):
            raise
        return
    detached(lambda ready: _keep(folder, ready))


def _argv(asked: Message, env: dict[str, str], fresh: str, folder: str) -> list[str]:
    if asked["shell"] is None:
        return list(asked["argv"])
    shell = asked["shell"]
    bash = shutil.which("bash", path=env.get("PATH"))
    argv = ["/bin/sh"]
    if shell["dialect"] == "bash" and bash:
        argv = [bash, "--noprofile", "--norc"]
    if shell["strict"]:
        argv += ["-e"] if argv == ["/bin/sh"] else ["-e", "-o", "pipefail"]
    text = shell["text"].encode("utf-8", "surrogateescape")
    if len(text) < _LONG:
        return [*argv, "-c", shell["text"]]
    # No argument may be longer than 128 KiB.
    with open(fresh + "/script", "wb") as file:
        file.write(text)
    return [*argv, folder + "/script"]


def detached(be: Callable[[int], None]) -> None:
    """Fork an orphan with nothing of ours open, and wait until it closes `ready`."""
    here, there = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            _become(be, there)
        os._exit(0)
    os.close(there)
    os.wait()
    os.read(here, 1)
    os.close(here)


def _become(be: Callable[[int], None], ready: int) -> None:
    try:
        nothing = os.open("/dev/null", os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        keep = max(ready, 3)
        os.closerange(3, keep)
        os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        be(ready)
    finally:
        os._exit(0)


def _keep(folder: str, ready: int) -> None:
    """Start the command of `folder`, say so by closing `ready`, and keep it."""
    tree.become_subreaper()
    keeper = Keeper(folder)
    keeper.listen()
    keeper.start()
    with open(folder + "/pid.new", "w", encoding="ascii") as file:
        file.write(str(keeper.pid))
    os.rename(folder + "/pid.new", folder + "/pid")
    os.close(ready)
    keeper.run()


def _pid(folder: str) -> int:
    """The process number of its command, which another may just be starting."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            with open(folder + "/pid", encoding="ascii") as file:
                return int(file.read())
        except FileNotFoundError:
            if time.monotonic() > give_up:
                return 0
            time.sleep(_LOOK)


def _answer_ended(folder: str, asked: Message, line: Line) -> None:
    what = asked["do"]
    if not os.path.isdir(folder):
        line.send({"unknown": True})
    elif what == "wait":
        _tell_result(folder, line)
    elif what == "output":
        _tell_output(folder, asked, line)
    elif what == "signal":
        line.send({"sent": False})
    else:
        line.send({"closed": True})


def _tell_result(folder: str, line: Line) -> None:
    try:
        told = read_result(folder)
    except FileNotFoundError:
        line.send({"lost": True})
        return
    for name in STREAMS:
        place, head, tail, _ = told[name]
        for part, start, size in (("head", place, head), ("tail", place + head, tail)):
            for data in read_part(folder, start, size, PIECE):
                line.send({"kept": [name, part, packed(data)]})
    totals = {name: told[name][3] for name in STREAMS}
    line.send({"result": [told["end"], told["code"], told["seconds"], totals]})


def _tell_output(folder: str, asked: Message, line: Line) -> None:
    room = asked["room"]
    try:
        for frame in read_frames(folder, after=asked["after"]):
            while room <= 0:
                more = line.receive()
                if more is None:
                    return
                room += more["bytes"]
            room -= len(frame.data)
            stream = STREAMS[frame.stream]
            line.send({"chunk": [frame.seq, stream, frame.at, packed(frame.data)]})
    except FileNotFoundError:
        line.send({"lost": True})
    else:
        line.send({"ended": True})
