"""Where a port of a sandbox is reached from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbook.api import PortUrl

if TYPE_CHECKING:
    from e2b import AsyncSandbox

_TOKEN = "E2B-Traffic-Access-Token"  # noqa: S105 - the header's name


def place(made: AsyncSandbox, number: int, *, sandbox_url: str | None) -> PortUrl:
    """The URL of a port; where all sandboxes share one, headers tell them apart."""
    headers: dict[str, str] = {}
    if made.traffic_access_token:
        headers[_TOKEN] = made.traffic_access_token
    if sandbox_url is None:
        return PortUrl(url=f"https://{made.get_host(number)}", headers=headers)
    headers["E2b-Sandbox-Id"] = made.sandbox_id
    headers["E2b-Sandbox-Port"] = str(number)
    return PortUrl(url=sandbox_url, headers=headers)
