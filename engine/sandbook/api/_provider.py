"""Providers and the sandboxes they make."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from sandbook.api._base import JSON, Isolation
from sandbook.api._capabilities import Capabilities
from sandbook.api._exec import ExecRequest, Process
from sandbook.api._files import Files
from sandbook.api._interactive import (
    Code,
    CodeContext,
    PortUrl,
    Pty,
    PtyRequest,
    Watch,
    WatchRequest,
)

API_VERSION = 1
"""The version of this contract; a provider states the one it was written for."""

LABEL_PREFIX = "sandbook."
"""Labels are ours; metadata keys beginning so are refused."""

DiagnosisState = Literal[
    "ready", "not_installed", "not_configured", "refused", "unreachable"
]
SandboxState = Literal["starting", "running", "paused", "ended"]
Destroyed = Literal["destroyed", "already_gone"]
Network: TypeAlias = "Literal['off', 'egress', 'host'] | tuple[str, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a provider is made with.

    `values` are its own settings (checked against `settings_schema`), `environ` the
    variables of this computer it may read credentials from, `state` and `cache` the
    folders of this installation.
    """

    values: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    environ: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    state: Path
    cache: Path
    installation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Whether a provider can be used now; `latency` in seconds of a live check."""

    state: DiagnosisState
    message: str
    remedy: str = ""
    latency: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Limits of a sandbox; None = the provider's own.

    What is written is enforced or refused, unless `best_effort`.
    """

    cpus: float | None = None
    memory: int | None = None
    pids: int | None = None
    disk: int | None = None
    best_effort: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRef:
    """How a sandbox is found again, also by another process."""

    provider: str
    id: str
    account: str | None = None
    region: str | None = None
    created_at: datetime

    def to_json(self) -> dict[str, JSON]:
        """A plain object that `from_json` reads back."""
        return {
            "provider": self.provider,
            "id": self.id,
            "account": self.account,
            "region": self.region,
            "created_at": self.created_at.isoformat(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, JSON]) -> SandboxRef:
        """Read what `to_json` wrote; raises `ValueError` for anything else."""
        texts = {k: v for k, v in data.items() if isinstance(v, str)}
        try:
            return cls(
                provider=texts["provider"],
                id=texts["id"],
                account=texts.get("account"),
                region=texts.get("region"),
                created_at=datetime.fromisoformat(texts["created_at"]),
            )
        except KeyError as error:
            raise ValueError(f"a sandbox reference without {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRef:
    """A stored copy of a sandbox that others can start from."""

    provider: str
    id: str
    account: str | None = None
    kind: Literal["files", "memory"] = "files"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSpec:
    """The sandbox that is wanted.

    `lifetime` is how many seconds it lives after the last heartbeat, `max_lifetime`
    its hard end. A tuple as `network` allows these hosts only. `options` are the
    provider's own, checked against its schema.
    """

    template: str | SnapshotRef | None = None
    lifetime: float = 600.0
    max_lifetime: float = 86_400.0
    idle_stop: float | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    network: Network = "egress"
    resources: Resources = Resources()
    isolation: Isolation = "process"
    workdir: str | None = None
    options: Mapping[str, JSON] = field(default_factory=dict[str, JSON])


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxInfo:
    """A sandbox as it is now."""

    ref: SandboxRef
    state: SandboxState
    labels: Mapping[str, str]
    metadata: Mapping[str, str]
    expires_at: datetime | None
    isolation: Isolation


@runtime_checkable
class Sandbox(Protocol):
    """One live machine."""

    @property
    def ref(self) -> SandboxRef:
        """How it is found again."""
        ...

    @property
    def files(self) -> Files:
        """Its files."""
        ...

    @property
    def home(self) -> str:
        """The absolute path of its home folder."""
        ...

    async def start(self, request: ExecRequest) -> Process:
        """Start a program, or return the one that has this key."""
        ...

    async def find(self, key: str) -> Process | None:
        """The program with this key, running or ended."""
        ...

    async def code(self, request: CodeContext) -> Code:
        """The interpreter of this context, started when it is new."""
        ...

    async def pty(self, request: PtyRequest) -> Pty:
        """Start a program in a terminal."""
        ...

    async def attach_pty(self, id: str) -> Pty:
        """The terminal with this id."""
        ...

    async def find_pty(self, pid: int) -> Pty | None:
        """The terminal whose program `ps` shows with this pid, running or ended."""
        ...

    def watch(self, request: WatchRequest) -> AbstractAsyncContextManager[Watch]:
        """Watch a file or folder; once entered, it is already watching."""
        ...

    async def port(self, number: int) -> PortUrl:
        """Where this port is reached from here; says so when it is closed."""
        ...

    async def extend(self, lifetime: float) -> datetime | None:
        """Live at least `lifetime` seconds from now; never shortens."""
        ...

    async def pause(self) -> None:
        """Stop it until somebody attaches."""
        ...

    async def snapshot(self, name: str) -> SnapshotRef:
        """Store a copy of it."""
        ...

    async def info(self) -> SandboxInfo:
        """Its state, labels and end of life."""
        ...

    async def aclose(self) -> None:
        """Detach; the sandbox lives on."""
        ...


class Provider(Protocol):
    """Makes sandboxes, and finds them again."""

    info: ProviderInfo

    async def preflight(self, *, live: bool = False) -> Diagnosis:
        """Whether it can be used; `live` asks the service. Never raises."""
        ...

    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        """Make a sandbox; the same key twice gives the same one."""
        ...

    async def attach(self, ref: SandboxRef, *, resume_paused: bool = False) -> Sandbox:
        """Open a live sandbox; `SandboxGone` when there is none."""
        ...

    def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        """Every sandbox that has all these labels, paused ones included."""
        ...

    async def destroy(self, ref: SandboxRef) -> Destroyed:
        """End a sandbox, without waking a paused one."""
        ...

    async def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        """Remove a stored copy."""
        ...

    async def aclose(self) -> None:
        """Close clients; destroys nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """What is known of a provider without loading it; lives in an SDK-free module.

    `factory` is "package.module:Class", called with `Settings`; `credentials` are
    names of variables, `extra` the name in `pip install "sandbook[extra]"`.

    `credentials_of` names others where settings choose an account. `lifetime_of` is the
    life of a sandbox that says no `timeout`, in seconds, None = the engine's; without
    it the variable `<PROVIDER>_DEFAULT_TIMEOUT` says it with a unit.
    """

    name: str
    api_version: int
    summary: str
    factory: str
    settings_schema: Mapping[str, object]
    credentials: tuple[str, ...]
    capabilities: Callable[[Settings], Capabilities]
    extra: str | None = None
    credentials_of: Callable[[Settings], tuple[str, ...]] | None = None
    lifetime_of: Callable[[Settings], float | None] | None = None

    def missing(self, settings: Settings) -> tuple[str, ...]:
        """The variables that must be set and are not."""
        needed = self.credentials
        if self.credentials_of is not None:
            needed = self.credentials_of(settings)
        return tuple(name for name in needed if not settings.environ.get(name))
