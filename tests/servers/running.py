"""How a protocol server is run: as a command, or in a thread beside the tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from anyio.from_thread import BlockingPortal, start_blocking_portal

from sandbook.api import Settings
from sandbook_local.provider import LocalProvider
from tests.servers.core.faults import Fault, FaultTable
from tests.servers.web.listener import Listener


class Server(Protocol):
    """A vendor's server."""

    failures: list[str]
    faults: FaultTable
    listener: Listener | None

    def open(self) -> AbstractAsyncContextManager[None]: ...
    async def clear(self) -> None: ...
    def made(self) -> int: ...
    async def touch(self, name: str) -> None: ...
    def state(self) -> Mapping[str, object]: ...
    async def refuse(self, seconds: float) -> None: ...


@contextmanager
def local_provider() -> Generator[LocalProvider]:
    """A local provider in a folder of its own."""
    with TemporaryDirectory(prefix="sandbook-server-") as name:
        folder = Path(name)
        settings = Settings(state=folder / "state", cache=folder / "cache", values={})
        yield LocalProvider(settings)


@asynccontextmanager
async def serving(server: Server, *, port: int = 0) -> AsyncGenerator[str]:
    """Answer on a port of this computer; its URL."""
    listener = Listener(server, port=port)
    server.listener = listener
    async with server.open():
        await listener.open()
        try:
            yield listener.url
        finally:
            await listener.close()


class RunningServer:
    """A server in a thread, for the test's own thread to use."""

    def __init__(self, server: Server, portal: BlockingPortal, url: str) -> None:
        self.url = url
        self._server = server
        self._portal = portal

    @property
    def failures(self) -> list[str]:
        """What it was asked and could not answer."""
        return self._server.failures

    def arm(self, fault: Fault) -> None:
        """Let something go wrong."""
        self._portal.call(self._server.faults.arm, fault)

    def unmet(self) -> list[Fault]:
        """The faults that have hit nothing yet."""
        return self._portal.call(self._server.faults.unmet)

    def disarm(self) -> None:
        """Let all go well again."""
        self._portal.call(self._server.faults.clear)

    def refuse(self, seconds: float) -> None:
        """Refuse connections for a while, from now on."""
        self._portal.start_task_soon(self._server.refuse, seconds)

    def go_away(self) -> None:
        """Refuse connections until `come_back`."""
        assert self._server.listener is not None
        self._portal.call(self._server.listener.refuse)

    def come_back(self) -> None:
        """Accept connections again."""
        assert self._server.listener is not None
        self._portal.call(self._server.listener.open)

    def touch(self, name: str) -> None:
        """Make an empty file in the home of each sandbox, behind the wire's back."""
        self._portal.call(self._server.touch, name)

    def made(self) -> int:
        """How many sandboxes there ever were, those that are gone included."""
        return self._portal.call(self._server.made)

    def state(self) -> Mapping[str, object]:
        """What lives."""
        return self._portal.call(self._server.state)

    def clear(self) -> None:
        """Let nothing live, and all go well again."""
        self._portal.call(self._server.clear)

    def check_clean(self) -> None:
        """Nothing lives, no fault waits, and every request could be answered.

        Whatever is found does not trouble the next test.
        """
        failures, state, unmet = self.failures[:], self.state(), self.unmet()
        self.clear()
        assert failures == []
        assert not any(state.values()), state
        assert unmet == []


@contextmanager
def running(server: Server) -> Generator[RunningServer]:
    """Run a server in a thread for as long as the block lasts."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serving(server)) as url,
    ):
        yield RunningServer(server, portal, url)
