"""Which plugins there are, and which of them can be used.

A plugin is loaded when somebody needs it, by its name, and a broken one is set
aside and told, never allowed to end the program. pluggy's own loader is not used: it
imports every plugin at once, and one that fails to import ends the caller.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import pluggy

from sandbook.api import (
    API_VERSION,
    Hooks,
    Provider,
    ProviderInfo,
    Reporter,
    Settings,
    Verb,
)
from sandbook.distributions import EntryPoint, entry_points
from sandbook.errors import NotInstalled, SandbookError, UsageError

PROVIDER_GROUP = "sandbook.providers"
HOOK_GROUP = "sandbook"

_Offer = TypeVar("_Offer")
"""What a plugin adds: a verb, a reporter."""


class PluginError(SandbookError):
    """A plugin cannot be used, and strict loading was asked for."""

    exit_code = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginProblem:
    """A plugin that was set aside, and why."""

    plugin: str
    distribution: str
    target: str
    reason: str

    def __str__(self) -> str:
        """One line for a person."""
        origin = f" of {self.distribution}" if self.distribution else ""
        return f"plugin {self.plugin!r}{origin} ({self.target}): {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """An entry point: a name, the module behind it, and who ships it."""

    name: str
    target: str
    distribution: str = ""


class Registry:
    """Plugins by name. Make one with `from_environment`, or from a list in tests."""

    def __init__(
        self,
        *,
        providers: Iterable[Plugin],
        hooks: Iterable[Plugin],
        strict: bool = False,
    ) -> None:
        self.problems: list[PluginProblem] = []
        self._strict = strict
        self._providers = self._unique(providers)
        self._hook_plugins = self._unique(hooks)
        self._infos: dict[str, ProviderInfo] = {}
        self._hooks: pluggy.PluginManager | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Registry:
        """Every installed plugin that the SANDBOOK_*_PLUGINS variables allow."""
        found = entry_points((PROVIDER_GROUP, HOOK_GROUP))
        allowed = _Filter(environ)
        return cls(
            providers=allowed(_plugins(found, PROVIDER_GROUP)),
            hooks=allowed(_plugins(found, HOOK_GROUP)),
            strict=environ.get("SANDBOOK_STRICT_PLUGINS", "") not in ("", "0"),
        )

    @property
    def provider_names(self) -> tuple[str, ...]:
        """The providers there are, usable or not, without loading one."""
        return tuple(self._providers)

    def provider_info(self, name: str) -> ProviderInfo:
        """What a provider says of itself.

        Raises:
            UsageError: There is no such provider.
            NotInstalled: Its plugin is broken; the message says how.
        """
        if name in self._infos:
            return self._infos[name]
        if name not in self._providers:
            raise _unknown_provider(name, self._providers)
        info = self._load_info(self._providers[name])
        if info is None:
            raise NotInstalled(
                f"plugin {name!r} is broken: {self.problems[-1].reason}",
                provider=name,
                operation="load",
                sent="no",
                remedy="run `sandbook doctor`",
            )
        self._infos[name] = info
        return info

    def make_provider(self, name: str, settings: Settings) -> Provider:
        """Load a provider and make it; nothing is sent anywhere yet."""
        info = self.provider_info(name)
        _check_settings(info, settings)
        module_name, _, class_name = info.factory.partition(":")
        try:
            factory = getattr(importlib.import_module(module_name), class_name)
        except ImportError as error:
            raise NotInstalled(
                f"provider {name!r} cannot be loaded: {error}",
                provider=name,
                operation="load",
                sent="no",
                remedy=_install_command(info),
            ) from error
        return cast("Provider", factory(settings))

    def verbs(self) -> Mapping[str, Verb]:
        """Every verb by name; two of one name are refused, naming both plugins."""
        return self._offered("sandbook_verbs", "verb", lambda verb: verb.spec.name)

    def reporters(self) -> Mapping[str, Reporter]:
        """Every reporter by name; two of one name are refused likewise."""
        return self._offered(
            "sandbook_reporters", "reporter", lambda reporter: reporter.name
        )

    def _offered(
        self, hook: str, kind: str, name_of: Callable[[_Offer], str]
    ) -> dict[str, _Offer]:
        found: dict[str, _Offer] = {}
        for implementation in getattr(self.hooks.hook, hook).get_hookimpls():
            for name, offer in self._offers_of(implementation, name_of):
                if name in found:
                    raise UsageError(
                        f"two plugins offer the {kind} {name!r}, one of them "
                        f"is {implementation.plugin_name!r}",
                        remedy="name the one you do not want in "
                        "SANDBOOK_DISABLE_PLUGINS",
                    )
                found[name] = offer
        return found

    @property
    def hooks(self) -> pluggy.PluginManager:
        """The plugins that implement hooks, loaded on first use."""
        if self._hooks is None:
            self._hooks = pluggy.PluginManager("sandbook")
            self._hooks.add_hookspecs(Hooks)
            for plugin in self._hook_plugins.values():
                self._register(self._hooks, plugin)
        return self._hooks

    def secret(self, name: str, *, file: str) -> str | None:
        """The value of a secret, of the first plugin that has one.

        A plugin that fails is set aside, and `problems` tells it.
        """
        given = {"name": name, "file": file}
        found = self.hooks.hook.sandbook_secret.get_hookimpls()
        # pluggy asks the last one registered first.
        for implementation in reversed(found):
            value = self._secret_of(implementation, given)
            if value:
                return value
        return None

    def _secret_of(
        self, implementation: pluggy.HookImpl, given: Mapping[str, str]
    ) -> str | None:
        try:
            wanted = [given[each] for each in implementation.argnames]
            value: object = implementation.function(*wanted)
        except Exception as error:  # noqa: BLE001 (a third party's code)
            self._set_aside(self._plugin_of(implementation), error)
            return None
        if value is None or isinstance(value, str):
            return value
        # Never the value itself: it may be one.
        reason = f"sandbook_secret() gave {type(value).__name__}, not a text"
        self._set_aside(self._plugin_of(implementation), reason)
        return None

    def _plugin_of(self, implementation: pluggy.HookImpl) -> Plugin:
        unknown = Plugin(name="?", target="?")
        return self._hook_plugins.get(implementation.plugin_name, unknown)

    def _offers_of(
        self, implementation: pluggy.HookImpl, name_of: Callable[[_Offer], str]
    ) -> Sequence[tuple[str, _Offer]]:
        try:
            offers = cast("Sequence[_Offer]", implementation.function())
            return [(name_of(offer), offer) for offer in offers]
        except Exception as error:  # noqa: BLE001 (a third party's code)
            self._set_aside(self._plugin_of(implementation), error)
            return ()

    def _register(self, hooks: pluggy.PluginManager, plugin: Plugin) -> None:
        try:
            module = importlib.import_module(plugin.target)
            hooks.register(module, plugin.name)
            hooks.check_pending()
        except Exception as error:  # noqa: BLE001 (a third party's import)
            if hooks.has_plugin(plugin.name):
                hooks.unregister(name=plugin.name)
            self._set_aside(plugin, error)

    def _load_info(self, plugin: Plugin) -> ProviderInfo | None:
        try:
            module = importlib.import_module(plugin.target)
            info = module.sandbook_provider()
        except Exception as error:  # noqa: BLE001 (a third party's import)
            self._set_aside(plugin, error)
            return None
        reason = _refusal(plugin, info)
        if reason is None:
            return cast("ProviderInfo", info)
        self._set_aside(plugin, reason)
        return None

    def _set_aside(self, plugin: Plugin, reason: Exception | str) -> None:
        if isinstance(reason, Exception):
            words = f"{type(reason).__name__}: {reason}"
        else:
            words = reason
        problem = PluginProblem(
            plugin=plugin.name,
            distribution=plugin.distribution,
            target=plugin.target,
            reason=words,
        )
        self.problems.append(problem)
        if self._strict:
            cause = reason if isinstance(reason, Exception) else None
            raise PluginError(str(problem)) from cause

    def _unique(self, plugins: Iterable[Plugin]) -> dict[str, Plugin]:
        """By name; a name that two distributions use is refused for both."""
        unique: dict[str, Plugin] = {}
        for plugin in plugins:
            other = unique.setdefault(plugin.name, plugin)
            if other is plugin or other == plugin:
                continue
            raise UsageError(
                f"two plugins are named {plugin.name!r}: {other.target} of "
                f"{other.distribution} and {plugin.target} of {plugin.distribution}",
                remedy="uninstall one of them",
            )
        return unique


class _Filter:
    """What SANDBOOK_DISABLE_PLUGINS and SANDBOOK_LOAD_PLUGINS leave, before loading."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._disabled = _names(environ.get("SANDBOOK_DISABLE_PLUGINS", ""))
        self._only = _names(environ.get("SANDBOOK_LOAD_PLUGINS", ""))

    def __call__(self, plugins: Iterable[Plugin]) -> list[Plugin]:
        return [plugin for plugin in plugins if self._allows(plugin)]

    def _allows(self, plugin: Plugin) -> bool:
        names = {plugin.name, plugin.distribution, plugin.target}
        if names & self._disabled:
            return False
        # Without our own plugins nothing works: an allow list is about others'.
        ours = plugin.distribution == "sandbook"
        return not self._only or ours or bool(names & self._only)


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def _plugins(points: Iterable[EntryPoint], group: str) -> list[Plugin]:
    return [
        Plugin(name=point.name, target=point.value, distribution=point.distribution)
        for point in points
        if point.group == group
    ]


def _refusal(plugin: Plugin, info: object) -> str | None:
    if not isinstance(info, ProviderInfo):
        return f"sandbook_provider() gave {type(info).__name__}, not ProviderInfo"
    if info.name != plugin.name:
        return f"it calls itself {info.name!r}, its entry point is {plugin.name!r}"
    if info.api_version != API_VERSION:
        return (
            f"it speaks version {info.api_version} of the contract, this is version "
            f"{API_VERSION}: update {plugin.distribution or 'it'} or sandbook"
        )
    return None


def _check_settings(info: ProviderInfo, settings: Settings) -> None:
    if not settings.values:
        return
    # Few people have settings; the others need not pay 80 ms for the validator.
    from jsonschema import ValidationError, validate

    try:
        validate(dict(settings.values), dict(info.settings_schema))
    except ValidationError as error:
        known = cast("Mapping[str, object]", info.settings_schema.get("properties", {}))
        raise UsageError(
            f"settings of provider {info.name!r}: {error.message}",
            remedy=f"settings there: {', '.join(known) or 'none'}",
        ) from error


def _install_command(info: ProviderInfo) -> str:
    if info.extra is None:
        return "run `sandbook doctor`"
    return f'pip install "sandbook[{info.extra}]"'


def _unknown_provider(name: str, known: Iterable[str]) -> UsageError:
    # Only a wrong name needs it.
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return UsageError(
        f"there is no provider {name!r}",
        remedy=f"{guess}providers here: {', '.join(known)}",
    )
