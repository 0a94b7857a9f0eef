"""Watches of a machine's files, whose events wait until somebody asks for them."""

from __future__ import annotations

import math
import secrets

import anyio
from anyio.abc import TaskGroup, TaskStatus

from sandbook.api import Sandbox, WatchEvent, WatchRequest
from sandbook.errors import ProviderError


class Watcher:
    """A running watch; `with_entry` = who asked wants each entry described."""

    def __init__(self, request: WatchRequest, *, with_entry: bool) -> None:
        self.request = request
        self.with_entry = with_entry
        self.id = f"w{secrets.token_hex(8)}"
        send, receive = anyio.create_memory_object_stream[WatchEvent](math.inf)
        self._send, self._receive = send, receive
        self._scope = anyio.CancelScope()

    def taken(self) -> list[WatchEvent]:
        """The events since they were last taken."""
        found: list[WatchEvent] = []
        while True:
            try:
                found.append(self._receive.receive_nowait())
            except (anyio.WouldBlock, anyio.EndOfStream, anyio.ClosedResourceError):
                return found

    async def next(self, *, silence: float = math.inf) -> WatchEvent | None:
        """The next event, None after `silence` seconds without one."""
        with anyio.move_on_after(silence):
            return await self._receive.receive()
        return None

    def stop(self) -> None:
        """Watch no more."""
        self._scope.cancel()
        self._receive.close()

    async def run(self, sandbox: Sandbox, *, task_status: TaskStatus[None]) -> None:
        """Watch until it is stopped; started when nothing is missed any more."""
        is_watching = False
        try:
            with self._scope, self._send:
                async with sandbox.watch(self.request) as watch:
                    is_watching = True
                    task_status.started()
                    async for event in watch.events():
                        await self._send.send(event)
        except ProviderError:
            if not is_watching:
                raise
            # The sandbox has ended: there is nothing to tell any more.


class Watches:
    """The watches of one machine."""

    def __init__(self, sandbox: Sandbox, group: TaskGroup) -> None:
        self._sandbox = sandbox
        self._group = group
        self._found: dict[str, Watcher] = {}

    def __len__(self) -> int:
        """How many run."""
        return len(self._found)

    async def start(
        self, request: WatchRequest, *, with_entry: bool = False
    ) -> Watcher:
        """Watch a folder; raises the `FileError` that keeps it from that."""
        watcher = Watcher(request, with_entry=with_entry)
        await self._group.start(watcher.run, self._sandbox)
        self._found[watcher.id] = watcher
        return watcher

    def find(self, id: str) -> Watcher | None:
        """The watch with this id."""
        return self._found.get(id)

    def stop(self, watcher: Watcher) -> None:
        """Watch no more."""
        self._found.pop(watcher.id, None)
        watcher.stop()
