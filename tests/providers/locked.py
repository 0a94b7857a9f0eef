"""The bare provider behind a key and a library, as a remote one is."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import AsyncIterator, Mapping

from sandbook.api import (
    Destroyed,
    Diagnosis,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Settings,
)
from sandbook.errors import (
    AuthRejected,
    Busy,
    NotConfigured,
    ProviderError,
    RateLimited,
    Unreachable,
)
from tests.providers.bare import INFO as BARE
from tests.providers.bare import BareProvider
from tests.providers.bare_sandbox import BareSandbox

INFO = dataclasses.replace(
    BARE,
    factory="tests.providers.locked:LockedProvider",
    credentials=("LOCKED_KEY",),
    extra="locked",
)


class LockedProvider(BareProvider):
    """Every call asks the vendor's client first."""

    info = INFO

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._key = settings.environ.get("LOCKED_KEY")

    async def preflight(self, *, live: bool = False) -> Diagnosis:
        """Look for the library, then for the key; only `live` tries it."""
        try:
            importlib.import_module("tests.providers.locked_sdk")
        except ImportError:
            remedy = 'pip install "sandbook[locked]"'
            return Diagnosis(state="not_installed", message="no library", remedy=remedy)
        if self._key is None:
            remedy = "set LOCKED_KEY"
            return Diagnosis(state="not_configured", message="no key", remedy=remedy)
        try:
            self._ask("preflight") if live else None
        except AuthRejected as error:
            return Diagnosis(state="refused", message=str(error), remedy=error.remedy)
        return Diagnosis(state="ready", message="the key is accepted")

    async def create(self, spec: SandboxSpec, *, key: str) -> BareSandbox:
        """Make a sandbox with the right key."""
        self._ask("create")
        return await super().create(spec, key=key)

    async def attach(
        self, ref: SandboxRef, *, resume_paused: bool = False
    ) -> BareSandbox:
        """Open a sandbox with the right key."""
        self._ask("attach")
        return await super().attach(ref, resume_paused=resume_paused)

    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        """List sandboxes with the right key."""
        self._ask("list")
        async for info in super().list(labels):
            yield info

    async def destroy(self, ref: SandboxRef) -> Destroyed:
        """End a sandbox with the right key."""
        self._ask("destroy")
        return await super().destroy(ref)

    def _ask(self, operation: str) -> None:
        # The library is loaded when it is needed, as every provider must.
        from tests.providers.locked_sdk import Client, WrongKeyError

        if self._key is None:
            raise NotConfigured(
                "there is no key",
                provider="bare",
                operation=operation,
                sent="no",
                remedy="set LOCKED_KEY",
            )
        try:
            Client(self._key).check()
        except WrongKeyError as error:
            raise translate(error, operation) from error


def translate(error: Exception, operation: str = "call") -> ProviderError:
    """The contract's error for one of the library's."""
    kinds: dict[str, type[ProviderError]] = {
        "WrongKeyError": AuthRejected,
        "OutageError": Unreachable,
    }
    if type(error).__name__ == "TooManyError":
        return RateLimited("too many requests", provider="bare", operation=operation)
    kind = kinds.get(type(error).__name__, Busy)
    remedy = "look at the key"
    return kind("refused", provider="bare", operation=operation, remedy=remedy)
