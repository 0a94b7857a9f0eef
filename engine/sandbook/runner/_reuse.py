"""`create: {reuse: …}`: the newest live sandbox with the same metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sandbook.api import Arguments, SandboxInfo
from sandbook.chain import Candidate
from sandbook.errors import SandboxGone
from sandbook.installation import Installation
from sandbook.listing import Found, list_all


def wanted(options: Arguments) -> Mapping[str, str]:
    """The metadata to look for; empty = nothing is to be reused."""
    value = options.get("reuse")
    return {k: str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


async def find(
    installation: Installation,
    candidates: Iterable[Candidate],
    metadata: Mapping[str, str],
) -> Found:
    """What fits; a candidate that cannot answer now has nothing to reuse."""
    names = [candidate.name for candidate in candidates]
    ours = {"sandbook.installation": installation.id}
    found = await list_all(installation, names, ours)
    fitting = (info for info in found.infos if _fits(info, metadata))
    return Found(infos=tuple(fitting), silent=found.silent)


def doubts(found: Found) -> Iterator[str]:
    """Sentences on who may have had one that fits."""
    for name, why in found.silent:
        yield f"{name} could not be asked for one to reuse: {why}"


def refuse_missing(
    options: Arguments, metadata: Mapping[str, str], found: Found
) -> None:
    """Raise `SandboxGone` where `if_missing: fail` is written."""
    if options.get("if_missing") != "fail":
        return
    told = ", ".join(f"{key}: {value}" for key, value in metadata.items())
    raise SandboxGone(
        "; ".join((f"no live sandbox has the metadata {{{told}}}", *doubts(found))),
        provider="",
        operation="attach",
        remedy="leave `if_missing` out to make one",
    )


def _fits(info: SandboxInfo, metadata: Mapping[str, str]) -> bool:
    is_there = info.state in ("running", "paused")
    return is_there and metadata.items() <= info.metadata.items()
