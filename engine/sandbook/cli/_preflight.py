"""What each provider says of itself, asked at once and never for long."""

from __future__ import annotations

from dataclasses import dataclass

import anyio

from sandbook.api import JSON, Capabilities, Diagnosis, ProviderInfo
from sandbook.errors import SandbookError
from sandbook.installation import Installation
from sandbook.registry import PluginProblem
from sandbook.sweep import identify

PATIENCE_S = 30.0
BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """One registered provider; `state` is a diagnosis' or "broken"."""

    name: str
    state: str
    message: str
    remedy: str = ""
    latency: float | None = None
    info: ProviderInfo | None = None
    capabilities: Capabilities | None = None

    def as_json(self) -> JSON:
        """For programs."""
        can = self.capabilities
        return {
            "name": self.name,
            "state": self.state,
            "message": self.message,
            "remedy": self.remedy,
            "latency": self.latency,
            "summary": self.info.summary if self.info else None,
            "isolation": can.isolation if can else None,
            "native": sorted(can.native) if can else [],
            "emulated": sorted(can.emulated) if can else [],
            "max_lifetime": can.max_lifetime if can else None,
            "credentials": list(self.info.credentials) if self.info else [],
            "extra": self.info.extra if self.info else None,
        }


async def diagnose_all(
    installation: Installation, *, live: bool
) -> tuple[ProviderState, ...]:
    """Every registered provider, in the order of the chain, then by name."""
    await identify(installation)
    found: dict[str, ProviderState] = {}

    async def ask(name: str) -> None:
        found[name] = await _diagnose(installation, name, live=live)

    names = _in_order(installation)
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(ask, name)
    return tuple(found[name] for name in names)


def plugin_problems(installation: Installation) -> tuple[PluginProblem, ...]:
    """Plugins that were set aside, after all were tried; each once."""
    for name in installation.registry.provider_names:
        try:
            installation.registry.provider_info(name)
        except SandbookError:
            continue
    _ = installation.verbs
    return tuple(dict.fromkeys(installation.registry.problems))


def _in_order(installation: Installation) -> list[str]:
    chain = installation.preferences.chain
    names = installation.registry.provider_names
    rank = {name: place for place, name in enumerate(chain)}
    return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))


async def _diagnose(
    installation: Installation, name: str, *, live: bool
) -> ProviderState:
    try:
        info = installation.registry.provider_info(name)
    except SandbookError as error:
        return ProviderState(
            name=name, state=BROKEN, message=str(error), remedy=error.remedy
        )
    try:
        can = info.capabilities(installation.settings_of(name))
        told = await _ask(installation, info, live=live)
    except SandbookError as error:
        return ProviderState(
            name=name,
            state="not_installed",
            message=str(error),
            remedy=error.remedy,
            info=info,
        )
    except Exception as error:  # noqa: BLE001 (a plugin's code)
        message = f"{type(error).__name__}: {error}"
        return ProviderState(name=name, state=BROKEN, message=message, info=info)
    return ProviderState(
        name=name,
        state=told.state,
        message=told.message,
        remedy=told.remedy,
        latency=told.latency,
        info=info,
        capabilities=can,
    )


async def _ask(
    installation: Installation, info: ProviderInfo, *, live: bool
) -> Diagnosis:
    missing = info.missing(installation.settings_of(info.name))
    if missing:
        # Said without loading it: its SDK may take a second to import.
        return Diagnosis(
            state="not_configured",
            message=f"{', '.join(missing)} is not set",
            remedy=f"set {' and '.join(missing)}",
        )
    with anyio.move_on_after(PATIENCE_S):
        return await installation.provider(info.name).preflight(live=live)
    return Diagnosis(
        state="unreachable", message=f"no answer within {PATIENCE_S:.0f} s"
    )
