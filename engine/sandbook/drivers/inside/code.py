"""Code cells, as those who ask see them: a context is found by its name, or started.

Each function runs in a process of its own, which ends with the question.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil

from sandbook.drivers.inside import tree
from sandbook.drivers.inside.commands import Place, detached
from sandbook.drivers.inside.context import Context
from sandbook.drivers.inside.languages import PROGRAMS
from sandbook.drivers.inside.wire import Line, Message, dial, relay


def code(place: Place, asked: Message, line: Line) -> None:
    """Hand a question to its context; only `open` and `restart` make one."""
    name = json_name(asked)
    folder = f"{place.root}/code/{hashlib.sha256(name).hexdigest()[:32]}"
    own = _dialled(folder)
    if own is None and asked["what"] in ("open", "restart"):
        own = _begun(place, asked, folder, line)
        if own is None:
            return
    if own is None:
        line.send({"lost": True})
        return
    own.send(asked)
    relay(own, line)


def json_name(asked: Message) -> bytes:
    """What a context is known by."""
    return "{}/{}".format(asked["language"], asked["name"]).encode("utf-8")


def _dialled(folder: str) -> Line | None:
    try:
        return Line(dial(folder))
    except OSError:
        return None


def _begun(place: Place, asked: Message, folder: str, line: Line) -> Line | None:
    """The way to a new context; None where it lacks something, which is told."""
    cwd = os.path.join(place.workdir, asked["cwd"] or "")
    if asked["cwd"] and asked["cwd"].startswith("~"):
        cwd = os.path.expanduser(asked["cwd"])
    os.close(os.open(cwd, os.O_RDONLY | os.O_DIRECTORY))
    env = dict(place.env)
    env.update(asked["env"])
    program = PROGRAMS[asked["language"]]
    if shutil.which(program, path=env.get("PATH")) is None:
        line.send({"needs": program})
        return None
    os.makedirs(place.root + "/code", mode=0o700, exist_ok=True)
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _dialled(folder) or _start(dict(asked, cwd=cwd), env, folder)


def _start(asked: Message, env: dict[str, str], folder: str) -> Line | None:
    shutil.rmtree(folder, ignore_errors=True)
    os.mkdir(folder, 0o700)
    with open(folder + "/program", "w", encoding="utf-8") as file:
        file.write(asked["program"])
    detached(lambda ready: _keep(asked, env, folder, ready))
    return _dialled(folder)


def _keep(asked: Message, env: dict[str, str], folder: str, ready: int) -> None:
    tree.become_subreaper()
    context = Context(folder, asked, env)
    context.listen()
    os.close(ready)
    context.serve()
