"""Names of files that came out of a sandbox hold no secrets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

Naming = Callable[[str], str]
"""Gives the name that may be shown for a name."""


def named(path: PurePosixPath | Path, naming: Naming) -> Path:
    """The path with each of its names as it may be shown."""
    return Path(*(part if part == "/" else naming(part) for part in path.parts))


def place(folder: Path, inside: PurePosixPath, naming: Naming) -> Path:
    """Where a file goes below `folder`; names that become equal are numbered."""
    path = folder / named(inside, naming)
    return path if path.name == inside.name else _free(path)


def below(folder: Path) -> frozenset[Path]:
    """Whatever is there."""
    return frozenset(_walk(folder))


def rename_new(folder: Path, before: frozenset[Path], naming: Naming) -> None:
    """Rename what was not there before and has a secret in its name.

    What was there is the person's own. Two names that become equal are numbered.
    """
    for path in _walk(folder):
        name = naming(path.name)
        if name != path.name and path not in before:
            path.rename(_free(path.with_name(name)))


def _walk(folder: Path) -> Iterator[Path]:
    """Each entry after what is in it; links are not followed."""
    for parent, folders, files in os.walk(folder, topdown=False):
        yield from (Path(parent, name) for name in (*files, *folders))


def _free(path: Path) -> Path:
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return free
