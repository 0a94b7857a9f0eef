"""`create: {reuse: …}`: the newest live sandbox with the same metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import anyio

from sandbook.api import Arguments, Provider, SandboxInfo
from sandbook.chain import Candidate
from sandbook.errors import ProviderUnavailable, SandboxGone
from sandbook.installation import Installation

ASK_S = 20.0
"""The longest that one provider may take to tell what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A sandbox that fits, and who has it."""

    provider: Provider
    info: SandboxInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a look at all candidates gave; `silent` did not answer, and why."""

    newest: Found | None
    silent: tuple[tuple[str, str], ...]

    def doubts(self) -> tuple[str, ...]:
        """Sentences on who may have had one that fits."""
        return tuple(
            f"{name} could not be asked for one to reuse: {why}"
            for name, why in self.silent
        )


def wanted(options: Arguments) -> Mapping[str, str]:
    """The metadata to look for; empty = nothing is to be reused."""
    value = options.get("reuse")
    return {k: str(v) for k, v in value.items()} if isinstance(value, Mapping) else {}


async def find_newest(
    installation: Installation,
    candidates: Iterable[Candidate],
    metadata: Mapping[str, str],
    *,
    within: float = ASK_S,
) -> Search:
    """Ask the candidates at once; one that cannot answer now has nothing to reuse."""
    fitting: list[Found] = []
    silent: dict[str, str] = {}

    async def ask(name: str) -> None:
        provider = installation.provider(name)
        try:
            with anyio.fail_after(within):
                infos = await _listed(provider, installation.id)
        except ProviderUnavailable as error:
            silent[name] = str(error)
            return
        except TimeoutError:
            silent[name] = f"no answer within {within:g} s"
            return
        fitting.extend(
            Found(provider=provider, info=info)
            for info in infos
            if info.state in ("running", "paused")
            and metadata.items() <= info.metadata.items()
        )

    async with anyio.create_task_group() as tasks:
        for candidate in candidates:
            tasks.start_soon(ask, candidate.name)
    newest = max(fitting, key=lambda found: _age(found.info), default=None)
    return Search(newest=newest, silent=tuple(sorted(silent.items())))


def refuse_missing(
    options: Arguments, metadata: Mapping[str, str], search: Search
) -> None:
    """Raise `SandboxGone` where `if_missing: fail` is written."""
    if options.get("if_missing") != "fail":
        return
    told = ", ".join(f"{key}: {value}" for key, value in metadata.items())
    raise SandboxGone(
        "; ".join((f"no live sandbox has the metadata {{{told}}}", *search.doubts())),
        provider="",
        operation="attach",
        remedy="leave `if_missing` out to make one",
    )


async def _listed(provider: Provider, installation: str) -> list[SandboxInfo]:
    ours = {"sandbook.installation": installation}
    return [info async for info in provider.list(ours)]


def _age(info: SandboxInfo) -> float:
    return info.ref.created_at.timestamp()
