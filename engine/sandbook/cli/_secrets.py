"""Where the values of secrets come from, before anything starts.

`--secret-file` over `--env-file` over the environment over plugins; what is missing
then is asked for, where a person sits at the terminal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbook.cli._env_file import read_variables
from sandbook.cli._hiding import remember_secrets
from sandbook.cli._opening import Opened
from sandbook.cli._words import warn
from sandbook.errors import UsageError
from sandbook.problems import suggest
from sandbook.secrets import Source, find_secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSources:
    """What a call gives: files by name, variables, and who may be asked at last."""

    files: Mapping[str, str]
    environ: Mapping[str, str] = field(repr=False)
    ask: Source | None = None


def read_secrets(opened: Opened, sources: SecretSources) -> Mapping[str, str]:
    """The value of every secret of a runbook; from now on nothing prints one.

    Raises:
        UsageError: Names every secret that is missing or cannot be one.
    """
    if not opened.book.secrets:
        return {}
    values = find_secrets(opened.book.secrets, _in_order(opened, sources), remedy=_how)
    remember_secrets(values)
    return values


def refuse_strange(files: Mapping[str, str], names: Sequence[str]) -> None:
    """Raise `UsageError` for files of secrets that no runbook lists."""
    unknown = [name for name in files if name not in names]
    if unknown:
        wrong = (f"there is no secret {name!r}" for name in unknown)
        raise UsageError(
            f"--secret-file: {'; '.join(wrong)}",
            remedy="\n".join(suggest(name, names, kind="secrets") for name in unknown),
        )


def environ_with(path: Path | None) -> Mapping[str, str]:
    """The environment, and over it the variables of a file.

    A flag wins over what happens to be set, as everywhere.
    """
    if path is None:
        return dict(os.environ)
    return {**os.environ, **read_variables(_read(path, "--env-file"), path)}


def _how(name: str) -> str:
    return f"set the variable {name}, or give --secret-file {name}=PATH"


def _in_order(opened: Opened, sources: SecretSources) -> Sequence[Source]:
    asked = [] if sources.ask is None else [sources.ask]
    return (
        _of_files(sources.files),
        sources.environ.get,
        _of_plugins(opened),
        *asked,
    )


def _of_files(files: Mapping[str, str]) -> Source:
    def value(name: str) -> str | None:
        if name not in files:
            return None
        option = f"--secret-file {name}"
        # No shell replaces a `~` that stands behind `=`.
        given = files[name]
        path = Path.home() / given[2:] if given.startswith("~/") else Path(given)
        text = _read(path, option)
        if _is_open_to_others(path):
            told = f"warning: {option}: other users can read {str(path)!r}"
            warn(told, f"  chmod 600 {path}")
        # An editor ends the last line; no token ends so.
        return text.removesuffix("\n").removesuffix("\r")

    return value


def _of_plugins(opened: Opened) -> Source:
    registry = opened.installation.registry

    def value(name: str) -> str | None:
        known = len(registry.problems)
        found = registry.secret(name, file=str(opened.book.path))
        warn(*(f"warning: {problem}" for problem in registry.problems[known:]))
        return found

    return value


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(
            f"{option}: {str(path)!r} cannot be read: {reason}",
            remedy="give the path of a text file",
        ) from error
    except UnicodeDecodeError:
        # Without its cause: that one holds the bytes.
        raise UsageError(
            f"{option}: {str(path)!r} is not UTF-8 text", remedy="save it as UTF-8"
        ) from None


def _is_open_to_others(path: Path) -> bool:
    """Whether it is this user's own file and others may read it too."""
    if os.name != "posix":
        return False
    about = path.stat()
    is_ours = stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid()
    # Their group is often just this user; "others" is everybody.
    return is_ours and bool(about.st_mode & stat.S_IROTH)
