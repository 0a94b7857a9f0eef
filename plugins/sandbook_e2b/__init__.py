"""The E2B provider: sandboxes with a kernel of their own, at E2B or a service like it.

This module only describes it. The SDK is loaded when the first sandbox is asked for.
"""

from __future__ import annotations

from types import MappingProxyType

from sandbook.api import Capabilities, ProviderInfo, Settings, hookimpl
from sandbook_e2b.accounts import KEY, credentials, lifetime

LONGEST = 86_400.0
"""Seconds that a sandbox may live, of the largest plan."""

_NATIVE = frozenset(
    {
        "net.off",
        "net.egress",
        "net.allow",
        "attach",
        "labels",
        "lifetime",
        "lifetime.extend",
        "files.stream",
        "ports",
        "code.r",
        "code.java",
        "code.typescript",
        "pause",
        "snapshot.files",
        "snapshot.memory",
    }
)

# E2B's own commands end at a login shell's word, lose what is printed while nobody
# listens, and leave children behind; its own watches tell changes of rights, tell a
# move as two things, and do not say when something was missed: our driver does it.
_EMULATED = frozenset(
    {
        "exec",
        "exec.bytes",
        "exec.stdin",
        "exec.signal",
        "exec.attach",
        "files",
        "pty",
        "pty.attach",
        "pty.replay",
        "code.python",
        "code.bash",
        "code.javascript",
        "code.rich",
        "code.interrupt",
        "watch",
        "watch.recursive",
    }
)

_URL = r"^https?://[^\s@]+$"
_DOMAIN = r"^[^\s/@:]+$"
_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"

_SETTINGS_SCHEMA = MappingProxyType(
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "template": {
                "type": "string",
                "minLength": 1,
                "description": "the template of a sandbox that names none; it needs "
                "python3 (E2B_DEFAULT_TEMPLATE, else code-interpreter-v1)",
            },
            "domain": {
                "type": "string",
                "pattern": _DOMAIN,
                "description": "the domain of a service that speaks E2B's protocol "
                "(E2B_DOMAIN, else e2b.app)",
            },
            "api_url": {
                "type": "string",
                "pattern": _URL,
                "description": "where sandboxes are made and found (E2B_API_URL, else "
                "https://api.DOMAIN)",
            },
            "sandbox_url": {
                "type": "string",
                "pattern": _URL,
                "description": "where all sandboxes are reached, told apart by headers "
                "(E2B_SANDBOX_URL, else a host for each)",
            },
            "api_key_from": {
                "type": "string",
                "pattern": _NAME,
                "description": "the variable that holds the key (E2B_API_KEY)",
            },
            "account": {
                "type": "string",
                "description": "which of `accounts` makes sandboxes; without it the "
                "one of E2B_API_KEY",
            },
            "accounts": {
                "type": "object",
                "description": "further accounts by name; what E2B_DOMAIN, E2B_API_URL "
                "and E2B_SANDBOX_URL say is not for them",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["api_key_from"],
                    "properties": {
                        "api_key_from": {"type": "string", "pattern": _NAME},
                        "template": {"type": "string", "minLength": 1},
                        "domain": {"type": "string", "pattern": _DOMAIN},
                        "api_url": {"type": "string", "pattern": _URL},
                        "sandbox_url": {"type": "string", "pattern": _URL},
                    },
                },
            },
            "request_timeout": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "seconds that one request may take (60)",
            },
        },
    }
)


def _capabilities(_settings: Settings) -> Capabilities:
    return Capabilities(
        native=_NATIVE,
        emulated=_EMULATED,
        isolation="microvm",
        max_lifetime=LONGEST,
    )


INFO = ProviderInfo(
    name="e2b",
    api_version=1,
    summary="E2B: a virtual machine for each sandbox",
    factory="sandbook_e2b.provider:E2BProvider",
    settings_schema=_SETTINGS_SCHEMA,
    credentials=(KEY,),
    capabilities=_capabilities,
    credentials_of=credentials,
    lifetime_of=lifetime,
)


@hookimpl
def sandbook_provider() -> ProviderInfo:
    """Describe the E2B provider."""
    return INFO
