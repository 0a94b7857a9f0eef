"""Interpreters for the provider of tests: one plain process of Python for a context.

`interpreters.log` in the folder of a sandbox has a line for each that was started.
Code that ignores an interrupt is ended with its variables, as a provider may have to.
That it does is asked of the system and not told by the clock: on a busy machine any
time can pass before what was interrupted ends.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio

from sandbook.api import (
    Code,
    CodeContext,
    CodeEvent,
    CodeRequest,
    Done,
    Failed,
    Rich,
    SandboxRef,
    Text,
)
from sandbook.errors import SandbookError

AGAIN_S = 0.2
"""An interrupt may come before the cell begins, and is then lost."""

PATIENCE_S = 60.0
PIECE = 64 << 10

DRIVER = r"""
import ast, base64, io, json, os, signal, sys, traceback

told = os.fdopen(os.dup(1), "w", buffering=1)


def tell(**event):
    told.write(json.dumps(event) + "\n")


class Stream(io.TextIOBase):
    def __init__(self, name):
        self.name = name

    def write(self, text):
        tell(kind="text", stream=self.name, data=text)
        return len(text)


def display(data, main=False):
    plain = {k: v.encode() if isinstance(v, str) else v for k, v in data.items()}
    coded = {k: base64.b64encode(v).decode() for k, v in plain.items()}
    tell(kind="rich", main=main, data=coded)


def as_json(value):
    return json.loads(json.dumps(value, allow_nan=False))


def show(value):
    data = {"text/plain": repr(value)}
    try:
        data["application/json"] = json.dumps(as_json(value))
    except (TypeError, ValueError):
        pass
    display(data, main=True)


def run(cell):
    known.update(cell["bind"])
    tree = ast.parse(cell["source"], "<cell>")
    ends = tree.body and isinstance(tree.body[-1], ast.Expr)
    last = tree.body.pop() if ends else None
    exec(compile(tree, "<cell>", "exec"), known)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), known)
        if value is not None:
            show(value)
    for name, source in cell["read"].items():
        try:
            saved[name] = as_json(eval(source, known))
        except (TypeError, ValueError):
            pass


is_running = False


def interrupted(number, frame):
    global is_running
    if is_running:
        is_running = False  # once: what is told of it is not interrupted, too
        raise KeyboardInterrupt


def attempt(cell):
    global is_running
    is_running = True
    try:
        run(cell)
    finally:
        is_running = False


signal.signal(signal.SIGINT, interrupted)
sys.stdout, sys.stderr = Stream("stdout"), Stream("stderr")
known = {"__name__": "__main__", "display": display}
tell(kind="ready")
for line in sys.__stdin__:
    saved, status = {}, "ok"
    try:
        attempt(json.loads(line))
    except BaseException as error:
        status = "timed_out" if isinstance(error, KeyboardInterrupt) else "error"
        tell(kind="failed", name=type(error).__name__, value=str(error),
             traceback=traceback.format_exc())
    tell(kind="done", status=status, values=saved)
"""


class BareCode:
    """One interpreter."""

    def __init__(self, request: CodeContext, home: str) -> None:
        self.id = f"{request.language}-{request.name}"
        self._request = request
        self._home = Path(home)
        self._count = 0
        self._start()

    def _start(self) -> None:
        self._told, self._is_ready = b"", False
        self._process = subprocess.Popen(
            (sys.executable, "-c", DRIVER),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"HOME": str(self._home), **self._request.env},
            cwd=self._home / (self._request.cwd or ""),
        )
        with (self._home / "interpreters.log").open("a") as log:
            log.write(f"{self.id}\n")

    async def ready(self) -> None:
        """Wait until it can be interrupted: before, that would end it."""
        if not self._is_ready:
            self._is_ready = bool(await self._line())

    async def run(self, cell: CodeRequest) -> AsyncIterator[CodeEvent]:
        """Hand over the cell and read what it tells."""
        self._count += 1
        asked = {"source": cell.source, "bind": cell.bind, "read": cell.read}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        deadline = anyio.current_time() + (cell.timeout or float("inf"))
        while True:
            line: bytes | None = None
            with anyio.move_on_at(deadline):
                line = await self._line()
            if line is None:
                line = await self._end_by_interrupts()
            if not line:
                self._process.kill()
                yield self._done("timed_out" if line is None else "died", kept=False)
                return
            event = self._event(json.loads(line))
            yield event
            if isinstance(event, Done):
                return

    async def _end_by_interrupts(self) -> bytes | None:
        """Interrupt until it says something; None = it does not listen."""
        ends = anyio.current_time() + PATIENCE_S
        while not self._ignores_interrupts() and anyio.current_time() < ends:
            await self.interrupt()
            with anyio.move_on_after(AGAIN_S):
                return await self._line()
        return None

    def _ignores_interrupts(self) -> bool:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (mask,) = (
            line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")
        )
        return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)

    async def _line(self) -> bytes:
        """What it tells next; nothing at its end."""
        assert self._process.stdout
        pipe = self._process.stdout.fileno()
        while b"\n" not in self._told:
            await anyio.wait_readable(pipe)
            piece = os.read(pipe, PIECE)
            if not piece:
                return b""
            self._told += piece
        line, self._told = self._told.split(b"\n", 1)
        return line

    def _event(self, told: dict[str, Any]) -> CodeEvent:
        match told.pop("kind"):
            case "text":
                return Text(**told)
            case "rich":
                data = {k: base64.b64decode(v) for k, v in told["data"].items()}
                return Rich(data=data, main=told["main"])
            case "failed":
                return Failed(**told)
            case _:
                return Done(**told, state_kept=True, count=self._count)

    def _done(self, status: Any, *, kept: bool) -> Done:
        return Done(status=status, values={}, state_kept=kept, count=self._count)

    async def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    async def restart(self) -> None:
        """Begin afresh."""
        self.end()
        self._start()
        await self.ready()

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


CODES: dict[tuple[str, str], BareCode] = {}


async def code_of(ref: SandboxRef, home: str, request: CodeContext) -> Code:
    """The interpreter of a context, which is started when it is asked for first."""
    if request.env.get("BREAK") == request.name:
        raise SandbookError("no interpreter today", remedy="come back tomorrow")
    key = ref.id, f"{request.language} {request.name}"
    if key not in CODES:
        CODES[key] = BareCode(request, home)
    await CODES[key].ready()
    return CODES[key]
