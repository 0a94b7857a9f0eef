"""Ports of a sandbox: whether anything listens there is asked inside."""

from __future__ import annotations

from sandbook.drivers.link import Link
from sandbook.errors import PortClosed, UsageError

_HIGHEST = 0xFFFF


async def must_listen(link: Link, number: int) -> None:
    """Nothing where a program listens on this port.

    Raises:
        PortClosed: Nothing does.
        UsageError: It is no port.
    """
    if not 0 < number <= _HIGHEST:
        raise UsageError(
            f"port {number} is none", remedy="ports are 1 to 65535: use one of them"
        )
    answer = await link.call({"do": "listens", "port": number}, operation="port")
    if not answer["listens"]:
        ref = link.host.ref
        raise PortClosed(
            f"port {number} of sandbox {ref.id!r} is closed: nothing listens there",
            provider=ref.provider,
            operation="port",
            ref=ref,
            remedy="start what is to listen there, on 127.0.0.1 or on every address, "
            "and wait until it does",
        )
