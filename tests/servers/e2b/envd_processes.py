"""envd's `process.Process`: commands and terminals."""

from __future__ import annotations

import base64
import math
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from e2b.envd.process import process_pb as pb

from sandbook.errors import FileError, SpecRejected
from tests.servers.core.listening import Ended, Expired, Listener, Output
from tests.servers.core.paths import PathRules
from tests.servers.core.processes import (
    NoInput,
    ProgramRequest,
    RunningProcess,
    Size,
)
from tests.servers.e2b import access, connect_protocol
from tests.servers.e2b.connect_protocol import RpcError, Stream
from tests.servers.e2b.replies import Json
from tests.servers.e2b.sandboxes import E2BSandbox
from tests.servers.web.exchange import Exchange

_SIGNALS = {"SIGKILL": "KILL", "SIGTERM": "TERM"}
_SIGNAL_WORDS = {
    1: "hangup",
    2: "interrupt",
    3: "quit",
    6: "aborted",
    8: "floating point exception",
    9: "killed",
    11: "segmentation fault",
    13: "broken pipe",
    14: "alarm clock",
    15: "terminated",
}
_PIECE = 32 << 10
_EXPIRED = RpcError("deadline_exceeded", "context deadline exceeded")

Call = Callable[[Exchange, E2BSandbox], Awaitable[None]]


async def start(exchange: Exchange, made: E2BSandbox) -> None:
    """Start a program; its deadline is that of the call, whoever hangs up."""
    asked = connect_protocol.read(
        pb.StartRequest, await connect_protocol.only_request(exchange)
    )
    access.check_user(exchange)
    stream = Stream(exchange, pb.StartResponse)
    with Listener() as listener:
        process = await _start(made, asked, listener, timeout=timeout_of(exchange))
        await _follow(exchange, stream, process, listener, is_own=True)


async def connect(exchange: Exchange, made: E2BSandbox) -> None:
    """Listen to a program that runs; the deadline of the call ends only that."""
    asked = connect_protocol.read(
        pb.ConnectRequest, await connect_protocol.only_request(exchange)
    )
    process = _find(made, asked.process)
    stream = Stream(exchange, pb.ConnectResponse)
    with Listener() as listener:
        process.listen(listener)
        with anyio.move_on_after(timeout_of(exchange)) as scope:
            await _follow(exchange, stream, process, listener, is_own=False)
    if scope.cancelled_caught:
        await stream.end(_EXPIRED)


async def list_processes(exchange: Exchange, made: E2BSandbox) -> None:
    """Every program that runs, terminals too."""
    connect_protocol.read(pb.ListRequest, await exchange.body())
    found = [_told(process) for process in made.machine.processes]
    await connect_protocol.reply(exchange, pb.ListResponse, {"processes": found})


async def send_input(exchange: Exchange, made: E2BSandbox) -> None:
    """Write to one."""
    asked = connect_protocol.read(pb.SendInputRequest, await exchange.body())
    await _send(_find(made, asked.process), asked.input)
    await connect_protocol.reply(exchange, pb.SendInputResponse)


async def stream_input(exchange: Exchange, made: E2BSandbox) -> None:
    """Write to one, piece by piece and in order."""
    process: RunningProcess | None = None
    with anyio.move_on_after(timeout_of(exchange)) as scope:
        async for data in connect_protocol.requests(exchange):
            asked = connect_protocol.read(pb.StreamInputRequest, data)
            event: Any = asked.event
            if event is not None and event.field == "start":
                process = _find(made, event.value.process)
            elif event is not None and event.field == "data":
                if process is None:
                    raise RpcError("invalid_argument", "the start was due first")
                await _send(process, event.value.input)
    if scope.cancelled_caught:
        raise _EXPIRED
    stream = Stream(exchange, pb.StreamInputResponse)
    await stream.send({})
    await stream.end()


async def close_stdin(exchange: Exchange, made: E2BSandbox) -> None:
    """Close the stdin of one."""
    asked = connect_protocol.read(pb.CloseStdinRequest, await exchange.body())
    try:
        await _find(made, asked.process).end_input()
    except NoInput as error:
        text = "error closing stdin: a terminal has none, send Ctrl+D (0x04) instead"
        raise RpcError("unknown", text) from error
    await connect_protocol.reply(exchange, pb.CloseStdinResponse)


async def send_signal(exchange: Exchange, made: E2BSandbox) -> None:
    """Signal one, not what it started."""
    asked = connect_protocol.read(pb.SendSignalRequest, await exchange.body())
    process = _find(made, asked.process)
    name = _SIGNALS.get(asked.signal.name)
    if name is None:
        raise RpcError("unimplemented", f"invalid signal: {asked.signal.name}")
    await process.signal("KILL" if name == "KILL" else "TERM")
    await connect_protocol.reply(exchange, pb.SendSignalResponse)


async def update(exchange: Exchange, made: E2BSandbox) -> None:
    """Change the size of a terminal."""
    asked = connect_protocol.read(pb.UpdateRequest, await exchange.body())
    process = _find(made, asked.process)
    if asked.pty is not None:
        try:
            await process.resize(_size(asked.pty))
        except NoInput as error:
            text = "error resizing tty: tty not assigned to process"
            raise RpcError("internal", text) from error
    await connect_protocol.reply(exchange, pb.UpdateResponse)


UNARY: dict[str, Call] = {
    "List": list_processes,
    "SendInput": send_input,
    "CloseStdin": close_stdin,
    "SendSignal": send_signal,
    "Update": update,
}
STREAMED: dict[str, Call] = {
    "Start": start,
    "Connect": connect,
    "StreamInput": stream_input,
}


async def _start(
    made: E2BSandbox,
    asked: pb.StartRequest,
    listener: Listener,
    *,
    timeout: float | None,  # noqa: ASYNC109 (the program's lifetime)
) -> RunningProcess:
    request = _program(asked, made, timeout=timeout)
    try:
        return await made.machine.processes.start(request, listener)
    except FileError as error:
        text = f"cwd '{request.cwd}' does not exist"
        raise RpcError("invalid_argument", text) from error
    except SpecRejected as error:
        raise RpcError(
            "invalid_argument", f"error starting process: {error}"
        ) from error


async def _follow(
    exchange: Exchange,
    stream: Stream,
    process: RunningProcess,
    listener: Listener,
    *,
    is_own: bool,
) -> None:
    async with exchange.while_connected():
        await stream.send({"event": {"start": {"pid": process.pid}}})
        async for event in listener.events(silence=keepalive(exchange)):
            if isinstance(event, Expired):
                if is_own:
                    # Before the end that the kill brings, which would be told as an
                    # exit with -1.
                    await stream.end(_EXPIRED)
                    return
            else:
                await _tell(stream, event)
        await stream.end()


async def _tell(stream: Stream, event: Output | Ended | None) -> None:
    if event is None:
        await stream.send({"event": {"keepalive": {}}})
    elif isinstance(event, Ended):
        await stream.send({"event": {"end": _end(event)}})
    else:
        for place in range(0, len(event.data), _PIECE):
            piece = base64.b64encode(event.data[place : place + _PIECE]).decode()
            await stream.send({"event": {"data": {event.stream: piece}}})


def _end(ended: Ended) -> Json:
    if ended.signal is not None:
        status = f"signal: {_SIGNAL_WORDS.get(ended.signal, ended.signal)}"
        return {"exitCode": -1, "status": status, "error": status}
    status = f"exit status {ended.code}"
    if ended.code == 0:
        return {"exited": True, "status": status}
    return {"exitCode": ended.code, "exited": True, "status": status, "error": status}


async def _send(process: RunningProcess, given: Any) -> None:
    data = given.input if given is not None else None
    if data is None:
        raise RpcError("unimplemented", "invalid input type")
    has_terminal = process.request.terminal is not None
    if has_terminal != (data.field == "pty"):
        other = "the tty" if has_terminal else "stdin"
        raise RpcError("internal", f"error writing: input should go to {other}")
    try:
        await process.send(data.value)
    except NoInput as error:
        text = "error writing to stdin: stdin not enabled or closed"
        raise RpcError("internal", text) from error


def _find(made: E2BSandbox, selector: pb.ProcessSelector | None) -> RunningProcess:
    chosen: Any = selector.selector if selector is not None else None
    if chosen is None:
        raise RpcError("invalid_argument", "a process must be named")
    name = {"pid": chosen.value} if chosen.field == "pid" else {"tag": chosen.value}
    found = made.machine.processes.find(**name)
    if found is None:
        raise RpcError(
            "not_found", f"process with {chosen.field} {chosen.value} not found"
        )
    return found


def _program(
    asked: pb.StartRequest, made: E2BSandbox, *, timeout: float | None
) -> ProgramRequest:
    config = asked.process or pb.ProcessConfig()
    rules = PathRules(base=made.machine.home, home=made.machine.home)
    return ProgramRequest(
        argv=(config.cmd, *config.args),
        cwd=rules.resolve(config.cwd),
        env=dict(config.envs),
        # Clients of old do not say it, and expect to write.
        stdin=asked.pty is None and (asked.stdin or not asked.has_field("stdin")),
        terminal=None if asked.pty is None else _size(asked.pty),
        timeout=timeout,
        tag=asked.tag if asked.has_field("tag") else None,
    )


def _size(pty: pb.PTY) -> Size:
    size = pty.size or pb.PTY.Size()
    return Size(cols=size.cols or 80, rows=size.rows or 24)


def _told(process: RunningProcess) -> Json:
    request = process.request
    config = {
        "cmd": request.argv[0],
        "args": list(request.argv[1:]),
        "envs": dict(request.env),
        "cwd": request.cwd,
    }
    told: Json = {"config": config, "pid": process.pid}
    return told if request.tag is None else {**told, "tag": request.tag}


def timeout_of(exchange: Exchange) -> float | None:
    """The deadline of a call in seconds; none, as none or 0."""
    told = exchange.headers.get("connect-timeout-ms", "0")
    if not told.isdecimal():
        raise RpcError("invalid_argument", f"a timeout of {told!r}")
    return int(told) / 1000 or None


def keepalive(exchange: Exchange) -> float:
    """The seconds of silence that a client bears."""
    told = exchange.headers.get("keepalive-ping-interval", "")
    return float(told) if told.isdecimal() and int(told) else math.inf
