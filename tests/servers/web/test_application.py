"""Faults as a client meets them on the wire, and what makes a server red."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from tests.servers.core.faults import Fault
from tests.servers.running import RunningServer, running
from tests.servers.web.application import Application
from tests.servers.web.exchange import Exchange

_BODY = b"0123456789" * 10
_WAIT = 0.5


class Small(Application):
    """Counts what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.done = 0
        self.ended = 0
        self.routes.add("POST", "/work", self._work)
        self.routes.add("POST", "/stream", self._stream)
        self.routes.add("GET", "/broken/{name}", self._break)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """There is nothing to open."""
        yield

    async def end_machine(self, exchange: Exchange) -> None:
        """Count it."""
        del exchange
        self.ended += 1

    async def _work(self, exchange: Exchange) -> None:
        self.done += 1
        await exchange.reply(200, _BODY)

    async def _stream(self, exchange: Exchange) -> None:
        self.done += 1
        await exchange.begin(200, {})
        await exchange.write(_BODY)
        await exchange.finish()

    async def _break(self, exchange: Exchange) -> None:
        raise ValueError(exchange.params["name"])


@pytest.fixture
def application() -> Small:
    """One for each test."""
    return Small()


@pytest.fixture
def server(application: Small) -> Generator[RunningServer]:
    """It, on a port."""
    with running(application) as found:
        yield found


@contextmanager
def asked(
    server: RunningServer, method: str = "POST", path: str = "/work", body: bytes = b""
) -> Generator[socket.socket]:
    """A connection on which a request was sent."""
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as channel:
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        channel.sendall(f"{head}connection: close\r\n\r\n".encode() + body)
        yield channel


def answer(channel: socket.socket) -> bytes:
    """All that comes until the end."""
    return b"".join(iter(lambda: channel.recv(65536), b""))


def _until_silence(channel: socket.socket) -> Iterator[bytes]:
    try:
        while True:
            piece = channel.recv(65536)
            assert piece, "it was closed"
            yield piece
    except TimeoutError:
        return


def body_of(data: bytes) -> bytes:
    """What is behind the headers."""
    return data.partition(b"\r\n\r\n")[2]


def test_without_a_fault_all_is_answered(
    server: RunningServer, application: Small
) -> None:
    with asked(server) as channel:
        assert body_of(answer(channel)) == _BODY
    assert application.done == 1
    server.check_clean()


def test_a_status_is_answered_with_its_headers_and_nothing_is_done(
    server: RunningServer, application: Small
) -> None:
    headers = {"retry-after": "3"}
    server.arm(Fault(kind="status", status=429, message="slowly", headers=headers))
    with asked(server) as channel:
        data = answer(channel)
    assert data.startswith(b"HTTP/1.1 429 ")
    assert b"retry-after: 3\r\n" in data
    assert json.loads(body_of(data)) == {"code": 429, "message": "slowly"}
    assert application.done == 0


def test_a_reset_is_a_reset(server: RunningServer, application: Small) -> None:
    server.arm(Fault(kind="reset"))
    with asked(server) as channel, pytest.raises(ConnectionResetError):
        answer(channel)
    assert application.done == 0


def test_a_black_hole_never_answers(server: RunningServer, application: Small) -> None:
    server.arm(Fault(kind="black_hole"))
    with asked(server) as channel:
        channel.settimeout(_WAIT)
        with pytest.raises(TimeoutError):
            channel.recv(1)
    assert application.done == 0


@pytest.mark.parametrize("after", [0, 1, 37, len(_BODY)])
def test_a_cut_comes_behind_exactly_so_many_bytes(
    server: RunningServer, application: Small, after: int
) -> None:
    server.arm(Fault(kind="cut", after=after))
    with asked(server) as channel:
        data = answer(channel)
    assert data.startswith(b"HTTP/1.1 200 ")
    assert body_of(data) == _BODY[:after]
    assert application.done == 1


def test_a_truncated_stream_ends_in_due_form(server: RunningServer) -> None:
    server.arm(Fault(kind="truncate", path="/stream", after=12))
    with asked(server, path="/stream") as channel:
        assert body_of(answer(channel)) == b"c\r\n" + _BODY[:12] + b"\r\n0\r\n\r\n"


def test_a_stall_keeps_the_connection_and_sends_no_more(server: RunningServer) -> None:
    server.arm(Fault(kind="stall", after=12))
    with asked(server) as channel:
        channel.settimeout(_WAIT)
        data = b"".join(_until_silence(channel))
    assert body_of(data) == _BODY[:12]


def test_a_lost_reply_is_lost_behind_the_work(
    server: RunningServer, application: Small
) -> None:
    server.arm(Fault(kind="lost_reply"))
    with asked(server) as channel:
        assert answer(channel) == b""
    assert application.done == 1


def test_a_machine_ends_where_the_fault_says(
    server: RunningServer, application: Small
) -> None:
    server.arm(Fault(kind="end_machine", after=5))
    with asked(server) as channel:
        assert body_of(answer(channel)) == _BODY[:5]
    assert application.ended == 1


def test_a_refusing_port_refuses_for_a_while(server: RunningServer) -> None:
    with asked(server) as channel:
        assert answer(channel)
    with asked(server, path="/_faults", body=b'{"kind":"refuse","seconds":0.5}') as c:
        answer(c)
    refused = 0
    deadline = time.monotonic() + 20
    while True:
        try:
            with asked(server) as channel:
                data = answer(channel)
        except ConnectionError:
            refused += 1
            assert time.monotonic() < deadline
        else:
            if refused:
                break
    assert body_of(data) == _BODY


def test_an_unknown_route_makes_a_server_red(server: RunningServer) -> None:
    with asked(server, "GET") as channel:
        assert answer(channel).startswith(b"HTTP/1.1 404 ")
    assert server.failures == ["unknown route: GET /work"]
    with pytest.raises(AssertionError):
        server.check_clean()


def test_an_error_of_the_server_makes_it_red(server: RunningServer) -> None:
    with asked(server, "GET", "/broken/a%2Fb") as channel:
        assert answer(channel).startswith(b"HTTP/1.1 500 ")
    (failure,) = server.failures
    assert "ValueError: a/b" in failure


def test_a_fault_that_hit_nothing_makes_a_server_red(server: RunningServer) -> None:
    server.arm(Fault(kind="reset", path="/never"))
    with pytest.raises(AssertionError):
        server.check_clean()
    server.check_clean()


def test_what_is_no_fault_is_refused(server: RunningServer) -> None:
    with asked(server, path="/_faults", body=b'{"kind":"explode"}') as channel:
        assert answer(channel).startswith(b"HTTP/1.1 400 ")
