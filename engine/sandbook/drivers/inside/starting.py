"""How a program is started; one that cannot start ends as a shell would tell it."""

from __future__ import annotations

import fcntl
import os
import subprocess
from typing import Any

from sandbook.drivers.inside import terminal
from sandbook.drivers.inside.wire import unpacked

_MISSING, _NOT_EXECUTABLE = 127 << 8, 126 << 8


class Started:
    """A program that runs, or a wait `status` that says why it does not.

    `pipes` are our ends of its output by stream; a terminal has the first only.
    `input` is where it is typed into, None when nobody can.
    """

    def __init__(
        self,
        pipes: list[int],
        given: int | None,
        child: subprocess.Popen[bytes] | None,
        status: int | None,
    ) -> None:
        # Held, because a Popen that is dropped takes the exit status with it.
        self.child = child
        self.pid = 0 if child is None else child.pid
        self.status = status
        self.input = given
        self.pipes = {here: number for number, here in enumerate(pipes)}
        for here in pipes:
            os.set_blocking(here, False)


def start(request: dict[str, Any], folder: str) -> Started:
    """Start what is asked for; `folder` is that of its request."""
    if request["pty"] is not None:
        return _start_in_terminal(request)
    outs = [os.pipe(), os.pipe()]
    stdin, given = _stdin(request, folder)
    child, status = None, None
    try:
        child = subprocess.Popen(  # noqa: S603 - what is asked for
            request["argv"],
            stdin=stdin,
            stdout=outs[0][1],
            stderr=outs[1][1],
            env=request["env"],
            cwd=request["cwd"],
            start_new_session=True,
        )
    except OSError as error:
        status = _tell_not_started(request, error, outs[1][1])
    for there in (outs[0][1], outs[1][1], stdin):
        os.close(there)
    return Started([here for here, _ in outs], given, child, status)


def _start_in_terminal(request: dict[str, Any]) -> Started:
    try:
        child, ours = terminal.start(request)
    except OSError as error:
        here, there = os.pipe()
        status = _tell_not_started(request, error, there)
        os.close(there)
        return Started([here], None, None, status)
    # Both are one open file, which writes do not wait for either.
    return Started([ours], os.dup(ours), child, None)


def _tell_not_started(request: dict[str, Any], error: OSError, stderr: int) -> int:
    told = f"{request['argv'][0]}: {error.strerror}\n"
    os.write(stderr, told.encode("utf-8", "surrogateescape")[:4096])
    missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
    return _MISSING if missing else _NOT_EXECUTABLE


def _stdin(request: dict[str, Any], folder: str) -> tuple[int, int | None]:
    kind, value = request["stdin"]
    if kind == "pipe":
        here, there = os.pipe()
        os.set_blocking(there, False)
        fcntl.fcntl(there, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        return here, there
    if kind == "data":
        data, value = unpacked(value), folder + "/stdin"
        with open(value, "wb") as file:
            file.write(data)
    stdin = os.open(value or "/dev/null", os.O_RDONLY)
    if value:
        os.unlink(value)
    return stdin, None
