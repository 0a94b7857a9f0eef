"""Decides how a sandbox's web traffic leaves this computer: as asked, or refused aloud.

An HTTP proxy (CONNECT, and plain `http://` requests) on a socket that listens inside
the sandbox, run in a process outside. A refusal says in its body which rule it was.
One request per connection. Standard library only.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import threading
import time

from sandbook_local.hosts import Policy, Refused

CONNECTIONS = 256
_HEAD_LIMIT = 64 << 10
_PIECE = 64 << 10
_HEAD_SECONDS = 30.0
_CONNECT_SECONDS = 20.0
_IDLE_SECONDS = 3600.0
_LAST_PORT = 65535
_LONGEST_NUMBER = 18
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "upgrade",
    )
)
_WAIT_FOR_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

Headers = list[tuple[str, str]]


def serve(
    listener: socket.socket,
    allow: tuple[str, ...] | None,
    *,
    also: tuple[str, ...] = (),
) -> None:
    """Serve until the listener is shut down. `allow` and `also` are `Policy`'s."""
    serve_policy(listener, Policy(allow, also=also))


def serve_policy(listener: socket.socket, policy: Policy) -> None:
    """Serve with this policy, `CONNECTIONS` at a time; the next ones wait."""
    listener.setblocking(True)
    room = threading.BoundedSemaphore(CONNECTIONS)
    while True:
        room.acquire()
        client = _accept(listener)
        if client is None:
            return
        try:
            arguments = (client, policy, room)
            threading.Thread(target=_serve_one, args=arguments, daemon=True).start()
        except RuntimeError:  # no more threads: the client may try again
            client.close()
            room.release()


def _accept(listener: socket.socket) -> socket.socket | None:
    while True:
        try:
            return listener.accept()[0]
        except ConnectionAbortedError:
            continue
        except OSError as error:
            if error.errno not in _WAIT_FOR_DESCRIPTORS:
                return None
            time.sleep(0.05)


def _serve_one(
    client: socket.socket, policy: Policy, room: threading.BoundedSemaphore
) -> None:
    try:
        with client, contextlib.suppress(OSError):
            try:
                _forward(client, policy)
            except Refused as refused:
                _refuse(client, refused)
    finally:
        room.release()


def _forward(client: socket.socket, policy: Policy) -> None:
    head, rest = _read_head(client)
    if not head:
        return
    method, target, headers = parse_head(head)
    if method == "CONNECT":
        host, port = split_authority(target, default=None)
        with _connect(policy.check(host, port), port, host) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            relay(Flow(client, server, rest), Flow(server, client))
        return
    authority, path = split_url(target)
    host, port = split_authority(authority, default=80)
    size = body_size(headers)
    with _connect(policy.check(host, port), port, host) as server:
        request = request_head(method, path, authority, headers=headers)
        up = Flow(client, server, rest, first=request, limit=size)
        relay(up, Flow(server, client, rewrite=HeadRewriter()), until_answered=True)


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    """The request up to its empty line, and what came after; empty at end-of-file."""
    deadline = time.monotonic() + _HEAD_SECONDS
    data = b""
    while b"\r\n\r\n" not in data and len(data) <= _HEAD_LIMIT:
        client.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            piece = client.recv(_PIECE)
        except TimeoutError as error:
            raise Refused("the request took too long", status=408) from error
        if not piece:
            return b"", b""
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    if len(head) > _HEAD_LIMIT:
        raise Refused("the request's headers are too large", status=431)
    return head, rest


def parse_head(head: bytes) -> tuple[str, str, Headers]:
    """Method, target and headers of a request; `Refused` for anything ambiguous."""
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):  # noqa: PLR2004 (method, target, version)
        raise Refused("not an HTTP/1 request", status=400)
    if any(sign in line for line in lines for sign in "\r\n\0"):
        raise Refused("a control character in the request's headers", status=400)
    return words[0], words[1], _headers(lines[1:])


def _headers(lines: list[str]) -> Headers:
    headers: Headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip() or " " in name:
            raise Refused(f"not a header: {line[:80]!r}", status=400)
        headers.append((name, value.strip()))
    return headers


def split_authority(authority: str, *, default: int | None) -> tuple[str, int]:
    """Host and port of `host`, `host:port` or `[v6]:port`."""
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, "" if default is None else str(default)
    is_number = _is_number(port) and 0 < int(port) <= _LAST_PORT
    is_bare_v6 = ":" in host and not (host.startswith("[") and host.endswith("]"))
    if not host.strip("[]") or not is_number or is_bare_v6 or "@" in host:
        raise Refused(f"not a host and port: {authority!r}", status=400)
    return host, int(port)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER


def split_url(url: str) -> tuple[str, str]:
    """Authority and path of an absolute `http://` address."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() != "http":
        raise Refused(
            "this is the web proxy of a sandbox: it forwards http:// addresses and "
            f"CONNECT, not {url[:80]!r}",
            status=400,
        )
    end = min((rest.find(sign) for sign in "/?#" if sign in rest), default=len(rest))
    path = rest[end:].partition("#")[0]
    return rest[:end], path if path.startswith("/") else f"/{path}"


def body_size(headers: Headers) -> int | None:
    """Bytes of a request's body; None when it says so itself, in chunks."""
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    is_chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)
    if is_chunked and not lengths:
        return None
    if is_chunked or len(lengths) > 1:
        raise Refused("the request's length is given in two ways", status=400)
    length = lengths.pop() if lengths else "0"
    if not _is_number(length):
        raise Refused(f"not a length: {length!r}", status=400)
    return int(length)


def request_head(method: str, path: str, authority: str, *, headers: Headers) -> bytes:
    """The request as the server gets it: a path, its Host, nothing of the proxy."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {authority}"]
    lines += [f"{name}: {value}" for name, value in end_to_end(headers, but="host")]
    lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def end_to_end(headers: Headers, *, but: str = "") -> Headers:
    """The headers that are not between two neighbours only."""
    dropped = {but, *_HOP_BY_HOP}
    for name, value in headers:
        if name.lower() == "connection":
            dropped.update(word.strip().lower() for word in value.split(","))
    # Without these two the body could not be read any more.
    dropped -= {"content-length", "transfer-encoding"}
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def _connect(addresses: tuple[str, ...], port: int, host: str) -> socket.socket:
    problem: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=_CONNECT_SECONDS)
        except OSError as error:
            problem = error
    status = 504 if isinstance(problem, TimeoutError) else 502
    raise Refused(f"cannot connect to {host!r} port {port}: {problem}", status=status)


def _refuse(client: socket.socket, refused: Refused) -> None:
    body = f"sandbook: {refused}\n".encode("utf-8", "backslashreplace")
    head = (
        f"HTTP/1.1 {refused.status} Refused by the sandbox's proxy\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    client.settimeout(_HEAD_SECONDS)
    client.sendall(head.encode() + body)
    # Closed with unread data, the socket would be reset and the answer lost.
    client.shutdown(socket.SHUT_WR)
    client.settimeout(1)
    for _ in range(64):
        if not client.recv(_PIECE):
            break


class HeadRewriter:
    """Makes a response say that the connection closes; the body passes untouched."""

    def __init__(self) -> None:
        self._head: bytes | None = b""

    def feed(self, data: bytes) -> bytes:
        """What to pass on for these bytes; empty bytes mean the response is over."""
        if self._head is None:
            return data
        self._head += data
        passed = b""
        while self._head is not None and b"\r\n\r\n" in self._head:
            head, _, rest = self._head.partition(b"\r\n\r\n")
            is_interim = head.partition(b" ")[2].startswith((b"100", b"102", b"103"))
            passed += head + b"\r\n\r\n" if is_interim else self._closing(head) + rest
            self._head = rest if is_interim else None
        if self._head is not None and (not data or len(self._head) > _HEAD_LIMIT):
            passed, self._head = passed + self._head, None
        return passed

    @staticmethod
    def _closing(head: bytes) -> bytes:
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [line.partition(":") for line in lines]
        headers = end_to_end([(name, value.strip()) for name, _, value in pairs])
        kept = [first, *(f"{n}: {v}" for n, v in headers), "Connection: close"]
        return ("\r\n".join(kept) + "\r\n\r\n").encode("latin-1")


class Flow:
    """One direction of a connection: bytes read but not written, and whether it ended.

    `first` is sent before all else, `rest` is the part of the source already read,
    `limit` the bytes to pass from the source (None: until it ends).
    """

    def __init__(
        self,
        source: socket.socket,
        sink: socket.socket,
        rest: bytes = b"",
        *,
        first: bytes = b"",
        limit: int | None = None,
        rewrite: HeadRewriter | None = None,
    ) -> None:
        self.source = source
        self.sink = sink
        self._left = limit
        self._rewrite = rewrite
        self._buffer = first
        self._has_ended = False
        self._pass(rest)

    def wants(self) -> tuple[socket.socket, int]:
        """The socket this direction waits for, and whether to read or write it."""
        if self._buffer:
            return self.sink, select.POLLOUT
        return self.source, select.POLLIN

    @property
    def is_done(self) -> bool:
        """Whether all was passed on."""
        return self._has_ended and not self._buffer

    def move(self) -> None:
        """Do what can be done without waiting."""
        with contextlib.suppress(BlockingIOError):
            if not self._buffer and not self._has_ended:
                self._read()
            if self._buffer:
                sent = self.sink.send(self._buffer, socket.MSG_NOSIGNAL)
                self._buffer = self._buffer[sent:]

    def _read(self) -> None:
        data = self.source.recv(_PIECE)
        if data:
            self._pass(data)
            return
        self._has_ended = True
        if self._rewrite is not None:
            self._buffer = self._rewrite.feed(b"")

    def _pass(self, data: bytes) -> None:
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
            self._has_ended = self._left == 0
        if data and self._rewrite is not None:
            data = self._rewrite.feed(data)
        self._buffer += data


def relay(up: Flow, down: Flow, *, until_answered: bool = False) -> None:
    """Pass both directions on until both ended, or with `until_answered` the answer.

    The end of one direction is passed on as such: the other goes on.
    """
    for flow in (up, down):
        flow.source.setblocking(False)
        # What comes in small pieces would wait for the other side's word, 40 ms each.
        flow.source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    open_flows = [up, down]
    while open_flows and _wait(open_flows):
        for flow in tuple(open_flows):
            flow.move()
            if flow.is_done:
                open_flows.remove(flow)
                _pass_end(flow, until_answered=until_answered)
        if until_answered and down not in open_flows:
            return


def _wait(flows: list[Flow]) -> bool:
    interests: dict[int, int] = {}
    for flow in flows:
        waited, event = flow.wants()
        number = waited.fileno()
        interests[number] = interests.get(number, 0) | event
    poller = select.poll()
    for number, events in interests.items():
        poller.register(number, events)
    return bool(poller.poll(_IDLE_SECONDS * 1000))


def _pass_end(flow: Flow, *, until_answered: bool) -> None:
    # A request is whole without the end of its direction, and some servers take that
    # end for the client being gone.
    if not until_answered:
        with contextlib.suppress(OSError):
            flow.sink.shutdown(socket.SHUT_WR)
