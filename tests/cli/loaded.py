"""The real command line, loaded once: each call is a process forked from that one.

Loading is most of what a short command costs, and the tests make thousands of calls.
A call gets its own arguments, environment, folder, import path and streams, and ends
as any process does. What is about loading itself, signals or terminals starts a fresh
interpreter instead.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

ROOT = Path(__file__).parents[2]
_BIGGEST = 1 << 20
_END_TIMEOUT = 60.0
_MODULES = (
    "sandbook.cli._running",
    "sandbook.cli._opening",
    "sandbook.loader",
    "sandbook.runner",
    "sandbook_local.provider",
    "sandbook_local.sandbox",
)


class Loaded:
    """The process that is forked; one call at a time.

    `modules` are loaded on top of the engine, with `environ` on top of `PATH`.
    """

    def __init__(
        self, *modules: str, environ: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        self.lock = threading.Lock()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                (sys.executable, "-m", "tests.cli.loaded", str(number), *modules),
                pass_fds=(number,),
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environ},
                stdin=subprocess.DEVNULL,
            )

    def close(self) -> int:
        """Let it end; its exit code."""
        self._socket.close()
        return self._process.wait(_END_TIMEOUT)

    def call(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str],
        cwd: Path,
        timeout: float,
        constants: Mapping[str, float] = MappingProxyType({}),
    ) -> tuple[int, bytes, bytes]:
        """One call: its exit code, stdout and stderr.

        `constants` are values of modules that are others in it, by their place.

        Raises:
            subprocess.TimeoutExpired: It was killed at its time-out.
        """
        asked = {
            "argv": [*argv],
            "env": dict(env),
            "cwd": str(cwd),
            "constants": dict(constants),
        }
        with (
            tempfile.TemporaryFile() as fed,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            fed.write(stdin)
            fed.seek(0)
            streams = [each.fileno() for each in (fed, out, err)]
            socket.send_fds(self._socket, [json.dumps(asked).encode()], streams)
            code = self._ended(argv, timeout)
            return code, _all(out), _all(err)

    def _ended(self, argv: Sequence[str], timeout: float) -> int:
        self._socket.settimeout(None)
        pid = int(self._socket.recv(_BIGGEST))
        self._socket.settimeout(timeout)
        try:
            return int(self._socket.recv(_BIGGEST))
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            self._socket.settimeout(None)
            self._socket.recv(_BIGGEST)
            raise subprocess.TimeoutExpired([*argv], timeout) from None


@cache
def loaded() -> Loaded:
    """The one of this process; it ends with it."""
    made = Loaded()
    atexit.register(made.close)
    return made


def _all(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _serve(asker: socket.socket) -> None:
    """Fork a process for each call until nobody can ask any more."""
    while True:
        data, streams, _, _ = socket.recv_fds(asker, _BIGGEST, 3)
        if not data:
            return
        child = os.fork()
        if child == 0:
            asker.close()
            _be(json.loads(data), streams)
        for each in streams:
            os.close(each)
        asker.send(str(child).encode())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        asker.send(str(code).encode())


def _be(asked: dict[str, Any], streams: list[int]) -> None:
    """Be the call; never returns."""
    for number, each in enumerate(streams):
        os.dup2(each, number)
        os.close(each)
    sys.stdin = TextIOWrapper(open(0, "rb", closefd=False))  # noqa: SIM115
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    given = asked["env"].get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [asked["cwd"], *filter(None, given)]
    importlib.invalidate_caches()
    sys.argv = ["sandbook", *asked["argv"]]
    for place, value in asked["constants"].items():
        module, _, name = place.rpartition(".")
        setattr(importlib.import_module(module), name, value)
    from sandbook.cli import main

    sys.exit(main())


def _load(*modules: str) -> None:
    from sandbook.cli._group import COMMANDS

    for name in (*_MODULES, *modules):
        importlib.import_module(name)
    for name in COMMANDS:
        importlib.import_module(f"sandbook.cli.{name}")
    assert threading.active_count() == 1, "only one thread can be forked"
    sys.path[:] = [each for each in sys.path if each and Path(each) != ROOT]
    gc.freeze()


if __name__ == "__main__":
    _, given, *others = sys.argv
    _load(*others)
    _serve(socket.socket(fileno=int(given)))
