"""The proxy in front of a sandbox: which port of which one a request is for."""

from __future__ import annotations

import re

from sandbook.errors import PortClosed
from tests.servers.e2b.errors import ApiError
from tests.servers.e2b.sandboxes import E2BSandbox
from tests.servers.web.exchange import Exchange
from tests.servers.web.forwarding import forward

ENVD = 49983
INTERPRETER = 49999

_HOST = re.compile(r"(?P<port>\d+)-(?P<id>[a-z0-9]+)\..*")


def read_host(exchange: Exchange) -> None:
    """Take what the host's name says for what the headers would."""
    match = _HOST.fullmatch(exchange.headers.get("host", ""))
    if match is not None:
        exchange.headers["e2b-sandbox-id"] = match["id"]
        exchange.headers["e2b-sandbox-port"] = match["port"]


def own_port(exchange: Exchange) -> int | None:
    """The port that a request is for, when a program of the user has it."""
    told = exchange.headers.get("e2b-sandbox-port", "")
    if not told.isdecimal() or int(told) in (ENVD, INTERPRETER):
        return None
    return int(told)


async def reach(exchange: Exchange, made: E2BSandbox) -> None:
    """Hand a request on to what listens on a port of the sandbox."""
    token = exchange.headers.get("e2b-traffic-access-token")
    if made.is_private() and token != made.traffic_token:
        raise ApiError(403, "the traffic access token is missing or wrong")
    port = int(exchange.headers["e2b-sandbox-port"])
    try:
        found = await made.machine.sandbox.port(port)
    except PortClosed:
        await tell_closed(exchange, made, port)
        return
    await forward(exchange, found.url)


async def tell_closed(exchange: Exchange, made: E2BSandbox, port: int) -> None:
    """Nothing listens there."""
    body = {
        "sandboxId": made.id,
        "message": "The sandbox is running but port is not open",
        "port": port,
        "code": 502,
    }
    await exchange.reply_json(502, body)
