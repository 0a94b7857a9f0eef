"""Ports of a sandbox, reached from this computer."""

from __future__ import annotations

import hashlib
import socket
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
import pytest
from anyio import to_thread
from anyio.abc import SocketStream

from sandbook.api import Process
from sandbook.errors import PortClosed, SandboxLost, UsageError
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import argv, text_of
from tests.sandbook_local.own_sockets import sends_at_once

pytestmark = pytest.mark.anyio

_PORT = 8000
_SERVER = """
import hashlib, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], 8000), family=family, backlog=4)
print("up", flush=True)
"""
_ECHO_AT_THE_END = """
while True:
    way, _ = server.accept()
    told = b""
    while data := way.recv(65536):
        told += data
    way.sendall(b"%d " % len(told) + hashlib.sha256(told).hexdigest().encode())
    way.close()
"""
_COUNT = """
server.settimeout(1.0)
count = 0
try:
    while True:
        server.accept()
        count += 1
except TimeoutError:
    print(count, flush=True)
"""
_POUR = """
way, _ = server.accept()
way.settimeout(1.0)
sent = 0
try:
    while sent < 1 << 28:
        sent += way.send(bytes(65536))
except TimeoutError:
    print(sent, flush=True)
    way.settimeout(None)
    way.recv(1)
"""
_RESET = """
import struct
way, _ = server.accept()
way.recv(1)
way.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
way.close()
"""
_ONCE = """
way, _ = server.accept()
server.close()
way.sendall(b"once")
way.close()
"""


class _Server:
    """A server in a sandbox; `says` gives the lines that it prints."""

    def __init__(self, process: Process) -> None:
        self._output = process.output()

    async def says(self) -> str:
        with anyio.fail_after(20):
            async for chunk in self._output:
                if chunk.stream == "stdout":
                    return chunk.data.decode().strip()
        raise AssertionError("it ended")


async def _serve(
    sandbox: LocalSandbox, text: str, *, host: str = "127.0.0.1"
) -> _Server:
    request = argv("python3", "-c", _SERVER + text, host)
    server = _Server(await sandbox.start(request))
    assert await server.says() == "up"
    return server


async def _place(sandbox: LocalSandbox) -> tuple[str, int]:
    found = urlsplit((await sandbox.port(_PORT)).url)
    assert found.hostname == "127.0.0.1"
    assert found.port is not None
    return found.hostname, found.port


@asynccontextmanager
async def _connected(sandbox: LocalSandbox) -> AsyncGenerator[SocketStream]:
    async with await anyio.connect_tcp(*await _place(sandbox)) as way:
        yield way


async def _all_of(way: SocketStream) -> bytes:
    told = b""
    with anyio.fail_after(20):
        async for data in way:
            told += data
    return told


@pytest.fixture(autouse=True)
async def _leaving(sandbox: LocalSandbox) -> AsyncGenerator[None]:
    yield
    await sandbox.aclose()


async def test_small_pieces_are_passed_on_without_waiting_for_an_answer(
    sandbox: LocalSandbox,
) -> None:
    await _serve(
        sandbox, "way, _ = server.accept()\nway.sendall(way.recv(1))\nway.recv(1)"
    )
    async with _connected(sandbox) as way:
        await way.send(b"x")
        assert await way.receive() == b"x"
        _, port = await _place(sandbox)
        # Ours at the listener, and the one that leads inside; the third is the test's.
        assert sends_at_once({port, _PORT}) == [True, True, True]


async def test_a_web_server_inside_is_reached_by_the_url(
    sandbox: LocalSandbox,
) -> None:
    await sandbox.files.write("page.txt", b"hello from inside")
    request = argv("python3", "-u", "-m", "http.server", str(_PORT))
    server = _Server(await sandbox.start(request))
    await server.says()
    url = (await sandbox.port(_PORT)).url

    def get() -> bytes:
        with urllib.request.urlopen(f"{url}/page.txt", timeout=20) as answer:  # noqa: S310 (our own)
            found: bytes = answer.read()
            return found

    for _ in range(3):
        assert await to_thread.run_sync(get) == b"hello from inside"


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::"])  # noqa: S104 (inside)
async def test_what_is_sent_arrives_whole_and_each_direction_ends_by_itself(
    sandbox: LocalSandbox, host: str
) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    await _serve(sandbox, _ECHO_AT_THE_END, host=host)
    data = bytes(range(256)) * 8192
    async with _connected(sandbox) as way:
        await way.send(data)
        await way.send_eof()
        told = await _all_of(way)
    digest = hashlib.sha256(data).hexdigest()
    assert told.decode() == f"{len(data)} {digest}"


async def test_a_closed_port_is_said_to_be_closed(sandbox: LocalSandbox) -> None:
    with pytest.raises(PortClosed, match="is closed") as caught:
        await sandbox.port(_PORT)
    assert "listen" in caught.value.remedy
    await _serve(sandbox, _ECHO_AT_THE_END)
    await sandbox.port(_PORT)


@pytest.mark.parametrize("number", [0, -1, 65536])
async def test_what_is_no_port_is_refused(sandbox: LocalSandbox, number: int) -> None:
    with pytest.raises(UsageError, match="is none"):
        await sandbox.port(number)


async def test_asking_for_a_port_makes_no_connection(sandbox: LocalSandbox) -> None:
    server = await _serve(sandbox, _COUNT)
    for _ in range(3):
        await sandbox.port(_PORT)
    async with _connected(sandbox):
        assert await server.says() == "1"


async def test_a_port_has_one_address_however_often_it_is_asked_for(
    sandbox: LocalSandbox,
) -> None:
    await _serve(sandbox, _ECHO_AT_THE_END)
    urls: set[str] = set()

    async def ask() -> None:
        urls.add((await sandbox.port(_PORT)).url)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(ask)
    assert len(urls) == 1


async def test_leaving_the_sandbox_closes_its_ports_and_what_came_through(
    sandbox: LocalSandbox,
) -> None:
    await _serve(sandbox, _ECHO_AT_THE_END)
    place = await _place(sandbox)
    async with await anyio.connect_tcp(*place) as way:
        await way.send(b"some")
        await sandbox.aclose()
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await way.receive()
    with pytest.raises(OSError, match=r"(?i)connect"):
        await anyio.connect_tcp(*place)
    async with _connected(sandbox) as way:
        await way.send_eof()
        assert (await _all_of(way)).startswith(b"0 ")


async def test_a_client_that_reads_nothing_holds_back_the_server(
    sandbox: LocalSandbox,
) -> None:
    server = await _serve(sandbox, _POUR)
    async with _connected(sandbox):
        sent = int(await server.says())
    assert 0 < sent < 32 << 20


async def test_a_reset_inside_is_a_reset_outside(sandbox: LocalSandbox) -> None:
    await _serve(sandbox, _RESET)
    async with _connected(sandbox) as way:
        await way.send(b"x")
        with anyio.fail_after(20), pytest.raises(anyio.BrokenResourceError):
            await way.receive()


async def test_a_connection_to_a_server_that_has_left_is_reset(
    sandbox: LocalSandbox,
) -> None:
    await _serve(sandbox, _ONCE)
    place = await _place(sandbox)
    async with await anyio.connect_tcp(*place) as way:
        assert await _all_of(way) == b"once"
    with pytest.raises((anyio.BrokenResourceError, OSError)):
        async with await anyio.connect_tcp(*place) as way:
            await way.receive()


async def test_a_server_that_takes_nobody_holds_up_nobody_else(
    sandbox: LocalSandbox,
) -> None:
    await _serve(sandbox, "import time; time.sleep(600)")
    place = await _place(sandbox)
    ways = [await anyio.connect_tcp(*place) for _ in range(16)]
    try:
        with anyio.fail_after(20):
            assert await text_of(sandbox, "echo here") == "here\n"
    finally:
        for way in ways:
            await way.aclose()


async def test_a_port_of_a_sandbox_that_has_ended_is_lost(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    await provider.destroy(sandbox.ref)
    with pytest.raises(SandboxLost):
        await sandbox.port(_PORT)
