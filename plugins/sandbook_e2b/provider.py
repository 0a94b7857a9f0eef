"""The E2B provider: makes sandboxes through the SDK, and finds them again."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import anyio
import anyio.lowlevel

from sandbook.api import (
    Destroyed,
    Diagnosis,
    ProviderInfo,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Settings,
    SnapshotRef,
)
from sandbook.errors import (
    AuthRejected,
    Busy,
    ConnectionLost,
    CreateUnknown,
    NotConfigured,
    NotInstalled,
    ProviderError,
    SandboxGone,
    SandboxLost,
    SpecRejected,
    TeardownFailed,
    Unreachable,
    Unsupported,
)
from sandbook_e2b import INFO, LONGEST, records
from sandbook_e2b.failures import translate
from sandbook_e2b.leaving import leave_in_peace
from sandbook_e2b.loading import load_client

if TYPE_CHECKING:
    from e2b import AsyncSandbox
    from e2b import SandboxInfo as Told

    from sandbook_e2b.sandbox import E2BSandbox

PAGE = 100
"""Sandboxes that one request lists."""

_SDK = "e2b_code_interpreter"
_PIP = "pip install e2b-code-interpreter"
_TEMPLATE = "code-interpreter-v1"
_REQUEST_TIMEOUT = 60.0
_RETRIES = 2
_OPEN_PAUSE = 0.3
_EVERYTHING = "0.0.0.0/0"


class E2BProvider:
    """Virtual machines at E2B, or at a service that speaks its protocol."""

    info: ProviderInfo = INFO

    def __init__(self, settings: Settings) -> None:
        """Touches nothing, and loads nothing of the SDK."""
        self._settings = settings
        self._made: type[AsyncSandbox] | None = None

    async def preflight(self, *, live: bool = False) -> Diagnosis:
        """Whether there are key and SDK; `live` asks the service."""
        try:
            self._refuse_setup()
            if not live:
                return Diagnosis(state="ready", message="the key is set")
            began = time.monotonic()
            paginator = self._sdk().list(limit=1)
            await paginator.next_items(retries=0)
        except NotConfigured as error:
            return _diagnosis("not_configured", error)
        except NotInstalled as error:
            return _diagnosis("not_installed", error)
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises
            told = translate(error, "preflight")
            refused = isinstance(told, AuthRejected)
            return _diagnosis("refused" if refused else "unreachable", told)
        latency = time.monotonic() - began
        return Diagnosis(state="ready", message="E2B answers", latency=latency)

    async def create(self, spec: SandboxSpec, *, key: str) -> E2BSandbox:
        """Make a sandbox; the same key gives the same one."""
        self._refuse(spec)
        self._refuse_setup()
        # Not cut in the middle: a request that has left may make one nobody knows of.
        with anyio.CancelScope(shield=True):
            made = await self._create(spec, key)
        return await self._open_new(made, spec)  # pyright: ignore[reportPossiblyUnboundVariable]  # nobody cancels that scope

    async def _open_new(self, made: AsyncSandbox, spec: SandboxSpec) -> E2BSandbox:
        """Open it, or take it back."""
        ref = self._ref(made)
        try:
            await anyio.lowlevel.checkpoint()
            return await self._open_surely(made, spec)
        except BaseException as error:
            with anyio.move_on_after(_REQUEST_TIMEOUT, shield=True):
                await self._take_back(ref)
            if isinstance(error, (ConnectionLost, SandboxLost, SandboxGone)):
                raise _unusable(error, ref) from error
            if isinstance(error, ProviderError):
                error.ref = ref
            raise

    def _ref(self, made: AsyncSandbox) -> SandboxRef:
        now = datetime.now(UTC)
        return SandboxRef(provider=INFO.name, id=made.sandbox_id, created_at=now)

    async def _open_surely(self, made: AsyncSandbox, spec: SandboxSpec) -> E2BSandbox:
        """Open it; nothing has run there yet, so that it may be done again."""
        for _ in range(_RETRIES):
            try:
                return await self._open(made, workdir=spec.workdir)
            except (ConnectionLost, Unreachable, Busy):
                await anyio.sleep(_OPEN_PAUSE)
        return await self._open(made, workdir=spec.workdir)

    async def _take_back(self, ref: SandboxRef) -> None:
        """End it; where that fails it is the engine's to find it by its label."""
        try:
            await self.destroy(ref)
        except ProviderError as error:
            raise CreateUnknown(
                f"a new sandbox could be neither used nor ended: {error}",
                provider=INFO.name,
                operation="create",
                sent="maybe",
                remedy="it is looked for by its label; `sandbook reap` ends it",
            ) from error

    async def _create(self, spec: SandboxSpec, key: str) -> AsyncSandbox:
        template = spec.template
        if isinstance(template, SnapshotRef):
            template = template.id
        lifetime = min(spec.lifetime, spec.max_lifetime, LONGEST)
        try:
            return await self._sdk().create(
                template or self._told("template", "E2B_DEFAULT_TEMPLATE") or _TEMPLATE,
                timeout=math.ceil(lifetime),
                metadata=records.written(spec),
                envs=dict(spec.env),
                idempotency_key=hashlib.sha256(key.encode()).hexdigest(),
                retries=0,
                **_network(spec),
            )
        except Exception as error:
            raise translate(error, "create") from error

    async def attach(
        self, ref: SandboxRef, *, resume_paused: bool = False
    ) -> E2BSandbox:
        """Open a live sandbox, and let a paused one go on.

        Raises:
            SandboxGone: There is none.
            SpecRejected: It is paused, and nobody said that it may go on.
        """
        self._refuse_setup()
        sdk = self._sdk()
        try:
            told = await sdk.get_info(ref.id, retries=_RETRIES)
            if told.state.value == "paused" and not resume_paused:
                _refuse_paused(ref)
            left = math.ceil(_life_left(told))
            made = await sdk.connect(ref.id, timeout=max(left, 1), retries=_RETRIES)
        except ProviderError:
            raise
        except Exception as error:
            raise translate(error, "attach", ref) from error
        return await self._open(made, workdir=None)

    async def _open(self, made: AsyncSandbox, *, workdir: str | None) -> E2BSandbox:
        from sandbook_e2b.sandbox import E2BSandbox  # it loads the SDK's own types

        sandbox_url = self._told("sandbox_url", "E2B_SANDBOX_URL")
        sandbox = E2BSandbox(made, workdir=workdir, sandbox_url=sandbox_url)
        await sandbox.open()
        return sandbox

    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        """Every sandbox that has all these labels, paused ones too."""
        self._refuse_setup()
        sdk = self._sdk()
        from e2b import SandboxQuery  # the SDK is loaded on first use

        query = SandboxQuery(metadata=dict(labels)) if labels else None
        paginator = sdk.list(query, limit=PAGE)
        while paginator.has_next:
            try:
                page = await paginator.next_items(retries=_RETRIES)
            except Exception as error:
                raise translate(error, "list") from error
            for told in page:
                record = records.read(
                    told.metadata,
                    id=told.sandbox_id,
                    account=None,
                    started_at=told.started_at,
                )
                if labels.items() <= record.labels.items():
                    yield record.info(state=told.state.value, end_at=told.end_at)

    async def destroy(self, ref: SandboxRef) -> Destroyed:
        """End a sandbox; a paused one is not woken for it."""
        self._refuse_setup()
        try:
            ended = await self._sdk().kill(ref.id, retries=_RETRIES)
            lives = not ended and await self._is_there(ref)
        except Exception as error:
            told = translate(error, "destroy", ref)
            if told.exit_code == TeardownFailed.exit_code or _is_unavailable(told):
                raise told from error
            raise _not_ended(ref, told.message) from error
        if lives:
            raise _not_ended(ref, "the service says that it is gone, and lists it")
        return "destroyed" if ended else "already_gone"

    async def _is_there(self, ref: SandboxRef) -> bool:
        """Whether a sandbox that was said to be gone is told of all the same."""
        try:
            await self._sdk().get_info(ref.id, retries=_RETRIES)
        except Exception:  # noqa: BLE001 - whatever the SDK raises, it is not seen
            return False
        return True

    async def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        """Remove a stored copy."""
        self._refuse_setup()
        try:
            await self._sdk().delete_snapshot(snapshot.id)
        except Exception as error:
            raise translate(error, "destroy") from error

    async def aclose(self) -> None:
        """The SDK shares its connections between all who use it: nothing is ours."""

    def _refuse_setup(self) -> None:
        """Refuse where the key or the SDK is missing."""
        if not self._settings.environ.get("E2B_API_KEY"):
            raise NotConfigured(
                "E2B_API_KEY is not set",
                provider=INFO.name,
                operation="preflight",
                sent="no",
                remedy="get a key at https://e2b.dev/dashboard and export E2B_API_KEY",
            )
        if self._made is None and not _is_installed():
            raise NotInstalled(
                "the SDK of E2B is not installed",
                provider=INFO.name,
                operation="preflight",
                sent="no",
                remedy=_PIP,
            )

    def _sdk(self) -> type[AsyncSandbox]:
        """The SDK's class, bound to this account and service."""
        if self._made is None:
            told: dict[str, Any] = {
                "api_key": self._settings.environ["E2B_API_KEY"],
                "domain": self._told("domain", "E2B_DOMAIN"),
                "api_url": self._told("api_url", "E2B_API_URL"),
                "sandbox_url": self._told("sandbox_url", "E2B_SANDBOX_URL"),
                "request_timeout": self._settings.values.get(
                    "request_timeout", _REQUEST_TIMEOUT
                ),
            }
            client = load_client()(**{k: v for k, v in told.items() if v is not None})
            leave_in_peace()
            self._made = client.AsyncSandbox
        return self._made

    def _told(self, setting: str, variable: str) -> str | None:
        value = self._settings.values.get(setting)
        if isinstance(value, str):
            return value
        return self._settings.environ.get(variable) or None

    def _refuse(self, spec: SandboxSpec) -> None:
        """Refuse what would not be kept."""
        for name in spec.options:
            _refuse_spec(f"E2B has no option {name!r}", remedy="leave it out")
        if spec.lifetime <= 0 or spec.max_lifetime <= 0:
            _refuse_spec("a sandbox must live for a while", remedy="raise `timeout`")
        if spec.idle_stop is not None:
            _refuse_what("end when they are idle", remedy="leave out the idle limit")
        limits = spec.resources
        written = (limits.cpus, limits.memory, limits.pids, limits.disk)
        if any(limit is not None for limit in written) and not limits.best_effort:
            remedy = "build a template of that size and name it"
            _refuse_what("be limited one by one", remedy=remedy)
        if spec.network == "host":
            remedy = "use `network: true`"
            _refuse_what("use this computer's network", remedy=remedy)


def _network(spec: SandboxSpec) -> dict[str, Any]:
    if spec.network == "off":
        return {"allow_internet_access": False}
    if isinstance(spec.network, tuple):
        rules = {"allow_out": list(spec.network), "deny_out": [_EVERYTHING]}
        return {"network": rules}
    return {"allow_internet_access": True}


def _life_left(told: Told) -> float:
    """Seconds that it lives on; a paused one begins as it did at first."""
    now = datetime.now(UTC)
    if told.state.value != "paused":
        return (told.end_at - now).total_seconds()
    record = records.read(
        told.metadata, id=told.sandbox_id, account=None, started_at=told.started_at
    )
    return record.life_from(now)


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec(_SDK) is not None
    except ModuleNotFoundError:
        return False


def _is_unavailable(error: ProviderError) -> bool:
    """Whether it says more of the service or the key than of the sandbox."""
    return isinstance(error, AuthRejected)


def _diagnosis(state: Any, error: ProviderError) -> Diagnosis:
    return Diagnosis(state=state, message=error.message, remedy=error.remedy)


def _not_ended(ref: SandboxRef, why: str) -> TeardownFailed:
    return TeardownFailed(
        f"sandbox {ref.id!r} was not ended: {why}",
        provider=INFO.name,
        operation="destroy",
        ref=ref,
        remedy="`sandbook reap` tries again; it ends with its lifetime",
    )


def _unusable(error: ProviderError, ref: SandboxRef) -> Unreachable:
    return Unreachable(
        f"a new sandbox could not be used, and was ended: {error.message}",
        provider=INFO.name,
        operation="create",
        ref=ref,
        sent="yes",
        remedy="try again; https://status.e2b.dev tells of outages",
    )


def _refuse_spec(message: str, *, remedy: str) -> NoReturn:
    raise SpecRejected(
        message, provider=INFO.name, operation="create", sent="no", remedy=remedy
    )


def _refuse_what(what: str, *, remedy: str) -> NoReturn:
    raise Unsupported(
        f"sandboxes of E2B cannot {what}",
        provider=INFO.name,
        operation="create",
        sent="no",
        remedy=remedy,
    )


def _refuse_paused(ref: SandboxRef) -> NoReturn:
    raise SpecRejected(
        f"sandbox {ref.id!r} is paused",
        provider=INFO.name,
        operation="attach",
        ref=ref,
        sent="no",
        remedy="say that it may go on (resume_paused)",
    )
