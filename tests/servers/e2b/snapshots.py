"""Snapshots: copies of a sandbox's files, from which others begin.

The service copies the memory, too. Here what ran in a sandbox is not in its copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbook.api import Provider, SnapshotRef
from sandbook.errors import ProviderError
from tests.servers.e2b.errors import ApiError
from tests.servers.e2b.sandboxes import E2BSandbox, fresh_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A copy; `base` is the template that the sandbox was made from."""

    id: str
    owner: str
    sandbox_id: str
    names: tuple[str, ...]
    base: str
    ref: SnapshotRef


class Snapshots:
    """Those that there are, in the order in which they were made."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._found: dict[str, Snapshot] = {}

    async def make(self, made: E2BSandbox, name: str | None) -> Snapshot:
        """Copy a sandbox; a name passes from an older copy to this one."""
        id_ = fresh_id()
        try:
            ref = await made.machine.sandbox.snapshot(id_)
        except ProviderError as error:
            raise ApiError(500, f"error creating snapshot: {error}") from error
        snapshot = Snapshot(
            id=id_,
            owner=made.owner,
            sandbox_id=made.id,
            names=(name,) if name else (),
            base=made.base,
            ref=ref,
        )
        self._found[id_] = snapshot
        return snapshot

    def find(self, name: str, *, owner: str) -> Snapshot | None:
        """The one with this id, or the newest with this name."""
        own = [one for one in self._found.values() if one.owner == owner]
        fitting = [one for one in own if name == one.id or name in one.names]
        return fitting[-1] if fitting else None

    def page(
        self, query: Mapping[str, str], *, owner: str
    ) -> tuple[list[Snapshot], str | None]:
        """Those that a query asks for, and the token of the next page."""
        found = [
            one
            for one in self._found.values()
            if one.owner == owner
            and query.get("sandboxID", one.sandbox_id) == one.sandbox_id
            and ("name" not in query or query["name"] in one.names)
        ]
        ids = [one.id for one in found]
        place = ids.index(query["nextToken"]) + 1 if "nextToken" in query else 0
        shown = found[place:][: int(query.get("limit", "100"))]
        more = place + len(shown) < len(found)
        return shown, shown[-1].id if more else None

    async def delete(self, snapshot: Snapshot) -> None:
        """Remove one."""
        del self._found[snapshot.id]
        await self._provider.delete_snapshot(snapshot.ref)

    async def clear(self) -> None:
        """Remove all."""
        for snapshot in list(self._found.values()):
            await self.delete(snapshot)

    def ids(self) -> list[str]:
        """The id of each."""
        return list(self._found)
