"""Who may make a sandbox, and why not the others."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from sandbook.api import (
    API_VERSION,
    Capabilities,
    Isolation,
    ProviderInfo,
    Settings,
)
from sandbook.chain import Chain
from sandbook.errors import UsageError
from sandbook.registry import Plugin, Registry
from sandbook.settings import Preferences

EXEC = frozenset({"exec"})


def _plugin(
    name: str, isolation: Isolation, *, credentials: tuple[str, ...] = ()
) -> Plugin:
    module = ModuleType(f"chain_test_{name}")

    def capabilities(_: Settings) -> Capabilities:
        return Capabilities(native=EXEC, isolation=isolation)

    info = ProviderInfo(
        name=name,
        api_version=API_VERSION,
        summary="",
        factory="x:Y",
        settings_schema={},
        credentials=credentials,
        capabilities=capabilities,
    )
    module.sandbook_provider = lambda: info  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    return Plugin(name=name, target=module.__name__)


def _chain(
    *plugins: Plugin,
    environ: Mapping[str, str] | None = None,
    preferences: Preferences | None = None,
) -> Chain:
    registry = Registry(providers=plugins, hooks=())
    settings = Settings(state=Path("/s"), cache=Path("/c"), environ=environ or {})
    return Chain(registry, preferences or Preferences(), lambda _: settings)


def _e2b() -> Plugin:
    return _plugin("e2b", "microvm", credentials=("E2B_API_KEY",))


def _local() -> Plugin:
    return _plugin("local", "process")


def test_local_serves_where_nothing_else_is_configured() -> None:
    chosen = _chain(_e2b(), _local()).select(need=EXEC)
    assert [c.name for c in chosen.candidates] == ["local"]
    assert chosen.floor == "process"
    assert chosen.passed_over[0].outcome == "not_set_up"
    assert "E2B_API_KEY" in chosen.passed_over[0].reason


def test_local_never_replaces_a_stronger_provider_by_itself() -> None:
    chain = _chain(_e2b(), _local(), environ={"E2B_API_KEY": "k"})
    chosen = chain.select(need=EXEC)
    assert [c.name for c in chosen.candidates] == ["e2b"]
    assert chosen.passed_over[0].outcome == "too_weak"
    assert "isolation microvm (it has process)" in chosen.passed_over[0].reason


def test_a_runbook_may_accept_less() -> None:
    chain = _chain(_e2b(), _local(), environ={"E2B_API_KEY": "k"})
    chosen = chain.select(need=EXEC, isolation="process")
    assert [c.name for c in chosen.candidates] == ["e2b", "local"]


def test_a_provider_that_lacks_something_is_named_with_what_it_lacks() -> None:
    chosen = _chain(_local()).select(need=frozenset({"exec", "pty"}))
    assert chosen.candidates == ()
    assert chosen.passed_over[0].reason == "lacks pty"


def test_docker_counts_only_where_it_was_named() -> None:
    docker = _plugin("docker", "container")
    by_itself = _chain(docker, _local()).select(need=EXEC)
    assert [c.name for c in by_itself.candidates] == ["local"]
    named = _chain(docker, _local()).select(need=EXEC, providers=("docker",))
    assert [c.name for c in named.candidates] == ["docker"]


def test_a_chosen_chain_is_the_whole_chain() -> None:
    preferences = Preferences(chain=("local",), chain_is_chosen=True)
    chain = _chain(
        _e2b(), _local(), environ={"E2B_API_KEY": "k"}, preferences=preferences
    )
    assert [c.name for c in chain.select(need=EXEC).candidates] == ["local"]


def test_a_name_nobody_has_is_refused() -> None:
    with pytest.raises(UsageError, match="no provider 'lokal'"):
        _chain(_local()).select(need=EXEC, providers=("lokal",))
