"""The way out of a sandbox: real servers and clients on this computer's loopback."""

from __future__ import annotations

import http.client
import socket
import socketserver
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbook_local.hosts import Policy
from sandbook_local.proxy import serve, serve_policy


def _to_loopback(_name: str, _port: int) -> Sequence[str]:
    return ("127.0.0.1",)


def _anywhere(allow: Sequence[str] | None = None) -> Policy:
    """A policy under which every name is this computer's loopback, and allowed."""
    return Policy(
        allow,
        also=("example.test", "127.0.0.1"),
        never=(),
        place=lambda _: "",
        resolve=_to_loopback,
    )


@contextmanager
def _proxy(run: Callable[[socket.socket], None]) -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def proxy() -> Generator[int]:
    policy = _anywhere()
    with _proxy(lambda listener: serve_policy(listener, policy)) as port:
        yield port


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        told = f"{self.command} {self.path}\n{self.headers}".encode()
        self._answer(told)

    def do_POST(self) -> None:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Keep-Alive", "timeout=5")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def web() -> Generator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join(20)


class _Reverse(socketserver.BaseRequestHandler):
    """Reads to the end, then answers: only a half-closed connection can do that."""

    def handle(self) -> None:
        data = b""
        while piece := self.request.recv(1 << 16):
            data += piece
        self.request.sendall(data[::-1])


class _ReverseServer(socketserver.ThreadingTCPServer):
    request_queue_size = 200


@pytest.fixture
def reverse() -> Generator[int]:
    with _ReverseServer(("127.0.0.1", 0), _Reverse) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join(20)


def _exchange(port: int, request: bytes, *, end: bool = False) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(request)
        if end:
            client.shutdown(socket.SHUT_WR)
        data = b""
        while piece := client.recv(1 << 16):
            data += piece
        return data


def _get(port: int, url: str, **headers: str) -> tuple[int, str]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", url, headers=headers)
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    return answer.status, text


def test_a_plain_request_arrives_with_a_path_and_its_own_host(
    proxy: int, web: int
) -> None:
    status, text = _get(
        proxy,
        f"http://example.test:{web}/a/b?c=d#e",
        Host="evil.test",
        Connection="keep-alive, X-Secret",
        Accept="text/plain",
        **{"Proxy-Authorization": "Basic x", "X-Secret": "1", "TE": "trailers"},
    )
    lines = text.splitlines()
    assert status == 200
    assert lines[0] == "GET /a/b?c=d"
    assert f"Host: example.test:{web}" in lines
    assert "Accept: text/plain" in lines
    assert "Connection: close" in lines
    for dropped in ("evil.test", "Proxy-", "X-Secret", "TE:", "keep-alive"):
        assert dropped not in text


def test_an_address_without_a_path_asks_for_the_root(proxy: int, web: int) -> None:
    assert "GET /?x\n" in _get(proxy, f"http://example.test:{web}?x")[1]
    assert "GET /\n" in _get(proxy, f"http://example.test:{web}")[1]


def test_the_client_is_told_that_the_connection_closes(proxy: int, web: int) -> None:
    request = f"GET http://example.test:{web}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    head = _exchange(proxy, request).partition(b"\r\n\r\n")[0]
    assert b"Connection: close" in head
    assert b"Keep-Alive" not in head


def test_bodies_pass_by_length_and_in_chunks(proxy: int, web: int) -> None:
    body = bytes(range(256)) * 8000
    client = http.client.HTTPConnection("127.0.0.1", proxy, timeout=60)
    client.request("POST", f"http://example.test:{web}/", body=body)
    assert client.getresponse().read() == body
    client.close()
    client = http.client.HTTPConnection("127.0.0.1", proxy, timeout=60)
    url = f"http://example.test:{web}/"
    client.request("POST", url, body=iter([body, b"end"]), encode_chunked=True)
    assert client.getresponse().read() == body + b"end"
    client.close()


def test_a_second_request_on_the_connection_reaches_nobody(proxy: int) -> None:
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                received.append(peer.recv(1 << 16))
                peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                peer.shutdown(socket.SHUT_WR)
                while piece := peer.recv(1 << 16):
                    received.append(piece)

        thread = threading.Thread(target=answer)
        thread.start()
        port = server.getsockname()[1]
        one = f"GET http://example.test:{port}/1 HTTP/1.1\r\nHost: x\r\n\r\n"
        two = f"GET http://other.test:{port}/2 HTTP/1.1\r\nHost: x\r\n\r\n"
        assert _exchange(proxy, (one + two).encode()).startswith(b"HTTP/1.1 204 ")
        thread.join(20)
    assert b"".join(received).startswith(b"GET /1 ")
    assert b"/2" not in b"".join(received)


def test_a_tunnel_passes_bytes_both_ways_and_its_ends_one_by_one(
    proxy: int, reverse: int
) -> None:
    data = bytes(range(256)) * 20_000
    head = f"CONNECT example.test:{reverse} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    answer = _exchange(proxy, head + data, end=True)
    assert answer.partition(b"\r\n\r\n")[2] == data[::-1]
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_many_tunnels_run_side_by_side(proxy: int, reverse: int) -> None:
    head = f"CONNECT example.test:{reverse} HTTP/1.1\r\n\r\n".encode()
    answers: list[bytes] = []

    def one(number: int) -> None:
        data = b"%05d" % number
        answers.append(_exchange(proxy, head + data, end=True))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    established = b"HTTP/1.1 200 Connection established\r\n\r\n"
    wanted = {established + (b"%05d" % n)[::-1] for n in range(100)}
    assert set(answers) == wanted


@pytest.mark.parametrize(
    ("request_line", "status", "words"),
    [
        ("GET / HTTP/1.1", 400, "web proxy of a sandbox"),
        ("GET https://example.test/ HTTP/1.1", 400, "web proxy of a sandbox"),
        ("GET ftp://example.test/ HTTP/1.1", 400, "web proxy of a sandbox"),
        ("GET http:///x HTTP/1.1", 400, "not a host and port"),
        ("GET http://user@example.test/ HTTP/1.1", 400, "not a host and port"),
        ("CONNECT example.test HTTP/1.1", 400, "not a host and port"),
        ("CONNECT example.test:0 HTTP/1.1", 400, "not a host and port"),
        ("CONNECT example.test:65536 HTTP/1.1", 400, "not a host and port"),
        (f"CONNECT example.test:{'9' * 6000} HTTP/1.1", 400, "not a host and port"),
        ("CONNECT example.test:²³ HTTP/1.1", 400, "not a host and port"),
        ("CONNECT ::1:80 HTTP/1.1", 400, "not a host and port"),
        ("CONNECT example.test:1 HTTP/1.1", 502, "cannot connect"),
        ("nonsense", 400, "not an HTTP/1 request"),
        ("GET http://example.test/ HTTP/2", 400, "not an HTTP/1 request"),
        ("GET http://example.test/ HTTP/1.1\r\nno header", 400, "not a header"),
        ("GET http://example.test/ HTTP/1.1\r\nA : b", 400, "not a header"),
        ("GET http://example.test/ HTTP/1.1\r\n A: folded", 400, "not a header"),
        ("GET http://example.test/ HTTP/1.1\r\nA: b\nC: d", 400, "control character"),
        (
            "POST http://a.test/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: x",
            400,
            "two ways",
        ),
        ("POST http://example.test/ HTTP/1.1\r\nContent-Length: -1", 400, "a length"),
        ("GET http://example.test/ HTTP/1.1\r\nA: " + "b" * 70_000, 431, "too large"),
    ],
)
def test_a_request_that_is_not_clear_is_refused_in_words(
    proxy: int, request_line: str, status: int, words: str
) -> None:
    answer = _exchange(proxy, request_line.encode("latin-1") + b"\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert words in answer.decode()


@pytest.mark.language("§6 create network")
def test_the_real_policy_keeps_a_sandbox_off_this_computer(web: int) -> None:
    with _proxy(lambda listener: serve(listener, None)) as port:
        for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "[::1]"):
            status, text = _get(port, f"http://{host}:{web}/")
            assert status == 403
            assert "loopback" in text
        head = f"CONNECT localhost:{web} HTTP/1.1\r\n\r\n".encode()
        assert _exchange(port, head).startswith(b"HTTP/1.1 403 ")


@pytest.mark.language("§6 create network")
def test_a_list_of_hosts_lets_these_through_and_no_others(web: int) -> None:
    policy = _anywhere(("example.test", "*.example.org"))
    with _proxy(lambda listener: serve_policy(listener, policy)) as port:
        assert _get(port, f"http://example.test:{web}/")[0] == 200
        assert _get(port, f"http://a.example.org:{web}/")[0] == 200
        status, text = _get(port, f"http://other.test:{web}/")
        assert status == 403
        assert "'other.test' is not on this sandbox's list of hosts" in text
        assert "example.test, *.example.org" in text


def test_a_client_that_hangs_up_early_does_no_harm(proxy: int, web: int) -> None:
    for request in (b"", b"GET htt", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", proxy)) as client:
            client.sendall(request)
    assert _get(proxy, f"http://example.test:{web}/")[0] == 200


def test_an_interim_answer_is_passed_on_before_the_answer(proxy: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1 << 16)
                peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                assert peer.recv(4) == b"body"
                peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with socket.create_connection(("127.0.0.1", proxy), timeout=30) as client:
            client.sendall(
                f"POST http://example.test:{port}/ HTTP/1.1\r\n"
                "Content-Length: 4\r\nExpect: 100-continue\r\n\r\n".encode()
            )
            assert client.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(b"body")
            assert client.recv(1 << 16).endswith(b"Connection: close\r\n\r\n")
        thread.join(20)
