"""What a new package is made of: files with the author's names in them.

The files stand in `provider/` as they will be, with `$name` and its like; they end in
`.txt` so that no tool takes them for code of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import PurePosixPath
from string import Template
from typing import TYPE_CHECKING

from sandbook._version import __version__
from sandbook.errors import UsageError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST = 40
_SUFFIX = ".txt"
_PACKAGE = "package"
"""The folder among the files that bears the package's name."""


def provider_files(name: str) -> Mapping[PurePosixPath, str]:
    """The text of each file of a package for provider `name`.

    Raises:
        UsageError: It is no name for a provider.
    """
    _refuse_bad(name)
    words = _words(name)
    found: dict[PurePosixPath, str] = {}
    for path, text in _templates(files(__name__) / "provider", PurePosixPath()):
        parts = (words["package"] if p == _PACKAGE else p for p in path.parts)
        found[PurePosixPath(*parts)] = Template(text).substitute(words)
    return found


def distribution_of(name: str) -> str:
    """What `pip` calls the package of a provider."""
    return f"sandbook-{name}"


def package_of(name: str) -> str:
    """What Python calls it."""
    return f"sandbook_{name.replace('-', '_')}"


def _words(name: str) -> Mapping[str, str]:
    return {
        "name": name,
        "package": package_of(name),
        "distribution": distribution_of(name),
        "title": "".join(part.capitalize() for part in name.split("-")),
        "variable": f"{name.replace('-', '_').upper()}_API_KEY",
        "version": __version__,
    }


def _refuse_bad(name: str) -> None:
    if _NAME.fullmatch(name) and len(name) <= _LONGEST:
        return
    raise UsageError(
        f"{name!r} is no name for a provider",
        remedy="write small letters and digits, beginning with a letter, with '-' "
        f"between words, at most {_LONGEST}: acme, acme-cloud",
    )


def _templates(
    folder: Traversable, at: PurePosixPath
) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, at / entry.name)
        elif entry.name.endswith(_SUFFIX):
            place = at / entry.name.removesuffix(_SUFFIX)
            yield place, entry.read_text(encoding="utf-8")
