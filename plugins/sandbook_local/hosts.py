"""Decides which addresses a sandbox may reach through its proxy.

Never this computer in any of its addresses, loopback, link-local or a cloud's metadata
service; without a list of hosts nothing of the local network either. A name is
resolved here, once, and the address that was checked is the one that is connected.
Standard library only.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Some of these are no loopback or link-local to `ipaddress`: the last lines are the
# metadata services of Azure, Alibaba, Oracle and (IPv6) Amazon.
NEVER: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), words)
    for network, words in (
        ("127.0.0.0/8", "a loopback address"),
        ("::1/128", "a loopback address"),
        ("0.0.0.0/8", "no address of a host"),
        ("::/128", "no address of a host"),
        ("169.254.0.0/16", "a link-local address"),
        ("fe80::/10", "a link-local address"),
        ("224.0.0.0/4", "a multicast address"),
        ("ff00::/8", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("168.63.129.16/32", "a metadata service"),
        ("100.100.100.200/32", "a metadata service"),
        ("192.0.0.192/32", "a metadata service"),
        ("fd00:ec2::254/128", "a metadata service"),
    )
)
# IPv6 addresses that carry an IPv4 one from this bit on, counted from the right.
_CARRIERS = (
    (ip_network("::ffff:0:0/96"), 0),
    (ip_network("::ffff:0:0:0/96"), 0),
    (ip_network("::/96"), 0),
    (ip_network("64:ff9b::/96"), 0),
    (ip_network("64:ff9b:1::/48"), 0),
    (ip_network("2002::/16"), 80),
)
_TEREDO = ip_network("2001::/32")

_REQUEST_ROUTE, _ROUTE = 26, 24
_FIB_MATCH = 0x2000
_UNICAST = 1
_TABLE_ROUTE = struct.Struct("=BBBBBBBBI")
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_DESTINATION, _GATEWAY, _MULTIPATH, _VIA = 1, 5, 9, 18
_SHORTEST_LOCAL = {4: 8, 6: 32}


class Refused(Exception):  # noqa: N818 (an answer to the client, not a fault)
    """A request that is not forwarded; `status` is HTTP's, the message says why."""

    def __init__(self, message: str, *, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class Policy:
    """What one sandbox may reach.

    `allow` None is all of the Internet, else host names, exact or `*.example.org`.
    Hosts in `also` may be in a private network all the same. `place` says of an
    address whether it is "own", "near" (in a network of this computer) or "".
    """

    def __init__(
        self,
        allow: Sequence[str] | None,
        *,
        also: Sequence[str] = (),
        never: Sequence[tuple[Network, str]] = NEVER,
        place: Callable[[Address], str] | None = None,
        resolve: Callable[[str, int], Sequence[str]] | None = None,
    ) -> None:
        self._allow = None if allow is None else tuple(map(plain_name, allow))
        self._also = frozenset(map(plain_name, also))
        self._never = never
        self._place = place or place_of
        self._resolve = resolve or addresses_of

    def check(self, host: str, port: int) -> tuple[str, ...]:
        """The addresses that may be connected for this host; raises `Refused`."""
        name = plain_name(host)
        if self._allow is not None and not any(
            matches(name, pattern) for pattern in self._allow
        ):
            listed = ", ".join(self._allow) or "none"
            raise Refused(f"{host!r} is not on this sandbox's list of hosts ({listed})")
        is_named = self._allow is not None or name in self._also
        refusals: list[str] = []
        allowed: list[str] = []
        for text in self._resolve(name, port):
            reason = self.refusal(ip_address(text), is_named=is_named)
            if reason:
                refusals.append(f"{text}, {reason}")
            else:
                allowed.append(text)
        if not allowed:
            leads = "; ".join(refusals) or "no address"
            raise Refused(f"{host!r} leads to {leads}; a sandbox may not go there")
        return tuple(allowed)

    def refusal(self, address: Address, *, is_named: bool) -> str:
        """Why this address is out of bounds, or nothing.

        `is_named`: the user named the host, which opens private networks to it.
        """
        for form in (address, *carried(address)):
            for network, words in self._never:
                if form.version == network.version and form in network:
                    return words
            place = self._place(form)
            if place == "own":
                return "an address of this computer"
            if is_named:
                continue
            if place == "near":
                return "an address of a network this computer is in"
            if not form.is_global and not self._carries_public(form):
                return "a private address"
        return ""

    @staticmethod
    def _carries_public(address: Address) -> bool:
        # 64:ff9b::/96 is how an IPv6-only network reaches the IPv4 Internet; what it
        # carries is judged on its own.
        return address in _CARRIERS[3][0] or address in _CARRIERS[0][0]


def plain_name(host: str) -> str:
    """A host name in the one form in which names are compared."""
    name = host.strip().strip("[]").rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise Refused(f"{host!r} is not a host name", status=400) from error
    try:
        return str(ip_address(name))
    except ValueError:
        return name


def matches(name: str, pattern: str) -> bool:
    """Whether a name is the pattern, or below it for `*.example.org`."""
    if pattern.startswith("*."):
        return name.endswith(pattern[1:]) and len(name) > len(pattern) - 1
    return name == pattern


def addresses_of(name: str, port: int) -> tuple[str, ...]:
    """The addresses of a name as this computer resolves it, each once, in order."""
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        words = f"{name!r} cannot be resolved: {error}"
        raise Refused(words, status=502) from error
    texts = (str(address[0]).partition("%")[0] for *_, address in found)
    return tuple(dict.fromkeys(texts))


def carried(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses an IPv6 address stands for."""
    if address.version == 4:  # noqa: PLR2004 (as in IPv4)
        return ()
    number = int(address)
    if address in _TEREDO:
        return (IPv4Address(~number & 0xFFFFFFFF),)
    return tuple(
        IPv4Address(number >> shift & 0xFFFFFFFF)
        for network, shift in _CARRIERS
        if address in network
    )


def place_of(address: Address) -> str:
    """Ask the kernel's routing table where an address is: "own", "near" or "".

    It knows what a list of interfaces misses: secondary addresses, anycast, whole
    ranges routed to loopback, and always as of now.
    """
    try:
        reply = _ask_route(address)
    except OSError:
        return "own" if _can_bind(address) else ""
    length, kind = _HEADER.unpack_from(reply)[:2]
    if kind != _ROUTE:
        return ""  # no route: connecting will say so
    fields = _TABLE_ROUTE.unpack_from(reply, _HEADER.size)
    if fields[7] != _UNICAST:
        return "own"
    attributes = _attributes(reply[_HEADER.size + _TABLE_ROUTE.size : length])
    is_direct = not attributes & {_GATEWAY, _MULTIPATH, _VIA}
    return "near" if is_direct and fields[1] >= _SHORTEST_LOCAL[address.version] else ""


def _ask_route(address: Address) -> bytes:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 (as in IPv4)
    packed = address.packed
    body = _TABLE_ROUTE.pack(family, len(packed) * 8, 0, 0, 0, 0, 0, 0, _FIB_MATCH)
    body += _ATTRIBUTE.pack(_ATTRIBUTE.size + len(packed), _DESTINATION) + packed
    header = _HEADER.pack(_HEADER.size + len(body), _REQUEST_ROUTE, 1, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(5)
        kernel.send(header + body)
        return kernel.recv(1 << 16)


def _attributes(data: bytes) -> set[int]:
    found: set[int] = set()
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        found.add(kind & 0x3FFF)
        data = data[max(length + 3 & ~3, _ATTRIBUTE.size) :]
    return found


def _can_bind(address: Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 (as in IPv4)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
