"""What is kept of a sandbox in E2B's metadata, which is all that a stranger finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sandbook.api import LABEL_PREFIX, SandboxInfo, SandboxRef, SandboxSpec

_OURS = "sandbook.e2b."
_CREATED = f"{_OURS}created"
_LONGEST = f"{_OURS}max_lifetime"
_LIFETIME = f"{_OURS}lifetime"
_ANYBODYS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A sandbox of ours."""

    ref: SandboxRef
    labels: Mapping[str, str]
    metadata: Mapping[str, str]
    lifetime: float
    max_lifetime: float

    @property
    def hard_end(self) -> datetime:
        """When it ends, whatever is done."""
        return self.ref.created_at + timedelta(seconds=self.max_lifetime)

    def life_from(self, now: datetime) -> float:
        """Seconds that it may live when it goes on now."""
        return min(self.lifetime, (self.hard_end - now).total_seconds())

    def info(self, *, state: str, end_at: datetime) -> SandboxInfo:
        """The sandbox as it is now."""
        return SandboxInfo(
            ref=self.ref,
            state="paused" if state == "paused" else "running",
            labels=self.labels,
            metadata=self.metadata,
            expires_at=end_at,
            isolation="microvm",
        )


def written(spec: SandboxSpec) -> dict[str, str]:
    """The metadata of a sandbox that is made now."""
    return {
        **spec.metadata,
        **spec.labels,
        _CREATED: datetime.now(UTC).isoformat(),
        _LIFETIME: f"{spec.lifetime:g}",
        _LONGEST: f"{spec.max_lifetime:g}",
    }


def read(
    metadata: Mapping[str, str], *, id: str, account: str | None, started_at: datetime
) -> Record:
    """Read it back; one that is not ours has what the service tells."""
    try:
        created_at = datetime.fromisoformat(metadata[_CREATED])
        lifetime = float(metadata[_LIFETIME])
        max_lifetime = float(metadata[_LONGEST])
    except (KeyError, ValueError):
        created_at, lifetime, max_lifetime = started_at, _ANYBODYS, 86_400.0
    known = {k: v for k, v in metadata.items() if not k.startswith(_OURS)}
    labels = {k: v for k, v in known.items() if k.startswith(LABEL_PREFIX)}
    ref = SandboxRef(provider="e2b", id=id, account=account, created_at=created_at)
    return Record(
        ref=ref,
        labels=labels,
        metadata={k: v for k, v in known.items() if k not in labels},
        lifetime=lifetime,
        max_lifetime=max_lifetime,
    )
