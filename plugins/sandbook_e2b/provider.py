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
    SandbookError,
    SandboxGone,
    SandboxLost,
    SpecRejected,
    TeardownFailed,
    Unreachable,
    UsageError,
)
from sandbook_e2b import INFO, LONGEST, records, specs
from sandbook_e2b.accounts import Account, chosen, owner, reached
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
_REQUEST_TIMEOUT = 60.0
_RETRIES = 2
_OPEN_PAUSE = 0.3


class E2BProvider:
    """Virtual machines at E2B, or at a service that speaks its protocol."""

    info: ProviderInfo = INFO

    def __init__(self, settings: Settings) -> None:
        """Touches nothing, and loads nothing of the SDK."""
        self._settings = settings
        self._made: dict[str | None, type[AsyncSandbox]] = {}

    async def preflight(self, *, live: bool = False) -> Diagnosis:
        """Whether there are key and SDK; `live` asks the service."""
        try:
            self._refuse_setup()
            if not live:
                return Diagnosis(state="ready", message="the key is set")
            began = time.monotonic()
            paginator = self._sdk(chosen(self._settings)).list(limit=1)
            await paginator.next_items(retries=0)
        except (NotConfigured, UsageError) as error:
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
        specs.refuse(spec)
        self._refuse_setup()
        account = self._account_for(spec)
        # Not cut in the middle: a request that has left may make one nobody knows of.
        with anyio.CancelScope(shield=True):
            made = await self._create(account, spec, key)
        return await self._open_new(account, made, spec)  # pyright: ignore[reportPossiblyUnboundVariable]  # nobody cancels that scope

    def _account_for(self, spec: SandboxSpec) -> Account:
        """The chosen one, or that of the copy it is made from."""
        if isinstance(spec.template, SnapshotRef):
            return owner(self._settings, spec.template.account, operation="create")
        return chosen(self._settings)

    async def _open_new(
        self, account: Account, made: AsyncSandbox, spec: SandboxSpec
    ) -> E2BSandbox:
        """Open it, or take it back."""
        ref = _new_ref(account, made)
        try:
            await anyio.lowlevel.checkpoint()
            return await self._open_surely(account, made, spec)
        except BaseException as error:
            with anyio.move_on_after(_REQUEST_TIMEOUT, shield=True):
                await self._take_back(ref)
            if isinstance(error, (ConnectionLost, SandboxLost, SandboxGone)):
                raise _unusable(error, ref) from error
            if isinstance(error, ProviderError):
                error.ref = ref
            raise

    async def _open_surely(
        self, account: Account, made: AsyncSandbox, spec: SandboxSpec
    ) -> E2BSandbox:
        """Open it; nothing has run there yet, so that it may be done again."""
        for _ in range(_RETRIES):
            try:
                return await self._open(account, made, workdir=spec.workdir)
            except (ConnectionLost, Unreachable, Busy):
                await anyio.sleep(_OPEN_PAUSE)
        return await self._open(account, made, workdir=spec.workdir)

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

    async def _create(
        self, account: Account, spec: SandboxSpec, key: str
    ) -> AsyncSandbox:
        template = spec.template
        if isinstance(template, SnapshotRef):
            template = template.id
        lifetime = min(spec.lifetime, spec.max_lifetime, LONGEST)
        try:
            return await self._sdk(account).create(
                template or account.template,
                timeout=math.ceil(lifetime),
                metadata=records.written(spec),
                envs=dict(spec.env),
                idempotency_key=hashlib.sha256(key.encode()).hexdigest(),
                retries=0,
                **specs.network(spec),
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
        account = owner(self._settings, ref.account, operation="attach")
        sdk = self._sdk_of(ref.account, "attach")
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
        return await self._open(account, made, workdir=None)

    async def _open(
        self, account: Account, made: AsyncSandbox, *, workdir: str | None
    ) -> E2BSandbox:
        from sandbook_e2b.sandbox import E2BSandbox  # it loads the SDK's own types

        sandbox = E2BSandbox(
            made,
            account=account.name,
            workdir=workdir,
            sandbox_url=account.service("sandbox_url"),
        )
        await sandbox.open()
        return sandbox

    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        """Every sandbox of every account that has all these labels, paused ones too."""
        self._refuse_setup()
        from e2b import SandboxQuery  # the SDK is loaded on first use

        query = SandboxQuery(metadata=dict(labels)) if labels else None
        for account in reached(self._settings):
            paginator = self._sdk(account).list(query, limit=PAGE)
            while paginator.has_next:
                try:
                    page = await paginator.next_items(retries=_RETRIES)
                except Exception as error:
                    raise translate(error, "list") from error
                for told in page:
                    record = records.read(
                        told.metadata,
                        id=told.sandbox_id,
                        account=account.name,
                        started_at=told.started_at,
                    )
                    if labels.items() <= record.labels.items():
                        yield record.info(state=told.state.value, end_at=told.end_at)

    async def destroy(self, ref: SandboxRef) -> Destroyed:
        """End a sandbox; a paused one is not woken for it."""
        sdk = self._sdk_of(ref.account, "destroy")
        try:
            ended = await sdk.kill(ref.id, retries=_RETRIES)
            lives = not ended and await _is_there(sdk, ref)
        except Exception as error:
            told = translate(error, "destroy", ref)
            if told.exit_code == TeardownFailed.exit_code or _is_unavailable(told):
                raise told from error
            raise _not_ended(ref, told.message) from error
        if lives:
            raise _not_ended(ref, "the service says that it is gone, and lists it")
        return "destroyed" if ended else "already_gone"

    async def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        """Remove a stored copy."""
        sdk = self._sdk_of(snapshot.account, "destroy")
        try:
            await sdk.delete_snapshot(snapshot.id)
        except Exception as error:
            raise translate(error, "destroy") from error

    async def aclose(self) -> None:
        """The SDK shares its connections between all who use it: nothing is ours."""

    def _refuse_setup(self) -> None:
        """Refuse where the key or the SDK is missing."""
        account = chosen(self._settings)
        if account.key is None:
            raise NotConfigured(
                f"{account.variable} is not set",
                provider=INFO.name,
                operation="preflight",
                sent="no",
                remedy="get a key at https://e2b.dev/dashboard and export "
                f"{account.variable}",
            )
        self._refuse_missing_sdk()

    def _refuse_missing_sdk(self) -> None:
        if not self._made and not _is_installed():
            raise NotInstalled(
                "the SDK of E2B is not installed",
                provider=INFO.name,
                operation="preflight",
                sent="no",
                remedy=_PIP,
            )

    def _sdk_of(self, name: str | None, operation: str) -> type[AsyncSandbox]:
        """The SDK's class for the account of something that is there."""
        account = owner(self._settings, name, operation=operation)
        self._refuse_missing_sdk()
        return self._sdk(account)

    def _sdk(self, account: Account) -> type[AsyncSandbox]:
        """The SDK's class, bound to this account and its service."""
        if account.name not in self._made:
            told: dict[str, Any] = {
                "api_key": account.key,
                "domain": account.service("domain"),
                "api_url": account.service("api_url"),
                "sandbox_url": account.service("sandbox_url"),
                "request_timeout": self._settings.values.get(
                    "request_timeout", _REQUEST_TIMEOUT
                ),
            }
            client = load_client()(**{k: v for k, v in told.items() if v is not None})
            leave_in_peace()
            self._made[account.name] = client.AsyncSandbox
        return self._made[account.name]


def _new_ref(account: Account, made: AsyncSandbox) -> SandboxRef:
    return SandboxRef(
        provider=INFO.name,
        id=made.sandbox_id,
        account=account.name,
        created_at=datetime.now(UTC),
    )


async def _is_there(sdk: type[AsyncSandbox], ref: SandboxRef) -> bool:
    """Whether a sandbox that was said to be gone is told of all the same."""
    try:
        await sdk.get_info(ref.id, retries=_RETRIES)
    except Exception:  # noqa: BLE001 - whatever the SDK raises, it is not seen
        return False
    return True


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


def _diagnosis(state: Any, error: SandbookError) -> Diagnosis:
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


def _refuse_paused(ref: SandboxRef) -> NoReturn:
    raise SpecRejected(
        f"sandbox {ref.id!r} is paused",
        provider=INFO.name,
        operation="attach",
        ref=ref,
        sent="no",
        remedy="say that it may go on (resume_paused)",
    )
