"""Which addresses a sandbox may reach."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address

import pytest

from sandbook_local.hosts import Address, Policy, Refused, carried, place_of


def _internet(_address: Address) -> str:
    return ""


def _resolving(*addresses: str, allow: Sequence[str] | None = None) -> Policy:
    return Policy(
        allow, also=("mirror.lan",), place=_internet, resolve=lambda _n, _p: addresses
    )


ALWAYS_REFUSED = (
    "127.0.0.1",
    "127.255.0.9",
    "::1",
    "0.0.0.0",  # noqa: S104 (an address to refuse)
    "::",
    "169.254.169.254",
    "fe80::1",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2001:0:1:2:3:4:80ff:fffe",
    "168.63.129.16",
    "100.100.100.200",
    "fd00:ec2::254",
)
PRIVATE = (
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "fc00::1",
    "fd12::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "198.18.0.1",
    "192.0.2.77",
)
PUBLIC = ("93.184.216.34", "2606:4700::1111", "172.32.0.1", "64:ff9b::808:808")


@pytest.mark.parametrize("address", ALWAYS_REFUSED)
def test_some_addresses_are_refused_whoever_names_them(address: str) -> None:
    for policy, host in (
        (_resolving(address), "example.test"),
        (_resolving(address), "mirror.lan"),
        (_resolving(address, allow=("example.test",)), "example.test"),
    ):
        with pytest.raises(Refused, match="may not go there"):
            policy.check(host, 80)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_reached_only_by_a_host_the_user_named(
    address: str,
) -> None:
    with pytest.raises(Refused, match="private"):
        _resolving(address).check("example.test", 80)
    assert _resolving(address).check("Mirror.LAN.", 80) == (address,)
    named = _resolving(address, allow=("example.test",))
    assert named.check("example.test", 80) == (address,)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_reached(address: str) -> None:
    assert _resolving(address).check("example.test", 443) == (address,)


def test_only_the_checked_addresses_of_a_name_are_connected() -> None:
    policy = _resolving("127.0.0.1", "93.184.216.34", "10.0.0.1")
    assert policy.check("rebind.test", 80) == ("93.184.216.34",)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("example.test", True),
        ("EXAMPLE.test.", True),
        ("sub.example.test", False),
        ("badexample.test", False),
        ("a.example.org", True),
        ("a.b.example.org", True),
        ("example.org", False),
        (".example.org", False),
        ("badexample.org", False),
        ("bücher.test", True),
        ("xn--bcher-kva.test", True),
        ("93.184.216.34", False),
        ("2606:4700:0::1111", True),
    ],
)
def test_a_list_holds_exact_names_and_what_is_below_a_star(
    host: str, *, allowed: bool
) -> None:
    allow = ("example.test", "*.example.org", "Bücher.test", "[2606:4700::1111]")
    policy = _resolving("93.184.216.34", allow=allow)
    if allowed:
        assert policy.check(host, 443)
        return
    with pytest.raises(Refused, match="list of hosts"):
        policy.check(host, 443)


def test_an_empty_list_lets_nothing_through() -> None:
    with pytest.raises(Refused, match=r"\(none\)"):
        _resolving("93.184.216.34", allow=()).check("example.test", 80)


def test_addresses_of_this_computer_are_its_own_to_the_kernel() -> None:
    own = {"127.0.0.1", "127.9.9.9", "255.255.255.255"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.88.99.1", 9))
            own.add(probe.getsockname()[0])
        except OSError:
            pass  # no network: loopback has to do
    for address in own:
        assert place_of(ip_address(address)) == "own"
    assert place_of(ip_address("192.88.99.1")) == ""


def test_an_address_of_this_computer_is_refused_even_when_named() -> None:
    policy = Policy(
        ("example.test",),
        place=lambda _: "own",
        resolve=lambda _n, _p: ("93.184.216.34",),
    )
    with pytest.raises(Refused, match="an address of this computer"):
        policy.check("example.test", 80)


def test_a_neighbour_with_a_public_address_is_still_a_neighbour() -> None:
    def policy(allow: Sequence[str] | None) -> Policy:
        return Policy(
            allow, place=lambda _: "near", resolve=lambda _n, _p: ("93.184.216.34",)
        )

    with pytest.raises(Refused, match="a network this computer is in"):
        policy(None).check("printer.test", 80)
    assert policy(("printer.test",)).check("printer.test", 80)


def test_a_name_that_cannot_be_resolved_is_said() -> None:
    for name in ("no-such-name.invalid", "x" * 300, "a..b"):
        with pytest.raises(Refused, match="cannot be resolved") as caught:
            Policy(None).check(name, 80)
        assert caught.value.status == 502


def test_what_an_ipv6_address_carries_is_found() -> None:
    assert str(carried(ip_address("64:ff9b::102:304"))[0]) == "1.2.3.4"
    assert str(carried(ip_address("2002:102:304::"))[0]) == "1.2.3.4"
    assert str(carried(ip_address("2001:0::fefd:fcfb"))[0]) == "1.2.3.4"
    assert carried(ip_address("2606:4700::1")) == ()
