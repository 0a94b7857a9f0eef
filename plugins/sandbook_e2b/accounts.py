"""Who we are at E2B: one account, or several by name, each with a key of its own.

Keys are in variables only; settings name these. What the environment says of a service
is meant for the account without a name: the key of another never goes there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sandbook.api import JSON, Settings
from sandbook.errors import NotConfigured, UsageError

KEY = "E2B_API_KEY"
TEMPLATE = "code-interpreter-v1"
_LIFETIME = "E2B_DEFAULT_TIMEOUT"
_LONGEST_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account; `variable` holds its key, `own` are its settings."""

    name: str | None
    variable: str
    own: Mapping[str, JSON]
    common: Mapping[str, JSON]
    environ: Mapping[str, str] = field(repr=False)

    @property
    def key(self) -> str | None:
        """Its key, where there is one."""
        return self.environ.get(self.variable) or None

    @property
    def template(self) -> str:
        """Of a sandbox that names none."""
        named = self.environ.get("E2B_DEFAULT_TEMPLATE")
        found = self.own.get("template") or named or self.common.get("template")
        return str(found or TEMPLATE)

    def service(self, setting: str) -> str | None:
        """Where the service is, by `domain`, `api_url` or `sandbox_url`."""
        told = self.own.get(setting)
        if told is None and self.name is None:
            told = self.environ.get(f"E2B_{setting.upper()}")
        return str(told or self.common.get(setting) or "") or None


def known(settings: Settings) -> Mapping[str | None, Account]:
    """Every account by name, the one without first."""
    common = settings.values
    found: dict[str | None, Mapping[str, JSON]] = {None: {}, **_named(settings)}
    return {
        name: Account(
            name=name,
            variable=_variable(name, own, common),
            own=own,
            common=common,
            environ=settings.environ,
        )
        for name, own in found.items()
    }


def _named(settings: Settings) -> dict[str | None, Mapping[str, JSON]]:
    written = settings.values.get("accounts")
    if not isinstance(written, Mapping):
        return {}
    return {name: own for name, own in written.items() if isinstance(own, Mapping)}


def _variable(
    name: str | None, own: Mapping[str, JSON], common: Mapping[str, JSON]
) -> str:
    told = own if name is not None else common
    return str(told.get("api_key_from") or KEY)


def chosen(settings: Settings) -> Account:
    """The account that makes sandboxes."""
    accounts, name = known(settings), settings.values.get("account")
    if name is None:
        return accounts[None]
    if isinstance(name, str) and name in accounts:
        return accounts[name]
    others = ", ".join(sorted(n for n in accounts if n is not None)) or "none yet"
    raise UsageError(
        f"e2b: there is no account {name!r}",
        remedy=f"write it under `accounts` of settings.e2b (there: {others})",
    )


def reached(settings: Settings) -> tuple[Account, ...]:
    """Those that have a key, the chosen one first."""
    first = chosen(settings)
    others = [one for one in known(settings).values() if one.name != first.name]
    return tuple(one for one in (first, *others) if one.key)


def owner(settings: Settings, name: str | None, *, operation: str) -> Account:
    """The account that a sandbox or a copy belongs to."""
    found = known(settings).get(name)
    if found is not None and found.key:
        return found
    variable = f"set {found.variable}" if found else "name it under `accounts` again"
    raise NotConfigured(
        f"it belongs to the account {name or 'without a name'}, which has no key here",
        provider="e2b",
        operation=operation,
        sent="no",
        remedy=variable,
    )


def credentials(settings: Settings) -> tuple[str, ...]:
    """The variables that must be set to make a sandbox."""
    return (chosen(settings).variable,)


def lifetime(settings: Settings) -> float | None:
    """Seconds of a sandbox that says no `timeout`; the variable holds milliseconds."""
    written = settings.environ.get(_LIFETIME)
    if not written:
        return None
    if not written.isdecimal() or not 0 < int(written) <= _LONGEST_MS:
        raise UsageError(
            f"{_LIFETIME} is {written!r}",
            remedy=f"give milliseconds, 1 to {_LONGEST_MS}, as 300000 for 5 minutes",
        )
    return int(written) / 1000
