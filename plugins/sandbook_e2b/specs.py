"""What of a wanted sandbox E2B keeps, and how it is told; the rest is refused."""

from __future__ import annotations

from typing import Any, NoReturn

from sandbook.api import SandboxSpec
from sandbook.errors import SpecRejected, Unsupported
from sandbook_e2b import INFO

_EVERYTHING = "0.0.0.0/0"


def refuse(spec: SandboxSpec) -> None:
    """Refuse what would not be kept."""
    for name in spec.options:
        _refuse_spec(f"E2B has no option {name!r}", remedy="leave it out")
    if spec.lifetime <= 0 or spec.max_lifetime <= 0:
        _refuse_spec("a sandbox must live for a while", remedy="raise `timeout`")
    if spec.idle_stop is not None:
        _refuse_what("end when they are idle", remedy="leave out the idle limit")
    limits = spec.resources
    written = (limits.cpus, limits.memory, limits.pids, limits.disk)
    if any(limit is not None for limit in written) and not limits.best_effort:
        remedy = "build a template of that size and name it"
        _refuse_what("be limited one by one", remedy=remedy)
    if spec.network == "host":
        remedy = "use `network: true`"
        _refuse_what("use this computer's network", remedy=remedy)


def network(spec: SandboxSpec) -> dict[str, Any]:
    """The arguments of the SDK that say where it may go."""
    if spec.network == "off":
        return {"allow_internet_access": False}
    if isinstance(spec.network, tuple):
        rules = {"allow_out": list(spec.network), "deny_out": [_EVERYTHING]}
        return {"network": rules}
    return {"allow_internet_access": True}


def _refuse_spec(message: str, *, remedy: str) -> NoReturn:
    raise SpecRejected(
        message, provider=INFO.name, operation="create", sent="no", remedy=remedy
    )


def _refuse_what(what: str, *, remedy: str) -> NoReturn:
    raise Unsupported(
        f"sandboxes of E2B cannot {what}",
        provider=INFO.name,
        operation="create",
        sent="no",
        remedy=remedy,
    )
