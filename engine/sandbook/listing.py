"""What providers have: asked at once, and none of them is waited for too long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import anyio

from sandbook.api import SandboxInfo
from sandbook.errors import SandbookError
from sandbook.installation import Installation

ASK_S = 20.0
"""The longest that one provider may take to list its sandboxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Sandboxes that providers told of, newest first; `silent` = who did not, why."""

    infos: tuple[SandboxInfo, ...] = ()
    silent: tuple[tuple[str, str], ...] = ()


async def list_sandboxes(
    installation: Installation,
    name: str,
    labels: Mapping[str, str],
    *,
    within: float = ASK_S,
) -> list[SandboxInfo]:
    """What one provider has with these labels; every fault is a `SandbookError`."""
    try:
        provider = installation.provider(name)
        with anyio.fail_after(within):
            found = [info async for info in provider.list(labels)]
    except SandbookError:
        raise
    except TimeoutError as error:
        raise SandbookError(f"{name} did not answer within {within:g} s") from error
    except Exception as error:  # a plugin's code
        raise SandbookError(
            f"{name} failed: {type(error).__name__}: {error}"
        ) from error
    return [info for info in found if info.state != "ended"]


async def list_all(
    installation: Installation,
    names: Iterable[str],
    labels: Mapping[str, str],
    *,
    within: float = ASK_S,
) -> Found:
    """Ask these providers at once; each has `within` seconds."""
    infos: list[SandboxInfo] = []
    silent: list[tuple[str, str]] = []

    async def ask(name: str) -> None:
        try:
            infos.extend(
                await list_sandboxes(installation, name, labels, within=within)
            )
        except SandbookError as error:
            silent.append((name, str(error)))

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(ask, name)
    infos.sort(key=lambda info: info.ref.created_at, reverse=True)
    return Found(infos=tuple(infos), silent=tuple(sorted(silent)))
