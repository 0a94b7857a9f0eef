"""A provider for tests: the whole contract over plain processes, and no isolation.

It is complete and honest: it declares isolation "none" and refuses what it cannot
enforce. Its sandboxes live in `state/bare`, so other processes find them. With the
setting `pretend: process` (or another level), for tests of the engine, it accepts
every isolation and network as if it could enforce them; `users: false` takes
"exec.user" away.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import NoReturn, TypeVar

import anyio
import anyio.lowlevel
from anyio import to_thread

from sandbook.api import (
    API_VERSION,
    ISOLATIONS,
    Capabilities,
    Destroyed,
    Diagnosis,
    ProviderInfo,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Settings,
    SnapshotRef,
)
from sandbook.errors import SandboxGone, SpecRejected, Unsupported
from tests.providers.bare_sandbox import BareSandbox
from tests.providers.bare_store import Record, Store

CAPABILITIES = frozenset(
    {
        "exec",
        "exec.bytes",
        "exec.stdin",
        "exec.signal",
        "exec.attach",
        "files",
        "files.stream",
        "attach",
        "labels",
        "lifetime",
        "lifetime.extend",
    }
)
PRETENDED = frozenset({"net.off", "net.egress", "net.allow"})
_T = TypeVar("_T")


def capabilities(settings: Settings) -> Capabilities:
    """What plain processes can do; other users only when we are root."""
    users = settings.values.get("users", os.geteuid() == 0)
    native = CAPABILITIES | {"exec.user"} if users else CAPABILITIES
    level = settings.values.get("pretend")
    for isolation in ISOLATIONS:
        if isolation == level:
            return Capabilities(native=native | PRETENDED, isolation=isolation)
    return Capabilities(native=native, isolation="none")


INFO = ProviderInfo(
    name="bare",
    api_version=API_VERSION,
    summary="plain processes on this computer, without isolation; for tests",
    factory="tests.providers.bare:BareProvider",
    settings_schema={
        "type": "object",
        "properties": {
            "pretend": {"enum": list(ISOLATIONS)},
            "users": {"type": "boolean"},
        },
        "additionalProperties": False,
    },
    credentials=(),
    capabilities=capabilities,
)


class BareProvider:
    """Makes sandboxes that are folders, and finds them again."""

    info = INFO

    def __init__(self, settings: Settings) -> None:
        """Remember where the sandboxes are; touches nothing."""
        self._settings = settings
        self._store = Store(settings.state / "bare")

    async def preflight(self, *, live: bool = False) -> Diagnosis:
        """Ready: nothing is needed. A live check takes no time worth telling."""
        return Diagnosis(
            state="ready", message="plain processes", latency=0.0 if live else None
        )

    async def create(self, spec: SandboxSpec, *, key: str) -> BareSandbox:
        """Make a folder with a life; a cancelled call takes it back."""
        self._refuse(spec)
        record = await _in_thread(partial(self._store.create, spec, key=key))
        try:
            await anyio.lowlevel.checkpoint()
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await _in_thread(partial(self._store.destroy, record.ref.id))
            raise
        return self.open(record)

    def open(self, record: Record) -> BareSandbox:
        """The handle for a sandbox that is there."""
        return BareSandbox(self._store, record, capabilities(self._settings))

    async def attach(
        self, ref: SandboxRef, *, resume_paused: bool = False
    ) -> BareSandbox:
        """Open a live sandbox; nothing here is ever paused."""
        del resume_paused
        record = await _in_thread(partial(self._store.find, ref.id))
        if record is None:
            raise SandboxGone(
                f"there is no sandbox {ref.id!r}",
                provider=INFO.name,
                operation="attach",
                ref=ref,
                remedy="it was destroyed or its lifetime is over: create a new one",
            )
        return self.open(record)

    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        """Every live sandbox that has these labels."""
        for record in await _in_thread(self._store.live):
            if labels.items() <= record.labels.items():
                info = await self.open(record).info()
                if info.state == "running":
                    yield info

    async def destroy(self, ref: SandboxRef) -> Destroyed:
        """End its life, wait for its processes to end, remove its folder."""
        return await _in_thread(partial(self._store.destroy, ref.id))

    async def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        """Refuse: there are no snapshots."""
        self._unsupported("snapshots", operation=f"delete_snapshot {snapshot.id}")

    async def aclose(self) -> None:
        """Nothing is held."""

    def _refuse(self, spec: SandboxSpec) -> None:
        """Refuse what would not be kept."""
        self._refuse_wrong(spec)
        if spec.idle_stop is not None:
            self._unsupported("idle_stop")
        limits = spec.resources
        written = (limits.cpus, limits.memory, limits.pids, limits.disk)
        if any(limit is not None for limit in written) and not limits.best_effort:
            self._unsupported("limits of resources")
        if self._settings.values.get("pretend"):
            return
        if spec.isolation != "none":
            self._unsupported(f"isolation {spec.isolation!r}")
        if spec.network != "host":
            self._unsupported(f"network {spec.network!r}")

    def _refuse_wrong(self, spec: SandboxSpec) -> None:
        wrong = [f"option {name!r}" for name in spec.options]
        if spec.template is not None:
            wrong.append(f"template {spec.template!r}")
        if spec.lifetime <= 0 or spec.max_lifetime <= 0:
            wrong.append(f"lifetime {min(spec.lifetime, spec.max_lifetime)!r}")
        if wrong:
            raise SpecRejected(
                f"bare sandboxes have no {wrong[0]}",
                provider=INFO.name,
                operation="create",
                sent="no",
                remedy="leave it out",
            )

    def _unsupported(self, what: str, *, operation: str = "create") -> NoReturn:
        raise Unsupported(
            f"bare sandboxes cannot do {what}",
            provider=INFO.name,
            operation=operation,
            sent="no",
            remedy="use another provider",
        )


async def _in_thread(call: Callable[[], _T]) -> _T:
    return await to_thread.run_sync(call)
