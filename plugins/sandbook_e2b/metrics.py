"""What a sandbox uses, as E2B measures it from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from e2b import SandboxMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measurement; sizes are bytes, `cpu` is 1.0 when one processor is busy."""

    at: datetime
    cpus: int
    cpu: float
    memory_used: int
    memory: int
    disk_used: int
    disk: int


def newest(told: list[SandboxMetrics]) -> Measured | None:
    """The last one; None where nothing was measured yet."""
    if not told:
        return None
    last = max(told, key=lambda each: each.timestamp)
    return Measured(
        at=last.timestamp,
        cpus=last.cpu_count,
        cpu=last.cpu_used_pct * last.cpu_count / 100,
        memory_used=last.mem_used,
        memory=last.mem_total,
        disk_used=last.disk_used,
        disk=last.disk_total,
    )
