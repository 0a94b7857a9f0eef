"""A server for the tests of a module, and what it takes to reach it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from sandbook.api import Sandbox, SandboxSpec, Settings
from sandbook_e2b.provider import E2BProvider
from tests.cli.loaded import Loaded
from tests.sandbook_e2b.calls import Cli, warmed
from tests.servers.conftest import E2B_KEY, e2b_server
from tests.servers.running import RunningServer

__all__ = ["Away", "e2b_server"]


class Away:
    """A provider far away, and sandboxes that end with the block they are used in."""

    def __init__(self, server: RunningServer, folder: Path) -> None:
        self.server = server
        self.environ = {
            "E2B_API_KEY": E2B_KEY,
            "E2B_API_URL": server.url,
            "E2B_SANDBOX_URL": server.url,
        }
        self._folder = folder
        self._count = 0

    def provider(self, **environ: str) -> E2BProvider:
        """A provider of its own."""
        settings = Settings(
            environ={**self.environ, **environ},
            state=self._folder / "state",
            cache=self._folder / "cache",
        )
        return E2BProvider(settings)

    @asynccontextmanager
    async def box(self, spec: SandboxSpec | None = None) -> AsyncGenerator[Sandbox]:
        """A sandbox."""
        provider = self.provider()
        self._count += 1
        made = await provider.create(spec or SandboxSpec(), key=f"box-{self._count}")
        try:
            yield made
        finally:
            with anyio.CancelScope(shield=True):
                await made.aclose()
                await provider.destroy(made.ref)

    def run(self, what: Callable[[], Awaitable[None]]) -> None:
        """Run a test's own coroutine; nothing may be left behind it."""
        anyio.run(what)
        self.server.check_clean()


@pytest.fixture
def away(e2b_server: RunningServer, tmp_path: Path) -> Away:
    """E2B, as far as the SDK can tell."""
    return Away(e2b_server, tmp_path)


@pytest.fixture(scope="module")
def warm() -> Generator[Loaded]:
    """The real command line, loaded once."""
    with warmed() as ready:
        yield ready


@pytest.fixture
def cli(warm: Loaded, e2b_server: RunningServer, tmp_path: Path) -> Generator[Cli]:
    """Calls at E2B in a folder of their own."""
    yield Cli(warm, e2b_server, tmp_path)
    # What a red test leaves would make the next one red, too.
    e2b_server.clear()
