"""`python -m tests.bench.constant_e2b`: E2B as far as a client sees, with no work done.

Sandboxes are names, every command prints the same word, and the driver's questions get
the same answers: what a client takes beside it is the client's own. Prints its URL, and
ends with its stdin.
"""

from __future__ import annotations

import base64
import itertools
import json
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
from anyio import to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from sandbook.drivers import command
from sandbook.drivers.inside.agent import MARK
from tests.servers.running import serving
from tests.servers.web.application import Application
from tests.servers.web.exchange import Exchange

WORD = b"same\n"
_HEAD = struct.Struct(">BI")
_STREAM = {"content-type": "application/connect+json"}
_GREETING = {"home": "/home/user", "workdir": "/home/user", "root": "/tmp/none"}
_LIFE = timedelta(hours=1)
_PID = 7


def driver_answers(asked: Mapping[str, Any]) -> Iterator[Mapping[str, object]]:
    """What the driver says to a question, the same to each of a kind."""
    data = base64.b64encode(WORD).decode()
    what = asked.get("do")
    if what == "start":
        yield {"pid": _PID}
    elif what == "find":
        yield {"known": False}
    elif what == "output":
        yield {"chunk": [len(WORD), "stdout", 0.0, data]}
        yield {"ended": True}
    elif what == "wait":
        yield {"kept": ["stdout", "head", data]}
        yield {"result": ["exited", 0, 0.001, {"stdout": len(WORD), "stderr": 0}]}
    elif what == "signal":
        yield {"sent": False}
    elif what not in (None, "close", "room"):
        yield {"error": [38, f"nothing answers to {what!r} here"]}


class Driver:
    """One driver: lines in, lines out."""

    def __init__(self) -> None:
        self._received = b""
        self._heard = 0

    def hear(self, data: bytes) -> bytes:
        """What it prints to a piece of its stdin."""
        *lines, self._received = (self._received + data).split(b"\n")
        return b"".join(text for line in lines for text in self._answer(line))

    def _answer(self, line: bytes) -> Iterator[bytes]:
        self._heard += 1
        if self._heard == 1:
            return  # its own program
        if self._heard == 2:
            yield MARK + json.dumps(_GREETING).encode() + b"\n"
            return
        asked = json.loads(line)
        number = asked["id"]
        if number == 0:
            yield b'{"id": 0}\n'
            return
        answers = [*driver_answers(asked)]
        for told in [*answers, *([{"eof": True}] if answers else [])]:
            yield json.dumps({"id": number, **told}).encode() + b"\n"


class ConstantServer(Application):
    """Answers what a run asks of E2B."""

    def __init__(self) -> None:
        super().__init__()
        self._metadata: dict[str, Mapping[str, str]] = {}
        self._drivers: dict[int, tuple[Driver, MemoryObjectSendStream[bytes]]] = {}
        self._numbers = itertools.count(100)
        rows = {
            "POST /v2/sandboxes": self._create,
            "GET /v2/sandboxes": self._list,
            "GET /sandboxes/{id}": self._info,
            "POST /sandboxes/{id}/timeout": self._nothing,
            "DELETE /sandboxes/{id}": self._destroy,
            "GET /health": self._nothing,
            "POST /process.Process/Start": self._start,
            "POST /process.Process/SendInput": self._send_input,
            "POST /process.Process/CloseStdin": self._close_stdin,
        }
        for row, endpoint in rows.items():
            method, path = row.split()
            self.routes.add(method, path, endpoint)

    def open(self) -> AbstractAsyncContextManager[None]:
        """There is nothing to open."""
        return nullcontext()

    def state(self) -> Mapping[str, object]:
        """The sandboxes that were made and not destroyed."""
        return {"sandboxes": list(self._metadata)}

    async def _create(self, exchange: Exchange) -> None:
        asked = await exchange.json()
        name = f"i{next(self._numbers):019d}"
        self._metadata[name] = asked.get("metadata", {})
        told = {"sandboxID": name, "templateID": "base", "clientID": "c"}
        more = {"envdVersion": "0.6.13", "envdAccessToken": "t"}
        await exchange.reply_json(201, {**told, **more})

    async def _list(self, exchange: Exchange) -> None:
        await exchange.reply_json(200, [])

    async def _info(self, exchange: Exchange) -> None:
        now = datetime.now(UTC)
        name = exchange.params["id"]
        told = {
            "sandboxID": name,
            "templateID": "base",
            "clientID": "c",
            "startedAt": now.isoformat(),
            "endAt": (now + _LIFE).isoformat(),
            "cpuCount": 2,
            "memoryMB": 512,
            "diskSizeMB": 1024,
            "state": "running",
            "envdVersion": "0.6.13",
            "metadata": self._metadata.get(name, {}),
        }
        await exchange.reply_json(200, told)

    async def _destroy(self, exchange: Exchange) -> None:
        del self._metadata[exchange.params["id"]]
        await exchange.reply(204)

    async def _nothing(self, exchange: Exchange) -> None:
        await exchange.reply(204)

    async def _start(self, exchange: Exchange) -> None:
        asked = json.loads((await exchange.body())[_HEAD.size :])
        pid = next(self._numbers)
        await exchange.begin(200, _STREAM)
        await _tell(exchange, {"start": {"pid": pid}})
        if asked["process"]["args"][-1] == command():
            await self._drive(exchange, pid)
        else:
            await _print(exchange, WORD)
        await _tell(exchange, {"end": {"exited": True, "status": "exit status 0"}})
        await exchange.write(_HEAD.pack(2, 2) + b"{}")
        await exchange.finish()

    async def _drive(self, exchange: Exchange, pid: int) -> None:
        told, heard = anyio.create_memory_object_stream[bytes](1000)
        self._drivers[pid] = Driver(), told
        async with exchange.while_connected():
            await _print_all(exchange, heard)

    async def _send_input(self, exchange: Exchange) -> None:
        asked = await exchange.json()
        driver, printed = self._drivers[asked["process"]["pid"]]
        said = driver.hear(base64.b64decode(asked["input"]["stdin"]))
        if said:
            await printed.send(said)
        await exchange.reply_json(200, {})

    async def _close_stdin(self, exchange: Exchange) -> None:
        asked = await exchange.json()
        _, printed = self._drivers.pop(asked["process"]["pid"])
        printed.close()
        await exchange.reply_json(200, {})


async def _print_all(
    exchange: Exchange, heard: MemoryObjectReceiveStream[bytes]
) -> None:
    with heard:
        async for data in heard:
            await _print(exchange, data)


async def _print(exchange: Exchange, data: bytes) -> None:
    await _tell(exchange, {"data": {"stdout": base64.b64encode(data).decode()}})


async def _tell(exchange: Exchange, event: Mapping[str, object]) -> None:
    message = json.dumps({"event": event}).encode()
    await exchange.write(_HEAD.pack(0, len(message)) + message)


async def _serve() -> int:
    """1 when it was asked what it cannot answer, or something was left behind."""
    server = ConstantServer()
    async with serving(server) as url:
        print(url, flush=True)  # noqa: T201 (its output)
        await to_thread.run_sync(sys.stdin.read)
    wrong = [*server.failures, *map(str, server.state()["sandboxes"] or ())]  # type: ignore[call-overload]  # a list
    sys.stderr.write("".join(f"{text}\n" for text in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(anyio.run(_serve))
