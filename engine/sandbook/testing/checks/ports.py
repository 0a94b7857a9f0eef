# ruff: noqa: S101 - checks are assertions
"""I: ports of a sandbox, reached from here."""

from __future__ import annotations

import random
import urllib.request

import anyio
from anyio import to_thread

from sandbook.api import PortUrl, Sandbox
from sandbook.errors import SandbookError, Unsupported
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails, until

# Not `-m http.server`, which asks for this computer's name: 20 s without a network.
_PROGRAM = """
from http.server import SimpleHTTPRequestHandler
from socketserver import TCPServer
TCPServer(("", {port}), SimpleHTTPRequestHandler).serve_forever()
"""


def _server(port: int) -> tuple[str, ...]:
    return ("python3", "-c", _PROGRAM.format(port=port))


def _port() -> int:
    """One that hardly anybody uses: what shares this computer's network runs beside."""
    return random.randrange(20_000, 32_000)


@check("I113", needs=["ports", "files"], probe=True)
async def a_web_server_inside_is_reached_by_the_url_of_its_port(kit: Kit) -> None:
    box = await kit.box()
    await box.files.write("page.txt", b"hello from inside")
    port = _port()
    await kit.start(box, _server(port), background=True)
    found = await _open_port(kit, box, port)
    for _ in range(3):
        assert await to_thread.run_sync(_get, found) == b"hello from inside"
    await box.aclose()


@check("I113b", needs=["ports"])
async def a_port_where_nothing_listens_is_an_error_that_names_it(kit: Kit) -> None:
    box = await kit.box()
    assert await kit.out(box, ("echo", "here")) == b"here\n"
    port = _port()
    with fails(SandbookError) as caught, anyio.fail_after(20):
        await box.port(port)
    assert str(port) in str(caught.error)
    assert caught.error.remedy


async def _open_port(kit: Kit, box: Sandbox, number: int) -> PortUrl:
    found: list[PortUrl] = []

    async def is_open() -> bool:
        try:
            found.append(await box.port(number))
        except Unsupported:
            raise
        except SandbookError:
            return False
        return True

    await until(is_open, within=kit.options.patience, what=f"port {number} open")
    return found[0]


def _get(place: PortUrl) -> bytes:
    request = urllib.request.Request(  # noqa: S310 - of the provider under test
        f"{place.url.rstrip('/')}/page.txt", headers=dict(place.headers)
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
        found: bytes = answer.read()
        return found
