"""Which entry points the installed distributions declare.

`importlib.metadata` says the same, and is asked where packages lie in archives or come
from finders of their own. But it loads the parser of mail for it, and with that takes
a tenth of the time of a short run.
"""

# pathlib would make an object of each file that is installed
# ruff: noqa: PTH113, PTH118, PTH122, PTH123, PTH208

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from typing import NamedTuple

_SUFFIXES = (".dist-info", ".egg-info")


class EntryPoint(NamedTuple):
    """One line of a distribution's `entry_points.txt`."""

    group: str
    name: str
    value: str
    distribution: str


def entry_points(groups: Iterable[str]) -> list[EntryPoint]:
    """Those of these groups, in the order of the path."""
    wanted = frozenset(groups)
    if not _is_plain(sys.path):
        return list(_asked(wanted))
    return [
        EntryPoint(group, name, value, _name(folder))
        for folder in _folders(sys.path)
        for group, name, value in _declared(folder)
        if group in wanted
    ]


def _is_plain(path: Iterable[str]) -> bool:
    """Whether all of the path are folders that hold their packages as they are."""
    finders = [f for f in sys.meta_path if hasattr(f, "find_distributions")]
    return finders == [PathFinder] and not any(
        place.endswith(".egg") or os.path.isfile(place) for place in path
    )


def _folders(path: Iterable[str]) -> Iterator[str]:
    """Those with what distributions say of themselves; of two of a name the first."""
    known: set[str] = set()
    for place in path:
        try:
            names = os.listdir(place or ".")
        except OSError:
            continue
        for name in names:
            stem, suffix = os.path.splitext(name)
            plain = re.sub(r"[-_.]+", "_", stem.partition("-")[0]).lower()
            if suffix.lower() in _SUFFIXES and plain not in known:
                known.add(plain)
                yield os.path.join(place, name)


def _declared(folder: str) -> Iterator[tuple[str, str, str]]:
    group = ""
    for line in map(str.strip, _read(f"{folder}/entry_points.txt").splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1]
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield group, name.strip(), value.strip()


def _name(folder: str) -> str:
    """As it calls itself."""
    for file in ("METADATA", "PKG-INFO"):
        for line in _read(f"{folder}/{file}").splitlines():
            if line.startswith("Name:"):
                return line.removeprefix("Name:").strip()
            if not line:
                break
    return ""


def _read(file: str) -> str:
    try:
        with open(file, encoding="utf-8") as opened:
            return opened.read()
    except (OSError, UnicodeError):
        return ""


def _asked(groups: frozenset[str]) -> Iterator[EntryPoint]:
    # As above: it is dear.
    import importlib.metadata

    found = importlib.metadata.entry_points()
    for group in groups:
        for point in found.select(group=group):
            name = point.dist.name if point.dist else ""
            yield EntryPoint(group, point.name, point.value, name)
