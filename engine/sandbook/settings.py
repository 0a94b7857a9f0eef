"""What this computer and this project prefer: chain, isolation, quotas, providers.

Flags win over the environment, the environment over the project's `sandbook.yaml`,
that over the user's. What a runbook says about itself is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from sandbook.api import ISOLATIONS, JSON, Isolation
from sandbook.errors import UsageError

DEFAULT_CHAIN = ("daytona", "runloop", "microsandbox", "e2b", "docker", "local")
FILE_NAME = "sandbook.yaml"
_KEYS = ("providers", "isolation", "quotas", "settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The settings in force; `chain_is_chosen` = somebody named the providers."""

    chain: tuple[str, ...] = DEFAULT_CHAIN
    chain_is_chosen: bool = False
    isolation: Isolation | None = None
    quotas: Mapping[str, Mapping[str, JSON]] = field(
        default_factory=dict[str, Mapping[str, JSON]]
    )
    providers: Mapping[str, Mapping[str, JSON]] = field(
        default_factory=dict[str, Mapping[str, JSON]]
    )

    def of_provider(self, name: str) -> Mapping[str, JSON]:
        """The provider's own settings."""
        return self.providers.get(name, {})


def load_preferences(
    *,
    environ: Mapping[str, str],
    project: Path,
    user_file: Path,
    providers: Sequence[str] = (),
) -> Preferences:
    """Merge the four sources; `providers` are the flag's.

    Raises:
        UsageError: A file is not what it should be; names the file and the key.
    """
    merged = {**_read(user_file), **_read(project / FILE_NAME)}
    chosen = _chain(environ, merged, providers)
    return Preferences(
        chain=chosen or DEFAULT_CHAIN,
        chain_is_chosen=bool(chosen),
        isolation=_isolation(merged.get("isolation")),
        quotas=_maps(merged.get("quotas"), "quotas"),
        providers=_maps(merged.get("settings"), "settings"),
    )


def _chain(
    environ: Mapping[str, str], merged: Mapping[str, JSON], flag: Sequence[str]
) -> tuple[str, ...]:
    if flag:
        return tuple(flag)
    written = environ.get("SANDBOOK_PROVIDERS", "")
    if written.strip():
        return tuple(name.strip() for name in written.split(",") if name.strip())
    listed = merged.get("providers")
    if listed is None:
        return ()
    # A text is a sequence of texts too, each of one letter.
    if isinstance(listed, list) and all(isinstance(name, str) for name in listed):
        return tuple(cast("list[str]", listed))
    raise UsageError(
        f"`providers` in {FILE_NAME} must be a list of names",
        remedy="write it as: providers: [e2b, local]",
    )


def _read(path: Path) -> dict[str, JSON]:
    if not path.is_file():
        return {}
    # Most computers have no settings file; they need not pay for a YAML parser here.
    import yaml

    try:
        data: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise UsageError(f"{path} must be a map", remedy=f"keys: {', '.join(_KEYS)}")
    known = cast("dict[str, JSON]", data)
    for key in known:
        if key not in _KEYS:
            raise UsageError(
                f"{path}: unknown key {key!r}", remedy=f"keys here: {', '.join(_KEYS)}"
            )
    return known


def _isolation(value: JSON) -> Isolation | None:
    if value is None:
        return None
    for level in ISOLATIONS:
        if value == level and level != "none":
            return level
    raise UsageError(
        f"`isolation` in {FILE_NAME} is {value!r}",
        remedy="use process, container or microvm",
    )


def _maps(value: JSON, key: str) -> Mapping[str, Mapping[str, JSON]]:
    if value is None:
        return {}
    if isinstance(value, Mapping) and all(
        isinstance(v, Mapping) for v in value.values()
    ):
        return cast("Mapping[str, Mapping[str, JSON]]", value)
    raise UsageError(f"`{key}` in {FILE_NAME} must hold a map for each provider")
