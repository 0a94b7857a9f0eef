"""The local provider: sandboxes on this computer, made of Linux namespaces.

This module only describes it. What works with a sandbox is loaded on first use.
"""

from __future__ import annotations

import sys
from functools import cache
from types import MappingProxyType

from sandbook.api import Capabilities, ProviderInfo, Settings, hookimpl

_NATIVE = frozenset(
    {
        "exec",
        "exec.bytes",
        "exec.stdin",
        "exec.signal",
        "exec.attach",
        "files",
        "files.stream",
        "net.off",
        "net.egress",
        "net.allow",
        "ports",
        "pty",
        "pty.attach",
        "pty.replay",
        "attach",
        "labels",
        "lifetime",
        "lifetime.extend",
        "limits.pids",
        "limits.disk",
        "pause",
        "snapshot.files",
        "watch",
        "watch.recursive",
    }
)

_PYTHON = frozenset({"code.rich", "code.interrupt"})

_SETTINGS_SCHEMA = MappingProxyType(
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "allow_host_network": {
                "type": "boolean",
                "description": "let a runbook use this computer's own network",
            },
            "launcher": {
                "enum": ["namespaces", "bwrap"],
                "description": "make sandboxes in this way only; for tests, since the "
                "way that works is found without it",
            },
            "private_hosts": {
                "type": "array",
                "items": {"type": "string", "pattern": r"^[^*/\s]+$"},
                "description": "exact names of hosts in private networks that "
                "sandboxes with a network may reach",
            },
            "memory": {
                "type": "integer",
                "minimum": 16 << 20,
                "description": "bytes that a sandbox may take which asks for no limit; "
                "held by a watch, not by the kernel (half of this computer's)",
            },
            "uid_base": {
                "type": "integer",
                "minimum": 65536,
                "maximum": 4294836224,
                "description": "first of the 65536 uids that root gives to sandboxes",
            },
        },
    }
)


@cache
def _enforced() -> frozenset[str]:
    """Limits that need control groups, which are made for trial."""
    if sys.platform != "linux":
        return frozenset()
    # Not before it is asked: it loads what only sandboxes need.
    from sandbook_local.cgroups import enforceable

    return enforceable()


@cache
def _code() -> frozenset[str]:
    """The languages of code cells, by what is installed here."""
    if sys.platform != "linux":
        return frozenset()
    # As above.
    from sandbook_local.languages import languages

    found = frozenset(f"code.{language}" for language in languages())
    return found | _PYTHON if "code.python" in found else found


def _capabilities(_settings: Settings) -> Capabilities:
    native = _NATIVE | _enforced() | _code()
    return Capabilities(native=native, isolation="process")


INFO = ProviderInfo(
    name="local",
    api_version=1,
    summary="this computer, by Linux namespaces; shares its kernel",
    factory="sandbook_local.provider:LocalProvider",
    settings_schema=_SETTINGS_SCHEMA,
    credentials=(),
    capabilities=_capabilities,
)


@hookimpl
def sandbook_provider() -> ProviderInfo:
    """Describe the local provider."""
    return INFO
