"""Which packages a Python kernel is made of, found by what distributions declare.

They are shown to the kernel alone, by a folder of links at the end of its path: what
the user installed comes first, and the user's own `python3` does not see them.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
from importlib.metadata import DistributionFinder, MetadataPathFinder, PathDistribution
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOTS = ("ipykernel", "jupyter-client")
PATH_FILE = "/run/sandbook/packages.txt"
"""Where a sandbox says in which folders the packages of its engine are."""

EXTRA_FOLDER = "/run/sandbook/packages"
"""Where it shows those that are nowhere below the system and the interpreter."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNUSED = ("debugpy",)
"""Of the kernel's packages those that nobody here asks for; a third of its memory."""


class Missing(Exception):  # noqa: N818 (becomes a refusal)
    """A package that a kernel needs is not there; its name is the argument."""


def find(name: str, path: Sequence[str]) -> PathDistribution | None:
    """The distribution of this name in one of these folders; nothing is read."""
    context = DistributionFinder.Context(name=name, path=list(path))
    return next(iter(MetadataPathFinder.find_distributions(context)), None)


def entries(path: Sequence[str]) -> dict[str, str]:
    """What a kernel's packages have at their top: name to path; raises `Missing`."""
    found: dict[str, str] = {}
    waiting: list[str] = list(ROOTS)
    known: set[str] = set(_UNUSED)
    while waiting:
        name = _plain(waiting.pop())
        if name in known:
            continue
        known.add(name)
        dist = find(name, path)
        if dist is None:
            if name in ROOTS:
                raise Missing(name)
            # Its marker may say that it is for other computers, and we read none.
            continue
        waiting += requirements(dist)
        folder = str(dist.locate_file(""))
        found |= {top: os.path.join(folder, top) for top in _tops(dist)}  # noqa: PTH118
    return found


def requirements(dist: importlib.metadata.Distribution) -> list[str]:
    """The names of what it needs, whatever markers but those of extras say."""
    text = dist.read_text("METADATA")
    if text is None:
        lines = dist.requires or []
    else:
        # The parser of the standard library reads the whole description, too.
        head = text.partition("\n\n")[0].splitlines()
        lines = [line[14:] for line in head if line.startswith("Requires-Dist:")]
    wanted = (line.strip() for line in lines if "extra ==" not in line)
    return [found[0] for line in wanted if (found := _NAME.match(line))]


def _tops(dist: importlib.metadata.Distribution) -> Iterator[str]:
    record = dist.read_text("RECORD")
    if record is None:
        named = dist.read_text("top_level.txt") or dist.name
        yield from named.split()
        return
    seen = {row.partition(",")[0].partition("/")[0] for row in record.splitlines()}
    for name in seen:
        is_ours = name and not name.startswith(("..", "__pycache__"))
        if is_ours and not name.endswith(".pth"):
            yield name


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def link(folder: Path) -> None:
    """Fill `folder` with links to the packages of a kernel."""
    path = Path(PATH_FILE).read_text(encoding="utf-8").splitlines()
    for name, target in entries([*path, EXTRA_FOLDER]).items():
        (folder / name).symlink_to(target)
