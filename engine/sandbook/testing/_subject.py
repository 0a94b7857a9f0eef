"""The provider under test, named so that a new process can make it again."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path

from sandbook.api import (
    JSON,
    Capabilities,
    Provider,
    ProviderInfo,
    SandboxSpec,
    Settings,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """The vendor's library, for the checks that look at how a provider uses it.

    `modules` are its import names. `errors` is the module whose exceptions must all
    be understood by `translate`, "package.module:function", which takes one and
    returns the contract's error.
    """

    modules: tuple[str, ...]
    errors: str | None = None
    translate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the kit must know of a provider that the provider cannot tell.

    `spec` is the sandbox the checks start from. `user` may run programs, `denied`
    is a path its user may not read (found by the kit where modes bind). `lifetime`
    is the shortest that can be asked for, seconds, and `late` how long after its
    end a sandbox may still be seen, `patience` how long what was ended may take to be
    gone. `page` is how many sandboxes fit a page of
    `list`, `creations` how many are made to see that each is ready at once.
    `wrong_credentials` are variables that the vendor refuses.
    """

    spec: SandboxSpec | None = None
    user: str = "nobody"
    denied: str | None = None
    lifetime: float = 3.0
    late: float = 30.0
    patience: float = 20.0
    page: int = 2
    creations: int = 20
    wrong_credentials: Mapping[str, str] | None = None
    sdk: Sdk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A provider by import path ("package.module:INFO"), its settings and options."""

    provider: str
    settings: Settings = field(repr=False)
    options: Options = Options()

    @property
    def info(self) -> ProviderInfo:
        """Its description."""
        found = resolve(self.provider)
        if not isinstance(found, ProviderInfo):
            raise TypeError(f"{self.provider!r} is {found!r}, not a ProviderInfo")
        return found

    @property
    def capabilities(self) -> Capabilities:
        """What it declares with these settings."""
        return self.info.capabilities(self.settings)

    def make(self) -> Provider:
        """The provider itself."""
        factory: Callable[[Settings], Provider] = resolve(self.info.factory)  # type: ignore[assignment]  # a class named by a string
        return factory(self.settings)

    def with_environ(self, environ: Mapping[str, str]) -> Subject:
        """The same with other variables."""
        return replace(self, settings=replace(self.settings, environ=dict(environ)))

    def to_json(self) -> dict[str, JSON]:
        """What a new process needs; options stay here."""
        return {"provider": self.provider, "settings": settings_to_json(self.settings)}


def resolve(path: str) -> object:
    """What "package.module:name.name" stands for."""
    module, _, names = path.partition(":")
    return attrgetter(names)(importlib.import_module(module))


def settings_to_json(settings: Settings) -> dict[str, JSON]:
    """Settings as a plain object."""
    return {
        "values": dict(settings.values),
        "environ": dict(settings.environ),
        "state": os.fspath(settings.state),
        "cache": os.fspath(settings.cache),
        "installation": settings.installation,
    }


def settings_from_json(data: Mapping[str, JSON]) -> Settings:
    """Read what `settings_to_json` wrote."""
    values, environ = data["values"], data["environ"]
    if not isinstance(values, Mapping) or not isinstance(environ, Mapping):
        raise TypeError(f"no settings: {data!r}")
    return Settings(
        values=values,
        environ={name: str(value) for name, value in environ.items()},
        state=Path(str(data["state"])),
        cache=Path(str(data["cache"])),
        installation=str(data["installation"]),
    )
