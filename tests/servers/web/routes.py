"""Which request goes where."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from tests.servers.web.exchange import Exchange

Endpoint = Callable[[Exchange], Awaitable[None]]

_NAME = re.compile(r"\\{(\w+)\\}")


class Routes:
    """A table of methods and paths; `{name}` in a path stands for one part of it."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, re.Pattern[str], Endpoint]] = []

    def add(self, method: str, path: str, endpoint: Endpoint) -> None:
        """Answer these requests here; parts may hold an escaped slash."""
        pattern = _NAME.sub(r"(?P<\1>[^/]+)", re.escape(path))
        self._rows.append((method, re.compile(pattern), endpoint))

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """Who answers, and the named parts of the path."""
        for wanted, pattern, endpoint in self._rows:
            match = pattern.fullmatch(path)
            if match is not None and wanted == method:
                named = match.groupdict()
                return endpoint, {name: unquote(part) for name, part in named.items()}
        return None
