"""What may differ between the reports of one runbook at two providers: all else is one.

`PERMITTED` is the whole list; `plugins/README.md` shows it. What a program printed is
not in it: a runbook that prints the time has two reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from posixpath import basename
from typing import Literal

from sandbook.api import JSON

DIFFERS = "…"

Keeps = Literal[
    "nothing", "whether it is there", "the file's name", "all but the last part"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permitted:
    """Places of a report that may differ, why, and what of them is compared.

    A place is a path without the numbers of lists; `**.` begins one at any depth.
    """

    places: tuple[str, ...]
    why: str
    keeps: Keeps = "whether it is there"

    def fits(self, path: str) -> bool:
        """Whether this place is meant."""
        return any(_fits(place, path) for place in self.places)

    def kept(self, value: JSON) -> JSON:
        """What is compared."""
        if self.keeps == "the file's name" and isinstance(value, str):
            return basename(value)
        if self.keeps == "all but the last part" and isinstance(value, str):
            return value.rpartition("/")[0] or value
        if value is None and self.keeps != "nothing":
            return None
        return DIFFERS


PERMITTED = (
    Permitted(
        places=("run", "installation", "artifacts_folder"),
        why="each run has a name and a folder, each installation an id; where a text "
        "holds them, as in keys and names of files, these words stand in its place",
    ),
    Permitted(
        places=(
            "**.started_at",
            "**.ended_at",
            "**.expires_at",
            "**.seconds",
            "**.events[].time",
        ),
        why="time goes on",
    ),
    Permitted(
        places=(
            "chain[]",
            "floor",
            "attempts[].provider",
            "sandboxes[].provider",
            "sandboxes[].id",
            "sandboxes[].isolation",
            "sandboxes[].home",
            "**.results.provider",
            "**.results.id",
        ),
        why="another provider makes other sandboxes; where a text holds the id of one, "
        "these words stand in its place",
    ),
    Permitted(
        places=(
            "quota[].provider",
            "quota[].month_used",
            "quota[].month_limit",
        ),
        why="each provider has limits of its own, or none",
        keeps="nothing",
    ),
    Permitted(
        places=("**.results.pid",),
        why="a process id is the sandbox's affair",
    ),
    Permitted(
        places=("**.attached[]",),
        why="an interpreter is told from others by a part that is made up",
        keeps="all but the last part",
    ),
    Permitted(
        places=("**.results.path",),
        why="the working folder is where the provider has it",
        keeps="the file's name",
    ),
)


def normalise_report(report: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """A report as JSON in which only what may not differ is left."""
    names = _names(report)
    return {key: _normal(value, key, names) for key, value in report.items()}


def permitted_table() -> str:
    """The list for people, in Markdown."""
    lines = ["| what may differ | why | what is still compared |", "|---|---|---|"]
    for each in PERMITTED:
        places = ", ".join(f"`{place}`" for place in each.places)
        lines.append(f"| {places} | {each.why} | {each.keeps} |")
    return "\n".join(lines)


def _fits(place: str, path: str) -> bool:
    if place.startswith("**."):
        end = place.removeprefix("**.")
        return path == end or path.endswith(f".{end}")
    return path == place


def _names(report: Mapping[str, JSON]) -> Mapping[str, str]:
    """Texts that stand for something else in each run, the longest first."""
    found = {str(report.get("artifacts_folder")): "ARTIFACTS"}
    found[str(report.get("run"))] = "RUN"
    boxes = report.get("sandboxes")
    for box in boxes if isinstance(boxes, Sequence) else ():
        if isinstance(box, Mapping):
            found[str(box.get("id"))] = f"SANDBOX {box.get('name')}"
    found.pop("None", None)
    return {name: found[name] for name in sorted(found, key=len, reverse=True)}


def _normal(value: JSON, path: str, names: Mapping[str, str]) -> JSON:
    if isinstance(value, str):
        for name, word in names.items():
            value = value.replace(name, word)
    for each in PERMITTED:
        if each.fits(path):
            return each.kept(value)
    if isinstance(value, Mapping):
        return {k: _normal(v, f"{path}.{k}", names) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_normal(item, f"{path}[]", names) for item in value]
    return value
