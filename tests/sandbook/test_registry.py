"""Plugins: loaded by name, a broken one set aside and told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from sandbook.api import Settings
from sandbook.errors import NotInstalled, SandbookError, UsageError
from sandbook.registry import Plugin, Registry

PROVIDER = """
    from sandbook.api import API_VERSION, Capabilities, ProviderInfo, hookimpl

    def capabilities(settings):
        return Capabilities(native=frozenset({{"exec"}}), isolation="none")

    @hookimpl
    def sandbook_provider():
        return ProviderInfo(
            name={name!r}, api_version={version}, summary="", settings_schema={{}},
            factory={factory!r}, credentials=(), capabilities=capabilities,
        )
"""

Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a module that can be imported, and give its name."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def make(name: str, text: str) -> str:
        unique = f"{name}_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{unique}.py").write_text(dedent(text))
        return unique

    return make


def _provider(name: str, *, version: str = "API_VERSION", factory: str = "x:Y") -> str:
    return PROVIDER.format(name=name, version=version, factory=factory)


def _registry(
    *providers: Plugin, hooks: tuple[Plugin, ...] = (), strict: bool = False
) -> Registry:
    return Registry(providers=providers, hooks=hooks, strict=strict)


def test_listing_providers_loads_none_of_them(write: Write) -> None:
    target = write("loud", "raise AssertionError('it was loaded')")
    registry = _registry(Plugin(name="loud", target=target))
    assert registry.provider_names == ("loud",)
    assert target not in sys.modules


def test_a_provider_that_fails_to_import_is_told_and_the_others_work(
    write: Write,
) -> None:
    bad = Plugin(name="bad", target=write("bad", "import nothing_of_this_name"))
    good = Plugin(name="good", target=write("good", _provider("good")))
    registry = _registry(bad, good)
    with pytest.raises(NotInstalled, match="nothing_of_this_name"):
        registry.provider_info("bad")
    assert registry.provider_info("good").name == "good"
    assert "nothing_of_this_name" in str(registry.problems[0])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def sandbook_provider(): return 3", "gave int, not ProviderInfo"),
        ("x = 1", "has no attribute 'sandbook_provider'"),
        (_provider("other"), "calls itself 'other'"),
        (_provider("odd", version="99"), "speaks version 99 of the contract"),
        ("raise SystemError('boom')", "boom"),
    ],
    ids=["wrong type", "no hook", "wrong name", "newer contract", "raises"],
)
def test_a_provider_that_says_something_wrong_is_set_aside(
    write: Write, text: str, reason: str
) -> None:
    registry = _registry(Plugin(name="odd", target=write("odd", text)))
    with pytest.raises(NotInstalled):
        registry.provider_info("odd")
    assert reason in registry.problems[0].reason


def test_strict_loading_raises_what_is_otherwise_told(write: Write) -> None:
    registry = _registry(Plugin(name="bad", target=write("bad", "1 / 0")), strict=True)
    with pytest.raises(SandbookError, match="ZeroDivisionError") as caught:
        registry.provider_info("bad")
    assert caught.value.exit_code == 70


def test_an_unknown_provider_is_answered_with_the_nearest_name() -> None:
    registry = _registry(Plugin(name="daytona", target="x"))
    with pytest.raises(UsageError, match="'daytonna'") as caught:
        registry.provider_info("daytonna")
    assert "did you mean 'daytona'?" in caught.value.remedy


def test_a_missing_factory_tells_how_to_install_it(write: Write) -> None:
    text = _provider("far", factory="no_such_package:Far")
    registry = _registry(Plugin(name="far", target=write("far", text)))
    from tests.runner.conftest import settings_in

    with pytest.raises(NotInstalled, match="no_such_package"):
        registry.make_provider("far", settings_in(Path("/nonexistent")))


def test_two_distributions_may_not_use_one_name() -> None:
    one = Plugin(name="e2b", target="a", distribution="alpha")
    two = Plugin(name="e2b", target="b", distribution="beta")
    with pytest.raises(UsageError, match=r"alpha.*beta"):
        _registry(one, two)


def test_a_hook_that_does_not_exist_disables_its_plugin_only(write: Write) -> None:
    text = """
        from sandbook.api import hookimpl

        @hookimpl
        def sandbook_no_such_hook(): ...
    """
    hooks = (
        Plugin(name="odd", target=write("odd", text)),
        Plugin(name="verbs", target="sandbook.verbs"),
    )
    registry = _registry(hooks=hooks)
    assert "command" in registry.verbs()
    assert "sandbook_no_such_hook" in registry.problems[0].reason


def test_verbs_of_a_third_party_stand_beside_the_built_in_ones(write: Write) -> None:
    text = """
        from sandbook.api import Outcome, VerbSpec, hookimpl

        class Greet:
            spec = VerbSpec(
                name="greet", summary="", value={"type": "string", "x-kind": "text"}
            )

            def requires(self, args):
                return frozenset()

            async def run(self, step):
                step.note(f"hello {step.args['greet']}")
                return Outcome()

        @hookimpl
        def sandbook_verbs():
            return [Greet()]
    """
    hooks = (
        Plugin(name="verbs", target="sandbook.verbs"),
        Plugin(name="greet", target=write("greet", text)),
    )
    assert {"greet", "command"} <= set(_registry(hooks=hooks).verbs())


def test_two_plugins_may_not_offer_the_same_verb(write: Write) -> None:
    text = """
        from sandbook.api import hookimpl
        from sandbook.verbs.command import Command

        @hookimpl
        def sandbook_verbs():
            return [Command()]
    """
    hooks = (
        Plugin(name="verbs", target="sandbook.verbs"),
        Plugin(name="mine", target=write("mine", text)),
    )
    with pytest.raises(UsageError, match="two plugins offer the verb 'command'"):
        _registry(hooks=hooks).verbs()


def test_a_plugin_whose_verbs_raise_is_set_aside(write: Write) -> None:
    text = """
        from sandbook.api import hookimpl

        @hookimpl
        def sandbook_verbs():
            raise KeyError("mine")
    """
    hooks = (
        Plugin(name="mine", target=write("mine", text)),
        Plugin(name="verbs", target="sandbook.verbs"),
    )
    registry = _registry(hooks=hooks)
    assert "command" in registry.verbs()
    assert "KeyError" in registry.problems[0].reason


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A distribution "acme" with one provider and one hook plugin, both broken."""
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[sandbook.providers]\nacme = acme_provider\n"
        "[sandbook]\nacme-hooks = acme_hooks\n"
    )
    (tmp_path / "acme_provider.py").write_text("raise RuntimeError('acme is broken')\n")
    (tmp_path / "acme_hooks.py").write_text("raise RuntimeError('hooks are broken')\n")
    return tmp_path


ASK = """
import json, os
from sandbook.registry import Registry
registry = Registry.from_environment(os.environ)
verbs = sorted(registry.verbs())
print(json.dumps([registry.provider_names, verbs, [str(p) for p in registry.problems]]))
"""


def _ask(path: Path, **variables: str) -> tuple[list[str], list[str], list[str]]:
    import os

    environ = {**os.environ, "PYTHONPATH": str(path), **variables}
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        check=False,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    names, verbs, problems = json.loads(done.stdout)
    return names, verbs, problems


def test_installed_plugins_are_found_by_their_entry_points(installed: Path) -> None:
    names, verbs, problems = _ask(installed)
    assert {"acme", "local"} <= set(names)
    assert "command" in verbs
    assert "hooks are broken" in problems[0]


def test_disabled_plugins_are_not_even_loaded(installed: Path) -> None:
    names, _, problems = _ask(installed, SANDBOOK_DISABLE_PLUGINS="acme")
    assert "acme" not in names
    assert problems == []


def test_an_allow_list_leaves_our_own_plugins_in(installed: Path) -> None:
    names, verbs, problems = _ask(installed, SANDBOOK_LOAD_PLUGINS="something-else")
    assert "acme" not in names
    assert "local" in names
    assert "command" in verbs
    assert problems == []


def test_a_setting_nobody_knows_is_refused_by_its_name(tmp_path: Path) -> None:
    registry = _registry(Plugin(name="local", target="sandbook_local"))
    settings = Settings(
        state=tmp_path, cache=tmp_path, values={"alow_host_network": True}
    )
    with pytest.raises(
        UsageError, match="'alow_host_network' was unexpected"
    ) as caught:
        registry.make_provider("local", settings)
    assert "allow_host_network" in caught.value.remedy
