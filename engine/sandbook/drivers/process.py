"""A command of a driver: started by key, heard, fed, ended, found again."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import anyio

from sandbook.api import (
    Captured,
    Chunk,
    ExecRequest,
    ExecResult,
    Shell,
    SignalName,
)
from sandbook.drivers.channel import Channel, ChannelClosed, Question
from sandbook.drivers.failures import failure
from sandbook.drivers.link import Link
from sandbook.errors import ConnectionLost, Unsupported

_ROOM = 1 << 20
_PIECE = 48 << 10
_INLINE = 32 << 10
_TRIES = 5
_KILL_TIMEOUT = 20.0


async def start(
    link: Link, request: ExecRequest, *, pty: Mapping[str, int] | None = None
) -> DriverProcess:
    """Start a program, or return the one that has this key; `pty` is a size."""
    if request.user is not None:
        _refuse_user(link, request.user)
    stdin = await _stdin(link, request)
    process = DriverProcess(link, key=request.key, pid=None)
    asked = {"do": "start", **_described(request), "stdin": stdin, "pty": pty}
    try:
        answer = await link.call(asked, operation="start")
    except anyio.get_cancelled_exc_class():
        # It may have been started by now.
        with anyio.move_on_after(_KILL_TIMEOUT, shield=True):
            if await find(link, request.key) is not None:
                await process.signal("KILL")
        raise
    if "error" in answer:
        raise failure(link, answer["error"], request.cwd or ".", "start", sent="no")
    process.pid = answer["pid"] or None
    return process


async def find(link: Link, key: str) -> DriverProcess | None:
    """The program with this key, running or ended."""
    answer = await link.call({"do": "find", "key": key}, operation="find")
    if not answer["known"]:
        return None
    return DriverProcess(link, key=key, pid=answer["pid"] or None)


def _refuse_user(link: Link, user: str) -> None:
    raise Unsupported(
        f"sandboxes of {link.host.ref.provider} run programs as one user, not {user!r}",
        provider=link.host.ref.provider,
        operation="start",
        ref=link.host.ref,
        sent="no",
        remedy="leave out user",
    )


def _described(request: ExecRequest) -> dict[str, object]:
    program = request.program
    shell: dict[str, object] | None = None
    if isinstance(program, Shell):
        shell = {
            "text": program.text,
            "strict": program.strict,
            "dialect": program.dialect,
        }
    return {
        "key": request.key,
        "argv": None if isinstance(program, Shell) else list(program),
        "shell": shell,
        "env": dict(request.env),
        "cwd": request.cwd,
        "timeout": request.timeout,
        "grace": request.grace,
        "head": request.head,
        "tail": request.tail,
        "background": request.background,
    }


async def _stdin(link: Link, request: ExecRequest) -> list[str]:
    """Where the program finds its input, which is there before it starts."""
    source = request.stdin
    if source is None:
        return ["null", ""]
    if source == "pipe":
        return ["pipe", ""]
    if isinstance(source, bytes) and len(source) <= _INLINE:
        return ["data", base64.b64encode(source).decode()]
    channel = await link.channel()
    path = f"{channel.root}/stdin/{secrets.token_hex(8)}"
    await link.host.store(path, _pieces(source))
    return ["file", path]


async def _pieces(source: bytes | AsyncIterable[bytes] | str) -> AsyncIterator[bytes]:
    if isinstance(source, bytes):
        for place in range(0, len(source), 1 << 20):
            yield source[place : place + (1 << 20)]
    elif not isinstance(source, str):
        async for piece in source:
            yield piece


class DriverProcess:
    """A handle; any number may be open, in any process."""

    def __init__(self, link: Link, *, key: str, pid: int | None) -> None:
        self.key = key
        self.pid = pid
        self._link = link
        self._detached = False

    async def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        """Chunks with `seq` above `after`, kept or new."""
        tries = _TRIES
        try:
            while True:
                channel = await self._link.channel()
                try:
                    async for chunk in self._heard(channel, after):
                        after, tries = chunk.seq, _TRIES
                        yield chunk
                except ChannelClosed:
                    await self._link.host.must_live("output")
                    tries -= 1
                    if not tries:
                        self._link.lose("output")
                else:
                    return
        except anyio.get_cancelled_exc_class():
            await self._kill_unless_detached()
            raise

    async def _heard(self, channel: Channel, after: int) -> AsyncIterator[Chunk]:
        asked = {"do": "output", "key": self.key, "after": after, "room": _ROOM}
        async with channel.ask(asked) as question:
            taken = 0
            async for answer in question.answers():
                if "chunk" not in answer:
                    question.is_over = True
                    self._check(answer, "output")
                    return
                chunk = _chunk(answer["chunk"])
                yield chunk
                taken += len(chunk.data)
                if taken >= _ROOM // 2:
                    await question.more(do="room", bytes=taken)
                    taken = 0
        self._check({"lost": True}, "output")

    async def send(self, data: bytes) -> None:
        """Write to its stdin; returns when the pipe has taken all of it."""
        for place in range(0, len(data), _PIECE):
            piece = base64.b64encode(data[place : place + _PIECE]).decode()
            asked = {"do": "send", "key": self.key, "data": piece}
            answer = await self._link.call(asked, operation="send", again=False)
            if "done" not in answer:
                self._check(answer, "send")

    async def end_input(self) -> None:
        """Close its stdin."""
        asked = {"do": "end_input", "key": self.key}
        await self._link.call(asked, operation="end_input")

    async def signal(self, name: SignalName) -> bool:
        """Signal its whole tree."""
        asked = {"do": "signal", "key": self.key, "name": name}
        answer = await self._link.call(asked, operation="signal")
        return answer.get("sent") is True

    async def wait(self) -> ExecResult:
        """Wait for its end; a cancelled wait ends it, unless it was detached."""
        try:
            told = await self._link.surely(self._end, operation="wait")
        except anyio.get_cancelled_exc_class():
            await self._kill_unless_detached()
            raise
        result: ExecResult = told["result"]
        return result

    async def _end(self, channel: Channel) -> dict[str, Any]:
        async with channel.ask({"do": "wait", "key": self.key}) as question:
            return {"result": await self._gathered(question)}

    async def _gathered(self, question: Question) -> ExecResult:
        kept: dict[tuple[str, str], bytearray] = {}
        async for answer in question.answers():
            if "kept" in answer:
                stream, part, data = answer["kept"]
                place = kept.setdefault((stream, part), bytearray())
                place += base64.b64decode(data)
            elif "result" in answer:
                question.is_over = True
                return _result(answer["result"], kept)
            elif "ended" not in answer:
                break
        nothing = Captured()
        return ExecResult(
            end="lost", code=None, stdout=nothing, stderr=nothing, seconds=0.0
        )

    async def detach(self) -> None:
        """From now on, cancelling what waits here does not end it."""
        self._detached = True

    async def _kill_unless_detached(self) -> None:
        if not self._detached:
            with anyio.move_on_after(_KILL_TIMEOUT, shield=True):
                await self.signal("KILL")

    def _check(self, answer: dict[str, Any], operation: str) -> None:
        """Nothing where it has ended; else say what became of it."""
        if "ended" in answer:
            return
        ref = self._link.host.ref
        told, remedy = f"the keeper of {self.key!r} is gone", "run it under a new key"
        if "superseded" in answer:
            told = "somebody else reads this output now"
            remedy = "read it in one place only"
        elif "closed" in answer:
            told = f"the command {self.key!r} does not read its stdin any more"
            remedy = "look at its output: it may have ended"
        raise ConnectionLost(
            told, provider=ref.provider, operation=operation, ref=ref, remedy=remedy
        )


def _chunk(told: list[Any]) -> Chunk:
    seq, stream, at, data = told
    return Chunk(
        seq=seq,
        stream=stream,
        data=base64.b64decode(data),
        at=datetime.fromtimestamp(at, UTC),
    )


def _result(told: list[Any], kept: dict[tuple[str, str], bytearray]) -> ExecResult:
    end, code, seconds, totals = told
    return ExecResult(
        end=end,
        code=code,
        stdout=_captured("stdout", totals, kept),
        stderr=_captured("stderr", totals, kept),
        seconds=seconds,
    )


def _captured(
    name: str, totals: dict[str, int], kept: dict[tuple[str, str], bytearray]
) -> Captured:
    head = bytes(kept.pop((name, "head"), b""))
    tail = bytes(kept.pop((name, "tail"), b""))
    dropped = totals[name] - len(head) - len(tail)
    return Captured(head=head, tail=tail, total=totals[name], dropped=dropped)
