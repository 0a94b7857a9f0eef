"""The program inside a sandbox that runs cells of one language, in any contexts.

Clients reach it by a socket, one connection for each request. One that hangs up while
its cell runs has given it up: the cell is interrupted. A cell's key is remembered with
what it gave, so that it never runs twice.
"""

# pathlib would add a third to its start
# ruff: noqa: PTH103, PTH116, PTH118

from __future__ import annotations

import _socket
import contextlib
import os
import shutil
import sys
from pathlib import Path

from sandbook_local.inside import frames, loop
from sandbook_local.inside.code import ready
from sandbook_local.inside.code.context import Cell, Context
from sandbook_local.inside.peer import Peer, accept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from sandbook_local.inside.code.context import Make
    from sandbook_local.inside.frames import Frame, Message

_KEPT = 64 << 20
"""Bytes of what ended cells gave that are kept to be told again."""

_BACKLOG = 128


class Driver:
    """Contexts by name, cells by key."""

    def __init__(self, lp: loop.Loop, make: Make) -> None:
        self._loop = lp
        self._make = make
        self._contexts: dict[str, Context] = {}
        self._cells: dict[str, tuple[Cell, Context]] = {}
        self._kept: dict[str, Cell] = {}
        self._peers: set[Peer] = set()

    def admit(self, server: _socket.socket) -> None:
        """Let a client in."""
        try:
            descriptor = accept(server)
        except OSError:
            return
        channel = _socket.socket(fileno=descriptor)
        peer = Peer(self._loop, channel, self.serve)
        self._peers.add(peer)
        peer.when_closed.append(lambda: self._peers.discard(peer))

    def serve(self, peer: Peer, frame: Frame) -> None:
        """Answer one request."""
        message = frame.message
        match frames.text(message, "do"):
            case "open":
                self._open(peer, message)
            case "restart":
                known = self._contexts.get(frames.text(message, "name"))
                if known is not None:
                    known.restart()
                self._open(peer, message)
            case "run":
                self._run(peer, message)
            case "interrupt":
                context = self._contexts.get(frames.text(message, "name"))
                if context is not None:
                    context.interrupt()
                _answer(peer, {})
            case other:
                raise frames.ProtocolError(f"unknown request {other!r}")

    def _open(self, peer: Peer, message: Message) -> None:
        name, cwd = frames.text(message, "name"), frames.text(message, "cwd")
        context = self._contexts.get(name)
        if context is None:
            try:
                os.stat(os.path.join(cwd, "."))
            except OSError as error:
                _answer(peer, {"refused": "cwd", "errno": error.errno or 0})
                return
            context = Context(
                name,
                self._loop,
                self._make,
                cwd=cwd,
                env=frames.mapping(message, "env"),
                when_ended=self._keep,
            )
            self._contexts[name] = context
        opened = context
        context.open(lambda why: _tell_open(peer, opened, why))

    def _run(self, peer: Peer, message: Message) -> None:
        key = frames.text(message, "key")
        if key in self._cells:
            cell, context = self._cells[key]
            context.adopt(cell, peer)
            return
        found = self._contexts.get(frames.text(message, "name"))
        if found is None:
            _tell_forgotten(peer)
            return
        context = found
        cell = Cell(message, key=key, life=frames.text(message, "life"))
        self._cells[key] = cell, context
        timeout = frames.optional_number(message, "timeout")
        context.submit(cell, peer, timeout=timeout)

    def _keep(self, cell: Cell) -> None:
        """Remember what an ended cell gave; of the oldest only how they ended."""
        cell.message = {}
        self._kept[cell.key] = cell
        total = sum(each.output.size for each in self._kept.values())
        for key in tuple(self._kept):
            if total <= _KEPT or key == cell.key:
                return
            old = self._kept.pop(key)
            total -= old.output.size
            old.output.forget()


def _tell_forgotten(peer: Peer) -> None:
    """Tell who knew an older driver that it runs no more, before anything runs."""
    why = "its driver was ended before, and all variables with it"
    told: Message = {"event": "failed", "name": "InterpreterDied", "value": why}
    peer.send({**told, "traceback": ""})
    ending: Message = {"event": "done", "status": "died", "values": {}, "life": ""}
    _answer(peer, {**ending, "state_kept": False, "count": 0})


def _tell_open(peer: Peer, context: Context, why: str | None) -> None:
    if why is None:
        _answer(peer, {"life": context.life})
    else:
        _answer(peer, {"refused": "start", "text": why})


def _answer(peer: Peer, message: Message) -> None:
    peer.send(message)
    peer.finish()


def begin(language: str) -> NoReturn:
    """Be the driver of a language, until the sandbox ends."""
    if sys.path[0] == os.path.dirname(os.path.dirname(__file__)):  # noqa: PTH120
        del sys.path[0]  # our own modules are no modules of the user's
    place = ready.place(language)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(place)
    os.makedirs(place, 0o700)
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    server.bind(ready.socket_path(language))
    server.listen(_BACKLOG)
    server.setblocking(False)
    os.write(1, b"ready\n")
    lp = loop.Loop()
    driver = Driver(lp, _language(language, lp, Path(place)))
    lp.watch(server.fileno(), loop.READ, lambda _: driver.admit(server))
    lp.run()
    sys.exit(0)


def _language(language: str, lp: loop.Loop, place: Path) -> Make:
    """What makes interpreters of a language; each loads only its own."""
    if language == "python":
        from sandbook_local.inside.code import python

        return python.maker(lp, place)
    if language == "bash":
        from sandbook_local.inside.code import bash

        return bash.maker(lp, place)
    if language == "javascript":
        from sandbook_local.inside.code import javascript

        return javascript.maker(lp)
    raise SystemExit(f"no interpreter for {language!r}")
