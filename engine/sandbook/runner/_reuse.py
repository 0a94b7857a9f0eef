"""`create: {reuse: …}`: the newest live sandbox with the same metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sandbook.api import Arguments, Provider, SandboxInfo
from sandbook.chain import Candidate
from sandbook.errors import ProviderUnavailable, SandboxGone
from sandbook.installation import Installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A sandbox that fits, and who has it."""

    provider: Provider
    info: SandboxInfo


def wanted(options: Arguments) -> Mapping[str, str]:
    """The metadata to look for; empty = nothing is to be reused."""
    value = options.get("reuse")
    return {k: str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


async def find_newest(
    installation: Installation,
    candidates: Iterable[Candidate],
    metadata: Mapping[str, str],
) -> Found | None:
    """Ask the candidates; one that cannot answer now has nothing to reuse."""
    newest: Found | None = None
    for candidate in candidates:
        provider = installation.provider(candidate.name)
        for info in await _listed(provider, installation.id):
            if info.state not in ("running", "paused"):
                continue
            fits = metadata.items() <= info.metadata.items()
            if fits and (newest is None or _age(info) > _age(newest.info)):
                newest = Found(provider=provider, info=info)
    return newest


def refuse_missing(options: Arguments, metadata: Mapping[str, str]) -> None:
    """Raise `SandboxGone` where `if_missing: fail` is written."""
    if options.get("if_missing") != "fail":
        return
    told = ", ".join(f"{key}: {value}" for key, value in metadata.items())
    raise SandboxGone(
        f"no live sandbox has the metadata {{{told}}}",
        provider="",
        operation="attach",
        remedy="leave `if_missing` out to make one",
    )


async def _listed(provider: Provider, installation: str) -> list[SandboxInfo]:
    ours = {"sandbook.installation": installation}
    try:
        return [info async for info in provider.list(ours)]
    except ProviderUnavailable:
        return []


def _age(info: SandboxInfo) -> float:
    return info.ref.created_at.timestamp()
