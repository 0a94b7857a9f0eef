"""JavaScript cells: each context is a Node process that stays.

What is said between us and `javascript.js`, which runs there, are lines of JSON.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from sandbook_local.inside import frames, loop
from sandbook_local.inside.code.child import Child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sandbook_local.inside.code.context import Cell, Context, Interpreter, Make
    from sandbook_local.inside.frames import Message

_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_PROGRAM = Path(__file__).with_name("javascript.js")


def maker(lp: loop.Loop) -> Make:
    """Ready to start Node."""

    def make(context: Context) -> Interpreter:
        return Node(lp, context)

    return make


class Node:
    """One Node process."""

    def __init__(self, lp: loop.Loop, context: Context) -> None:
        self._context = context
        self._told = b""
        self._child = Child(
            lp,
            context,
            ["node", str(_PROGRAM)],
            hear=self._hear,
            ended=lambda why, _: context.died(why),
        )

    def run(self, cell: Cell) -> None:
        """Give it a cell."""
        message = cell.message
        bind = frames.child(message, "bind")
        wrong = [name for name in bind if not _NAME.fullmatch(name)]
        if wrong:
            told = f"{wrong[0]!r} is no name of a variable"
            self._context.failed("ValueError", told, "")
            self._context.done({})
            return
        source, read = frames.text(message, "source"), frames.mapping(message, "read")
        self._order({"source": source, "bind": bind, "read": read})

    def interrupt(self) -> None:
        """End what runs, and what it started."""
        self._child.interrupt()
        self._order({"interrupt": True})

    def waited(self) -> float:
        """Seconds."""
        return self._child.waited()

    def kill(self) -> None:
        """End it."""
        self._child.kill()

    def _order(self, message: Message) -> None:
        self._child.order(json.dumps(message).encode() + b"\n")

    def _hear(self, data: bytes) -> None:
        *lines, self._told = (self._told + data).split(b"\n")
        for line in lines:
            self._take(frames.child({"told": json.loads(line)}, "told"))

    def _take(self, message: Message) -> None:
        if "ready" in message:
            self._context.ready()
        if "main" in message:
            self._child.drain()
            self._show(frames.child(message, "main"))
        if "failed" in message:
            self._child.drain()
            told = frames.mapping(message, "failed")
            self._context.failed(told["name"], told["value"], told["traceback"])
        if "end" in message:
            self._child.drain()
            values = frames.mapping(message, "values") if "values" in message else {}
            self._context.done({name: json.loads(v) for name, v in values.items()})

    def _show(self, main: Message) -> None:
        data = {"text/plain": frames.text(main, "text").encode("utf-8", "replace")}
        found = frames.optional_text(main, "json")
        if found is not None:
            data["application/json"] = found.encode("utf-8", "replace")
        self._context.rich(data, main=True)
