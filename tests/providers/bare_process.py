"""A command of a bare sandbox, reached by its keeper or read from its folder."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from sandbook.api import JSON, Captured, Chunk, ExecResult, SignalName, StreamName
from sandbook.errors import ConnectionLost

if TYPE_CHECKING:
    from tests.providers.bare_sandbox import BareSandbox

FRAME = struct.Struct("!QBdI")
STREAMS: tuple[StreamName, StreamName] = ("stdout", "stderr")
SUPERSEDED, END = 2, 3
START_PATIENCE = 30.0
_BROKEN = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError)


class BareProcess:
    """A handle; any number may be open, in any process."""

    def __init__(self, sandbox: BareSandbox, key: str, folder: Path) -> None:
        """A handle for the command kept in `folder`."""
        self.key = key
        self.pid: int | None = None
        self._sandbox = sandbox
        self._folder = folder
        self._detached = False

    async def started(self) -> None:
        """Wait until its keeper has started it, which another handle may have asked."""
        with anyio.fail_after(START_PATIENCE):
            while not await anyio.Path(self._folder / "pid").exists():
                self._sandbox.check_alive("start")
                await anyio.sleep(0.005)
        text = await anyio.Path(self._folder / "pid").read_text()
        self.pid = int(text or 0) or None

    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        """Chunks above `after`, from the keeper or what it left."""
        stream = await self._ask({"op": "output", "after": after})
        if stream is not None:
            async with stream:
                try:
                    async for chunk in _frames(stream):
                        after = chunk.seq
                        yield chunk
                except _BROKEN:
                    pass
                except anyio.get_cancelled_exc_class():
                    await self._kill_unless_detached()
                    raise
                else:
                    return
        # The keeper has ended, perhaps between accepting us and answering.
        for chunk in await self._stored_chunks():
            if chunk.seq > after:
                yield chunk

    async def send(self, data: bytes) -> None:
        """Write to its stdin; returns when the pipe has taken all of it."""
        reply = await self._call({"op": "send", "size": len(data)}, data)
        if reply is None or reply.get("closed"):
            raise ConnectionLost(
                f"the command {self.key!r} does not read its stdin any more",
                provider="bare",
                operation="send",
                ref=self._sandbox.ref,
                remedy="look at its output: it may have ended",
            )

    async def end_input(self) -> None:
        """Close its stdin."""
        await self._call({"op": "end_input"})

    async def signal(self, name: SignalName) -> bool:
        """Signal its whole tree."""
        reply = await self._call({"op": "signal", "name": name})
        return reply is not None and bool(reply["sent"])

    async def wait(self) -> ExecResult:
        """Wait for its end; a cancelled wait ends it, unless it was detached."""
        try:
            await self._call({"op": "wait"})
        except anyio.get_cancelled_exc_class():
            await self._kill_unless_detached()
            raise
        told = await self._told()
        return await self._result(told)

    async def detach(self) -> None:
        """From now on, cancelling what waits here does not end it."""
        self._detached = True

    async def _kill_unless_detached(self) -> None:
        if not self._detached:
            with anyio.CancelScope(shield=True):
                await self.signal("KILL")

    async def _ask(
        self, asked: Mapping[str, JSON], data: bytes = b""
    ) -> SocketStream | None:
        """A connection on which the keeper answers; None when it has ended."""
        at = os.open(self._folder, os.O_PATH) if self._folder.is_dir() else -1
        if at < 0:
            self._raise_lost("connect")
        try:
            stream = await anyio.connect_unix(f"/proc/self/fd/{at}/sock")
        except OSError:
            return None
        finally:
            os.close(at)
        try:
            await stream.send(json.dumps(asked).encode() + b"\n" + data)
        except anyio.BrokenResourceError:
            await stream.aclose()
            return None
        except BaseException:
            await anyio.aclose_forcefully(stream)
            raise
        return stream

    async def _call(
        self, asked: Mapping[str, JSON], data: bytes = b""
    ) -> dict[str, JSON] | None:
        """Ask and await the answer; None when the keeper has ended."""
        stream = await self._ask(asked, data)
        if stream is None:
            return None
        async with stream:
            try:
                line = await BufferedByteReceiveStream(stream).receive_until(
                    b"\n", 4096
                )
            except _BROKEN:
                return None
        answer: dict[str, JSON] = json.loads(line)
        return answer

    async def _told(self) -> dict[str, JSON]:
        try:
            text = await anyio.Path(self._folder / "result.json").read_text()
        except FileNotFoundError:
            self._raise_lost("wait")
            raise
        told: dict[str, JSON] = json.loads(text)
        return told

    def _raise_lost(self, operation: str) -> None:
        """Say which end was lost: the sandbox, else the keeper."""
        self._sandbox.check_alive(operation)
        raise ConnectionLost(
            f"the keeper of {self.key!r} is gone",
            provider="bare",
            operation=operation,
            ref=self._sandbox.ref,
            remedy="run it again under a new key",
        )

    async def _result(self, told: Mapping[str, JSON]) -> ExecResult:
        spool = await anyio.Path(self._folder / "spool").read_bytes()
        code, seconds = told["code"], told["seconds"]
        return ExecResult(
            end=_end(told["end"]),
            code=code if isinstance(code, int) else None,
            stdout=_captured(spool, told["stdout"]),
            stderr=_captured(spool, told["stderr"]),
            seconds=seconds if isinstance(seconds, float) else 0.0,
        )

    async def _stored_chunks(self) -> list[Chunk]:
        """What an ended command left."""
        told = await self._told()
        spool = await anyio.Path(self._folder / "spool").read_bytes()
        end = _place(told["stdout"])[0]
        chunks: list[Chunk] = []
        at = 0
        while at < end:
            seq, stream, when, size = FRAME.unpack_from(spool, at)
            at += FRAME.size + size
            chunks.append(_chunk(seq, stream, when, spool[at - size : at]))
        return chunks


async def _frames(stream: SocketStream) -> AsyncIterator[Chunk]:
    """The chunks a keeper sends, up to the end of the command."""
    received = BufferedByteReceiveStream(stream)
    while True:
        head = await received.receive_exactly(FRAME.size)
        seq, kind, when, size = FRAME.unpack(head)
        if kind == END:
            return
        if kind == SUPERSEDED:
            raise ConnectionLost(
                "somebody else reads this output now",
                provider="bare",
                operation="output",
                remedy="read it in one place only",
            )
        data = await received.receive_exactly(size)
        yield _chunk(seq, kind, when, data)


def _chunk(seq: int, stream: int, when: float, data: bytes) -> Chunk:
    at = datetime.fromtimestamp(when, UTC)
    return Chunk(seq=seq, stream=STREAMS[stream], data=data, at=at)


def _captured(spool: bytes, place: JSON) -> Captured:
    start, head, tail, total = _place(place)
    return Captured(
        head=spool[start : start + head],
        tail=spool[start + head : start + head + tail],
        total=total,
        dropped=total - head - tail,
    )


def _place(place: JSON) -> list[int]:
    if not isinstance(place, list):
        raise TypeError(f"a keeper told {place!r}")
    return [int(str(number)) for number in place]


def _end(told: JSON) -> Literal["exited", "signalled", "timed_out"]:
    if told == "signalled":
        return "signalled"
    return "timed_out" if told == "timed_out" else "exited"
