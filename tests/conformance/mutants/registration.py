"""A: descriptions that promise something else, or touch what they must not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

from sandbook.api import Capabilities, Diagnosis, ProviderInfo, Settings
from sandbook.errors import ProviderError
from sandbook.testing import conformance
from tests.conformance.mutants.wrap import MUTANTS, Mutant, MutantProvider, breaks
from tests.providers.bare import INFO as BARE
from tests.providers.locked import INFO as LOCKED

LOCKED_PATH = "tests.providers.locked:INFO"
RIGHT = {"LOCKED_KEY": "right"}

MUTANTS.append(
    Mutant(
        number="A01",
        name="ImportsALot",
        provider="tests.conformance.mutants.heavy:INFO",
    )
)


@breaks("A02")
class SpeaksAnotherVersion(MutantProvider):
    described: ClassVar[ProviderInfo] = dataclasses.replace(BARE, api_version=99)


def _reads_a_file(settings: Settings) -> Capabilities:
    Path("/etc/passwd").read_bytes()
    return BARE.capabilities(settings)


@breaks("A03")
class LooksBeforeItTells(MutantProvider):
    described: ClassVar[ProviderInfo] = dataclasses.replace(
        BARE, capabilities=_reads_a_file
    )


@breaks("A04")
class TakesAnySetting(MutantProvider):
    described: ClassVar[ProviderInfo] = dataclasses.replace(
        BARE, settings_schema={"type": "object"}
    )


@breaks("A05", base=LOCKED_PATH, environ=RIGHT)
class IsReadyWithoutAKey(MutantProvider):
    described: ClassVar[ProviderInfo] = LOCKED

    async def preflight(self, *, live: bool = False) -> Diagnosis:
        del live
        return Diagnosis(state="ready", message="surely")


@breaks("A05b")
class IsNeverReady(MutantProvider):
    async def preflight(self, *, live: bool = False) -> Diagnosis:
        del live
        return Diagnosis(state="unreachable", message="out of office")


@breaks("A06", base=LOCKED_PATH, environ=RIGHT)
class DoesNotLookForItsLibrary(MutantProvider):
    described: ClassVar[ProviderInfo] = LOCKED

    async def preflight(self, *, live: bool = False) -> Diagnosis:
        del live
        return Diagnosis(state="unreachable", message="it does not answer")


def calls_it_all_an_error(error: Exception) -> ProviderError:
    """A translation that knows nothing."""
    return ProviderError(str(error), provider="bare", operation="call")


MUTANTS.append(
    Mutant(
        number="A07",
        name="KnowsNoError",
        provider=LOCKED_PATH,
        environ=RIGHT,
        options={
            "sdk": conformance.Sdk(
                modules=("tests.providers.locked_sdk",),
                errors="tests.providers.locked_sdk",
                translate="tests.conformance.mutants:registration.calls_it_all_an_error",
            )
        },
    )
)


@breaks("A08")
class ShowsItsKeys(MutantProvider):
    def __repr__(self) -> str:
        return f"provider with {dict(self.settings.environ)}"
