"""A program in a local sandbox, as its client sees it.

The supervisor keeps the output, the deadline and the end; this is a way to them. A
client that dies changes nothing. One whose wait is cancelled stops the program,
unless it detached before.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import anyio

from sandbook.api import Captured, Chunk, ExecResult, SandboxRef, SignalName, StreamName
from sandbook.errors import ConnectionLost, ProviderError, SandboxLost, UsageError
from sandbook_local.connection import Connection, Ended, Line, ask, connect
from sandbook_local.folders import is_alive
from sandbook_local.inside import frames
from sandbook_local.inside.frames import Message

STOP_TIMEOUT = 20.0
"""Seconds that a program may take to be stopped when nobody waits for it any more."""

Read = Callable[[], Awaitable[bytes | None]]
"""Gives the next piece of an output, None at its end."""


class LocalProcess:
    """A program, running or ended."""

    def __init__(
        self, line: Line, ref: SandboxRef, *, key: str, pid: int | None
    ) -> None:
        self.key = key
        self.pid = pid
        self._line = line
        self._ref = ref
        self._stdin: int | None = None
        self._senders = 0
        self._is_stdin_over = False
        self._result: ExecResult | None = None
        self._detached = False

    async def output(self, *, after: int = 0) -> AsyncGenerator[Chunk]:
        """Chunks with `seq` above `after`, as they come; ends when the program does."""
        async with self._ours("exec.output"), self._line.connect() as connection:
            await connection.send(self._ask("output", after=after))
            while True:
                frame = await connection.receive()
                if frame.message.get("end") is True:
                    if frame.message.get("result") is True:
                        told = (await connection.receive()).message
                        self._result = await _result(connection, told)
                    return
                self._check(frame.message, "exec.output")
                yield _chunk(frame)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Read]:
        """What reads its output piece by piece; a wait that is given up loses none."""
        try:
            # Not one that is used again: this reader may leave before the end.
            async with connect(self._line.folder) as connection:
                order: Message = {"do": "output", "key": self.key, "after": 0}
                await connection.send(ask(order))
                yield lambda: self._read(connection)
        except Ended as error:
            self.lost("exec.output", error)

    async def _read(self, connection: Connection) -> bytes | None:
        try:
            frame = await connection.receive()
        except (Ended, frames.ProtocolError) as error:
            self.lost("exec.output", error)
        self._check(frame.message, "exec.output")
        return None if frame.message.get("end") is True else frame.blob

    async def send(self, data: bytes) -> None:
        """Write to its stdin, waiting while the pipe is full."""
        stdin = await self.input_descriptor()
        self._senders += 1
        try:
            await self._write(stdin, memoryview(data))
        finally:
            self._senders -= 1
            if self._is_stdin_over:
                self._drop_stdin()

    async def _write(self, stdin: int, left: memoryview) -> None:
        while left:
            try:
                left = left[os.write(stdin, left) :]
            except BlockingIOError as error:
                if self._is_stdin_over or _is_hung_up(stdin):
                    # A full terminal stays so when nobody reads it any more.
                    raise self._closed() from error
                await anyio.wait_writable(stdin)
            except OSError as error:
                # EIO is a terminal whose program has ended.
                if error.errno not in (errno.EPIPE, errno.EIO):
                    raise
                raise self._closed() from error

    async def end_input(self) -> None:
        """Close its stdin."""
        self._drop_stdin()
        await self._call("exec.stdin", "end_input")

    async def signal(self, name: SignalName) -> bool:
        """Signal its whole tree; False = it had already ended."""
        answer = await self._call("exec.signal", "signal", name=name)
        return answer.get("signalled") is True

    async def wait(self) -> ExecResult:
        """Wait for its end; nobody has to read the output for it to come."""
        if self._result is not None:
            self._drop_stdin()
            return self._result
        async with self._ours("exec.wait"), self._line.connect() as connection:
            await connection.send(self._ask("wait"))
            told = (await connection.receive()).message
            self._check(told, "exec.wait")
            self._drop_stdin()
            return await _result(connection, told)

    async def detach(self) -> None:
        """Let it run on without us."""
        self._detached = True
        self._drop_stdin()

    async def stop(self) -> None:
        """End its tree: TERM, and KILL after its grace; does not wait for it."""
        await self._call("exec.signal", "stop")

    async def hang_up(self) -> None:
        """Send its tree HUP, and KILL after its grace; does not wait for it."""
        await self._call("exec.signal", "hang_up")

    def lost(self, operation: str, cause: BaseException) -> NoReturn:
        """Raise the error for a connection that ended."""
        raise lost(self._line.folder, self._ref, operation) from cause

    @asynccontextmanager
    async def _ours(self, operation: str) -> AsyncGenerator[None]:
        """Stop the program when the wait for it is cancelled."""
        try:
            yield
        except (Ended, frames.ProtocolError) as error:
            self.lost(operation, error)
        except anyio.get_cancelled_exc_class():
            if not self._detached:
                with anyio.move_on_after(STOP_TIMEOUT, shield=True):
                    await self._stop_quietly()
            raise

    async def _stop_quietly(self) -> None:
        try:
            await self.stop()
        except ProviderError:
            return  # the sandbox is gone, and the program with it

    async def _call(self, operation: str, do: str, **fields: str | int) -> Message:
        try:
            answer = (
                await self._line.request({"do": do, "key": self.key, **fields})
            ).message
        except (Ended, frames.ProtocolError) as error:
            self.lost(operation, error)
        self._check(answer, operation)
        return answer

    async def input_descriptor(self) -> int:
        """Our end of its stdin; not blocking, and closed with this object."""
        if self._stdin is not None:
            return self._stdin
        try:
            frame = await self._line.request({"do": "stdin", "key": self.key})
        except (Ended, frames.ProtocolError) as error:
            self.lost("exec.stdin", error)
        if not frame.descriptors:
            raise self._closed()
        self._stdin = frame.descriptors.pop()
        os.set_blocking(self._stdin, False)
        return self._stdin

    def _drop_stdin(self) -> None:
        # Its number would be another file's while somebody still waits to write.
        self._is_stdin_over = self._senders > 0
        if self._stdin is not None and not self._is_stdin_over:
            os.close(self._stdin)
            self._stdin = None

    def _closed(self) -> UsageError:
        return UsageError(
            f"the stdin of {self.key!r} is closed",
            remedy='start it with `stdin="pipe"`, and send before it ends',
        )

    def _ask(self, do: str, **fields: str | int) -> Message:
        return self._line.ask({"do": do, "key": self.key, **fields})

    def _check(self, answer: Message, operation: str) -> None:
        if answer.get("error") == "ConnectionLost":
            raise ConnectionLost(
                frames.text(answer, "text"),
                provider=self._ref.provider,
                operation=operation,
                ref=self._ref,
                remedy="one reader at a time: attach again to take it back",
            )
        if answer.get("known") is False:
            raise SandboxLost(
                f"the sandbox does not know {self.key!r}",
                provider=self._ref.provider,
                operation=operation,
                ref=self._ref,
            )


def _is_hung_up(descriptor: int) -> bool:
    waiting = select.poll()
    waiting.register(descriptor, 0)
    return any(event & select.POLLHUP for _, event in waiting.poll(0))


def lost(folder: Path, ref: SandboxRef, operation: str) -> ProviderError:
    """The error for a supervisor that hung up: gone, or only out of reach."""
    if is_alive(folder):
        return ConnectionLost(
            f"sandbox {ref.id!r} hung up",
            provider=ref.provider,
            operation=operation,
            ref=ref,
            sent="maybe",
            remedy="attach again",
        )
    return SandboxLost(
        f"sandbox {ref.id!r} has ended",
        provider=ref.provider,
        operation=operation,
        ref=ref,
        sent="maybe",
        remedy="give it a longer lifetime, or start afresh",
    )


def _chunk(frame: frames.Frame) -> Chunk:
    return Chunk(
        seq=frames.whole(frame.message, "seq"),
        stream=_stream(frames.text(frame.message, "stream")),
        data=frame.blob,
        at=datetime.fromtimestamp(frames.number(frame.message, "at"), UTC),
    )


def _stream(name: str) -> StreamName:
    return "stderr" if name == "stderr" else "stdout"


async def _result(connection: Connection, told: Message) -> ExecResult:
    kept = frames.child(told, "kept")
    stdout = await _captured(connection, frames.child(kept, "stdout"))
    stderr = await _captured(connection, frames.child(kept, "stderr"))
    code = told.get("code")
    end = frames.text(told, "end")
    limit = told.get("limit")
    return ExecResult(
        limit=limit if isinstance(limit, str) else None,
        end="exited"
        if end == "exited"
        else "timed_out"
        if end == "timed_out"
        else "signalled",
        code=code if isinstance(code, int) else None,
        stdout=stdout,
        stderr=stderr,
        seconds=frames.number(told, "seconds"),
    )


async def _captured(connection: Connection, kept: Message) -> Captured:
    total = frames.whole(kept, "total")
    head = await _collect(connection, frames.whole(kept, "head"))
    tail = await _collect(connection, frames.whole(kept, "tail"))
    dropped = total - len(head) - len(tail)
    return Captured(head=head, tail=tail, total=total, dropped=dropped)


async def _collect(connection: Connection, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        found += (await connection.receive()).blob
    return bytes(found)
