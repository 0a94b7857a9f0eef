"""Which providers may make a sandbox, in what order, and why the others may not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbook.api import (
    Capabilities,
    Capability,
    Isolation,
    ProviderInfo,
    Settings,
    isolation_at_least,
)
from sandbook.errors import SandbookError
from sandbook.registry import Registry
from sandbook.settings import Preferences

NEEDS_NAMING = frozenset({"docker"})
"""Without credentials of its own it counts as configured only where it was named."""

NOT_SET_UP = "not_set_up"
"""Nobody named it and it has no key: what a run that works need not tell."""

UNISOLATED = "it isolates nothing (only with --allow-unisolated)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A provider that can do what is needed; `emulated` of it by our own driver."""

    name: str
    info: ProviderInfo
    capabilities: Capabilities
    emulated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """A provider that will not be tried; `outcome` is a word, `reason` a sentence.

    `capabilities` are there where it is set up and lacks something.
    """

    name: str
    outcome: str
    reason: str
    capabilities: Capabilities | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The candidates in order, the others with their reasons, and the floor."""

    candidates: tuple[Candidate, ...]
    passed_over: tuple[PassedOver, ...]
    floor: Isolation


class Chain:
    """Selects candidates for a set of needs; asks no service anything."""

    def __init__(
        self,
        registry: Registry,
        preferences: Preferences,
        settings_of: Callable[[str], Settings],
        *,
        allow_unisolated: bool = False,
    ) -> None:
        self._registry = registry
        self._preferences = preferences
        self._settings_of = settings_of
        self._allow_unisolated = allow_unisolated

    def select(
        self,
        *,
        need: frozenset[Capability],
        isolation: Isolation | None = None,
        providers: tuple[str, ...] = (),
    ) -> Selection:
        """Choose among `providers` (a step's own list), else those of the settings.

        `isolation` is the runbook's; without one the settings', else the level of the
        first configured candidate is the floor, so that nothing weaker replaces it.
        """
        named = providers or (
            self._preferences.chain if self._preferences.chain_is_chosen else ()
        )
        passed: list[PassedOver] = []
        configured = list(self._configured(named, passed))
        floor = isolation or self._preferences.isolation
        if floor is None:
            floor = configured[0].capabilities.isolation if configured else "process"
        able = [c for c in configured if _is_able(c, need, floor, passed)]
        return Selection(
            candidates=tuple(_with_emulated(c, need) for c in able),
            passed_over=tuple(passed),
            floor=floor,
        )

    def _configured(
        self, named: tuple[str, ...], passed: list[PassedOver]
    ) -> Iterable[Candidate]:
        for name in named or self._preferences.chain:
            if not named and name not in self._registry.provider_names:
                continue
            try:
                info = self._registry.provider_info(name)
            except SandbookError as error:
                if named and error.exit_code == 2:  # noqa: PLR2004 (a name that is wrong)
                    raise
                passed.append(_passed(name, "not_installed", str(error)))
                continue
            settings = self._settings_of(name)
            missing = info.missing(settings)
            if missing:
                reason = f"{', '.join(missing)} is not set"
                outcome = "not_configured" if named else NOT_SET_UP
                passed.append(_passed(name, outcome, reason))
            elif name in NEEDS_NAMING and not named and not settings.values:
                passed.append(_passed(name, "not_configured", "it was not named"))
            else:
                capabilities = info.capabilities(settings)
                if capabilities.isolation == "none" and not self._allow_unisolated:
                    passed.append(_passed(name, "too_weak", UNISOLATED))
                    continue
                yield Candidate(name=name, info=info, capabilities=capabilities)


def _passed(name: str, outcome: str, reason: str) -> PassedOver:
    return PassedOver(name=name, outcome=outcome, reason=reason)


def _is_able(
    candidate: Candidate,
    need: frozenset[Capability],
    floor: Isolation,
    passed: list[PassedOver],
) -> bool:
    lacking = candidate.capabilities.missing((need, floor))
    if not lacking:
        return True
    strong = isolation_at_least(candidate.capabilities.isolation, floor)
    outcome = "unsupported" if strong else "too_weak"
    passed.append(
        PassedOver(
            name=candidate.name,
            outcome=outcome,
            reason=f"lacks {', '.join(lacking)}",
            capabilities=candidate.capabilities,
        )
    )
    return False


def _with_emulated(candidate: Candidate, need: frozenset[Capability]) -> Candidate:
    return Candidate(
        name=candidate.name,
        info=candidate.info,
        capabilities=candidate.capabilities,
        emulated=tuple(sorted(need & candidate.capabilities.emulated)),
    )


def words_for(passed: Iterable[PassedOver]) -> tuple[tuple[str, str], ...]:
    """(provider, reason) pairs, as `NoProvider` tells them."""
    return tuple((item.name, item.reason) for item in passed)
