"""One sandbox of a run, and how it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sandbook.api import JSON, Provider, Sandbox, SandboxInfo
from sandbook.errors import SandbookError, TeardownFailed
from sandbook.runner._packages import Packages


class CannotStart(Exception):  # noqa: N818 (it carries the error; it is not one to show)
    """No sandbox could be made: the run ends with the exit code of `error`."""

    def __init__(self, error: SandbookError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(slots=True, kw_only=True)
class Live:
    """A sandbox in use; one that `stays` outlives the run."""

    name: str
    sandbox: Sandbox
    provider: Provider
    reservation: str
    lifetime: float
    env: Mapping[str, str]
    expires_at: datetime | None
    began: float
    packages: Packages = field(default_factory=Packages)
    reused: bool = False
    stays: bool = False
    ended: bool = False
    is_equipped: bool = False

    def as_json(self) -> dict[str, JSON]:
        """The value of `sandbox` in an expression, and the fields of `create`."""
        ref = self.sandbox.ref
        return {"name": self.name, "id": ref.id, "provider": ref.provider}

    def expiry(self) -> str:
        """When its life ends, for people."""
        until = self.expires_at
        return until.isoformat(timespec="seconds") if until else "an unknown time"


def facts(name: str, sandbox: Sandbox, info: SandboxInfo) -> dict[str, JSON]:
    """What its events hold."""
    return {
        "name": name,
        "ref": sandbox.ref.to_json(),
        "isolation": info.isolation,
        "expires_at": info.expires_at.isoformat() if info.expires_at else None,
        "home": sandbox.home,
    }


def not_destroyed(live: Live, error: SandbookError) -> TeardownFailed:
    """The error for one that could not be ended."""
    return TeardownFailed(
        f"sandbox {live.sandbox.ref.id} could not be ended ({error}); it lives until "
        f"{live.expiry()}",
        provider=live.sandbox.ref.provider,
        operation="destroy",
        ref=live.sandbox.ref,
        remedy=f"sandbook sandboxes kill {live.sandbox.ref.id}",
    )
