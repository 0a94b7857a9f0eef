"""Servers for the tests; other folders import these fixtures."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.servers.e2b.server import E2BServer
from tests.servers.running import RunningServer, local_provider, running


@pytest.fixture(scope="module")
def e2b_server() -> Generator[RunningServer]:
    """An E2B server that knows one key; red when anything lives on, or went wrong."""
    with (
        local_provider() as provider,
        running(E2BServer(provider, keys=[E2B_KEY])) as server,
    ):
        yield server
        server.check_clean()


E2B_KEY = "e2b_tests"
"""The key that is known."""
