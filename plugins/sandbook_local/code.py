"""Code cells in a local sandbox, as their client sees them.

A driver inside runs them; what it says is checked as what any program there says. A
connection is one request: hanging up gives up the cell that runs on it.
"""

from __future__ import annotations

import json
import os
import posixpath
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from sandbook.api import (
    JSON,
    CodeContext,
    CodeEvent,
    CodeRequest,
    Done,
    Failed,
    Rich,
    SandboxRef,
    Text,
)
from sandbook.errors import (
    AccessDenied,
    FileMissing,
    NotAFolder,
    ProviderError,
    SpecRejected,
)
from sandbook_local.connection import Connection, Ended
from sandbook_local.inside import frames
from sandbook_local.inside.frames import Message

_STATUSES = ("ok", "error", "timed_out", "died")
_CWD_ERRORS = {2: FileMissing, 20: NotAFolder, 13: AccessDenied}
_LARGEST_RESULT = 32 << 20
_ROOM = 64 << 10
"""Bytes of a request beside what the caller puts into it."""


class Driver(Protocol):
    """The way to the driver of one language; it is started where it is not there."""

    ref: SandboxRef

    async def connect(self) -> Connection:
        """A new connection; raises `ProviderError`."""
        ...

    async def explain(self) -> str:
        """Why it has hung up, in words."""
        ...


class LocalCode:
    """A context of one language; `id` is another one when its variables are gone."""

    def __init__(self, driver: Driver, context: CodeContext, *, cwd: str) -> None:
        self._driver = driver
        self._context = context
        self._cwd = cwd
        self._name(life="")

    def _name(self, *, life: str) -> None:
        """Name the language, the context, and the variables that it has now."""
        self._life = life
        self.id = f"{self._context.language}/{self._context.name}/{life}"

    async def open(self) -> None:
        """Find or make the context."""
        self._take_life(await self._ask(self._opening("open")))

    async def run(self, cell: CodeRequest) -> AsyncGenerator[CodeEvent]:
        """Run a cell, or tell again what the one with this key gave.

        Leaving the loop before `Done` gives it up: it is interrupted.

        Raises:
            SpecRejected: It is too large.
        """
        if not self._life:
            await self.open()  # its end was told, so this one begins anew
        order = self._order(cell)
        async with self._connected() as connection:
            try:
                await connection.send(order)
                async for event in self._events(connection):
                    yield event
            except Ended:
                why = await self._driver.explain()
            else:
                return
        yield Failed(name="InterpreterDied", value=why, traceback="")
        self._name(life="")
        yield Done(status="died", values={}, state_kept=False, count=0)

    async def interrupt(self) -> None:
        """Interrupt the cell that runs; the variables stay."""
        await self._ask({"do": "interrupt"})

    async def restart(self) -> None:
        """Start afresh, with no variables."""
        self._take_life(await self._ask(self._opening("restart")))

    def _opening(self, do: str) -> Message:
        return {"do": do, "cwd": self._cwd, "env": dict(self._context.env)}

    def _order(self, cell: CodeRequest) -> Message:
        order: Message = {
            "do": "run",
            "name": self._context.name,
            "life": self._life,
            "key": cell.key,
            "source": cell.source,
            "bind": dict(cell.bind),
            "read": dict(cell.read),
            "timeout": cell.timeout,
        }
        if len(json.dumps(order)) > frames.MESSAGE_LIMIT - _ROOM:
            raise SpecRejected(
                "the code and the values that go with it are too large",
                provider=self._driver.ref.provider,
                operation="code.run",
                ref=self._driver.ref,
                sent="no",
                remedy="write large data into a file, and read that",
            )
        return order

    async def _events(self, connection: Connection) -> AsyncGenerator[CodeEvent]:
        while True:
            message = (await connection.receive()).message
            match frames.text(message, "event"):
                case "text":
                    name = frames.text(message, "stream")
                    data = _clean(message, "data")
                    is_error = name == "stderr"
                    yield Text(stream="stderr" if is_error else "stdout", data=data)
                case "rich":
                    yield await _rich(connection, message)
                case "failed":
                    yield Failed(
                        name=_clean(message, "name"),
                        value=_clean(message, "value"),
                        traceback=_clean(message, "traceback"),
                    )
                case _:
                    self._name(life=frames.text(message, "life"))
                    yield _done(message)
                    return

    async def _ask(self, order: Message) -> Message:
        order = {**order, "name": self._context.name}
        async with self._connected() as connection:
            try:
                await connection.send(order)
                return (await connection.receive()).message
            except Ended:
                why = await self._driver.explain()
        raise self._error(why)

    @asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Connection]:
        connection = await self._driver.connect()
        try:
            yield connection
        except frames.ProtocolError as error:
            raise self._error(f"it answers nonsense: {error}") from error
        finally:
            connection.close()

    def _take_life(self, answer: Message) -> None:
        refused = answer.get("refused")
        if refused == "cwd":
            number = frames.whole(answer, "errno")
            error = _CWD_ERRORS.get(number, AccessDenied)(
                f"cannot run code in {self._context.cwd!r}: "
                f"{os.strerror(number).lower()}",
                provider=self._driver.ref.provider,
                operation="code",
                ref=self._driver.ref,
                remedy="make the folder first, or name one that is there",
            )
            error.errno, error.filename = number, self._context.cwd
            raise error
        if refused is not None:
            raise self._error(frames.text(answer, "text"))
        self._name(life=frames.text(answer, "life"))

    def _error(self, why: str) -> ProviderError:
        return ProviderError(
            f"code in {self._context.language} cannot be run: {why}",
            provider=self._driver.ref.provider,
            operation="code",
            ref=self._driver.ref,
            sent="maybe",
            remedy="run it as a command, or start a sandbox afresh",
        )


def resolve(cwd: str | None, *, home: str, workdir: str) -> str:
    """The folder that a context begins in."""
    if cwd is None:
        return workdir
    if cwd == "~" or cwd.startswith("~/"):
        return home + cwd[1:]
    return posixpath.join(workdir, cwd)


def _clean(message: Message, name: str) -> str:
    """A text that can be written anywhere, whatever the sandbox made of it."""
    return frames.text(message, name).encode("utf-8", "replace").decode()


async def _rich(connection: Connection, message: Message) -> Rich:
    sizes = frames.child(message, "sizes")
    if sum(frames.whole(sizes, name) for name in sizes) > _LARGEST_RESULT:
        raise frames.ProtocolError("a result is too large")
    data: dict[str, bytes] = {}
    for name in sizes:
        found = bytearray()
        while len(found) < frames.whole(sizes, name):
            found += (await connection.receive()).blob
        data[name] = bytes(found)
    return Rich(data=data, main=message.get("main") is True)


def _done(message: Message) -> Done:
    found = frames.text(message, "status")
    status = next((each for each in _STATUSES if each == found), None)
    if status is None:
        raise frames.ProtocolError(f"an end of the kind {found!r}")
    return Done(
        status=status,  # type: ignore[arg-type]  # one of the four
        values=_values(frames.child(message, "values")),
        state_kept=message.get("state_kept") is True,
        count=frames.whole(message, "count"),
    )


def _values(found: Message) -> Mapping[str, JSON]:
    values: Mapping[str, JSON] = found  # type: ignore[assignment]  # it was JSON
    return values
