"""Which packages a Python kernel is made of, found by what distributions declare.

To find them takes longer than to start an interpreter, so what was found is remembered
until something is installed or removed where it was looked for.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # It loads the parser of mail: only who looks through distributions pays for it.
    from importlib.metadata import Distribution, PathDistribution

ROOTS = ("ipykernel", "jupyter-client")

_FILE = "local-kernel.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNUSED = ("debugpy",)
"""Of the kernel's packages those that nobody here asks for; a third of its memory."""


class Missing(Exception):  # noqa: N818 (becomes a refusal)
    """A package that a kernel needs is not there; its name is the argument."""


def known_entries(path: Sequence[str], cache: Path) -> Mapping[str, str]:
    """As `entries`, if need be from `cache`; nothing where one is missing."""
    mark = _mark(path)
    with suppress(OSError, ValueError, LookupError, TypeError):
        remembered: Any = json.loads((cache / _FILE).read_bytes())
        if remembered["mark"] == mark:
            return dict(remembered["entries"])
    try:
        found = entries(path)
    except Missing:
        return {}
    with suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"mark": mark, "entries": found})
        (cache / _FILE).write_text(text, encoding="utf-8")
    return found


def _mark(path: Sequence[str]) -> list[list[object]]:
    """What the answer depends on: to install or remove anything changes its folder."""
    places = [place for place in map(Path, (*path, __file__)) if place.exists()]
    return [[str(place), place.stat().st_mtime_ns] for place in places]


def is_installed(path: Sequence[str]) -> bool:
    """Whether a kernel can be made of what is in these folders; nothing is read."""
    found: set[str] = set()
    for place in path:
        with suppress(OSError):
            names = os.listdir(place)  # noqa: PTH208 (an object for each takes time)
            found |= {_plain(n.partition("-")[0]) for n in names if n.endswith("-info")}
    return found.issuperset(ROOTS)


def find(name: str, path: Sequence[str]) -> PathDistribution | None:
    """The distribution of this name in one of these folders; nothing is read."""
    from importlib.metadata import DistributionFinder, MetadataPathFinder

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


def requirements(dist: Distribution) -> list[str]:
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


def _tops(dist: Distribution) -> Iterator[str]:
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
