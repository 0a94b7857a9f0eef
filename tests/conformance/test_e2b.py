"""The kit against the E2B provider: the vendor's SDK, over our protocol server."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from sandbook.api import Settings
from sandbook.testing import conformance
from tests.conformance import keeping
from tests.servers.conftest import E2B_KEY
from tests.servers.e2b.server import E2BServer
from tests.servers.running import RunningServer, local_provider, running

OPTIONS = conformance.Options(
    creations=5,
    late=10.0,
    wrong_credentials={"E2B_API_KEY": "e2b_wrong"},
    sdk=conformance.Sdk(
        modules=("e2b", "e2b_code_interpreter"),
        errors="e2b.exceptions",
        translate="sandbook_e2b.failures:translate",
    ),
)
_URL: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def server() -> Generator[RunningServer]:
    """One server for all checks; red when anything lives on, or went wrong."""
    with (
        local_provider() as provider,
        running(E2BServer(provider, keys=[E2B_KEY])) as server,
    ):
        _URL.append(server.url)
        yield server
        _URL.clear()
        server.check_clean()


def _settings(folder: Path) -> Settings:
    (url,) = _URL
    environ = {"E2B_API_KEY": E2B_KEY}
    values = {"api_url": url, "sandbox_url": url}
    return Settings(
        values=values, environ=environ, state=folder / "state", cache=folder / "cache"
    )


conformance.install(
    globals(),
    provider="sandbook_e2b:INFO",
    settings=_settings,
    options=OPTIONS,
    results=keeping.results(),
    limits=keeping.E2B,
)
