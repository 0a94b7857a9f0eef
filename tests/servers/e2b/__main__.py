"""`python -m tests.servers.e2b --port N`: the E2B server as a command."""

from __future__ import annotations

import argparse
import signal

import anyio

from tests.servers.e2b.server import E2BServer
from tests.servers.running import local_provider, serving


async def _serve(port: int, keys: list[str], most: int | None) -> None:
    with local_provider() as provider:
        server = E2BServer(provider, keys=keys, most=most)
        async with serving(server, port=port) as url:
            line = f"E2B_API_URL={url} E2B_SANDBOX_URL={url}"
            print(line, flush=True)  # noqa: T201 (its output)
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                async for _ in signals:
                    return


def main() -> None:
    """Serve until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.e2b")
    parser.add_argument("--port", type=int, default=0, help="0 = any that is free")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        help="an API key that is known; none = any will do",
    )
    parser.add_argument("--most", type=int, help="how many sandboxes may live at once")
    asked = parser.parse_args()
    anyio.run(_serve, asked.port, asked.key, asked.most)


main()
