"""What a command of this computer works with: state, plugins, preferences, ledger.

Opened once a process; whatever is not asked for is not loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbook.api import Provider, Settings, Verb
from sandbook.chain import Chain
from sandbook.ledger import Ledger, Limits, SqliteLedger, limits_for
from sandbook.registry import Registry
from sandbook.settings import FILE_NAME, Preferences, load_preferences
from sandbook.state import State

CLOSE_S = 5.0
"""The longest that the end of a command waits for one provider's clients."""


class Installation:
    """The parts, each made on first use; `async with` closes what was opened."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        project: Path,
        providers: tuple[str, ...] = (),
        overrides: Mapping[str, Mapping[str, object]] | None = None,
        allow_unisolated: bool = False,
    ) -> None:
        self.environ = environ
        self._project = project
        self._flag = providers
        self._overrides = overrides or {}
        self._allow_unisolated = allow_unisolated
        self._state: State | None = None
        self._registry: Registry | None = None
        self._preferences: Preferences | None = None
        self._ledger: SqliteLedger | None = None
        self._verbs: Mapping[str, Verb] | None = None
        self._providers: dict[str, Provider] = {}
        self.id = ""

    @property
    def state(self) -> State:
        """The state folder, made when it is missing."""
        if self._state is None:
            self._state = State.open(self.environ)
        return self._state

    @property
    def registry(self) -> Registry:
        """The plugins."""
        if self._registry is None:
            self._registry = Registry.from_environment(self.environ)
        return self._registry

    @property
    def verbs(self) -> Mapping[str, Verb]:
        """Every verb by name."""
        if self._verbs is None:
            self._verbs = self.registry.verbs()
        return self._verbs

    @property
    def preferences(self) -> Preferences:
        """The settings in force."""
        if self._preferences is None:
            self._preferences = load_preferences(
                environ=self.environ,
                project=self._project,
                user_file=_user_file(self.environ),
                providers=self._flag,
            )
        return self._preferences

    @property
    def chain(self) -> Chain:
        """Who may make sandboxes."""
        return Chain(
            self.registry,
            self.preferences,
            self.settings_of,
            allow_unisolated=self._allow_unisolated,
        )

    @property
    def ledger(self) -> Ledger:
        """The ledger; opening it raises `LedgerError` when it cannot be read."""
        if self._ledger is None:
            self._ledger = SqliteLedger.open(self.state.ledger, environ=self.environ)
        return self._ledger

    def settings_of(self, name: str) -> Settings:
        """What provider `name` is made with; `UsageError` where they are wrong."""
        values = {**self.preferences.of_provider(name), **self._overrides.get(name, {})}
        return Settings(
            values=values,  # type: ignore[arg-type]
            environ=self.environ,
            state=self.state.root,
            cache=self.state.cache,
            installation=self.id,
        )

    def provider(self, name: str) -> Provider:
        """The provider, made on first use and closed with the installation."""
        if name not in self._providers:
            made = self.registry.make_provider(name, self.settings_of(name))
            self._providers[name] = made
        return self._providers[name]

    def limits_of(self, name: str) -> Limits:
        """What may be used of a provider, as written now."""
        return limits_for(name, self.environ, self.preferences.quotas)

    async def __aenter__(self) -> Self:
        """Use it."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the clients of providers and the ledger."""
        # What only reads runbooks does not load it.
        import anyio

        for provider in self._providers.values():
            # A connection that cannot be closed must not keep a command from its end.
            with anyio.move_on_after(CLOSE_S):
                await provider.aclose()
        self._providers.clear()
        if self._ledger is not None:
            await self._ledger.aclose()
            self._ledger = None


def _user_file(environ: Mapping[str, str]) -> Path:
    chosen = environ.get("XDG_CONFIG_HOME")
    if chosen:
        return Path(chosen) / "sandbook" / FILE_NAME
    import platformdirs

    return platformdirs.user_config_path("sandbook") / FILE_NAME
