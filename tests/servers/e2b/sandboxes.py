"""The sandboxes of the E2B server: what the service knows of a machine."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tests.servers.core.machines import Machine

ENVD_VERSION = "0.6.13"
CPUS = 2
MEMORY_MB = 1024
DISK_MB = 1024
LETTERS = string.ascii_lowercase + string.digits

State = Literal["running", "paused"]


@dataclass(slots=True, kw_only=True)
class E2BSandbox:
    """A sandbox as the control API tells of it.

    `template` is what it was made from; `base` the same, or what the sandbox behind
    that snapshot was made from.
    """

    id: str
    owner: str
    template: str
    base: str
    machine: Machine
    envs: dict[str, str]
    metadata: dict[str, str]
    started_at: datetime
    pause_mode: Literal["full", "filesystem"] | None = None
    on_timeout: Literal["kill", "pause"] = "kill"
    pauses_memory: bool = True
    auto_resume: bool = False
    allow_internet_access: bool | None = None
    network: dict[str, Any] = field(default_factory=dict[str, Any])
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    traffic_token: str | None = field(default=None, repr=False)
    default_kernels: dict[str, str] = field(default_factory=dict[str, str])
    file_metadata: dict[str, dict[str, str]] = field(
        default_factory=dict[str, dict[str, str]]
    )

    @property
    def state(self) -> State:
        """Whether it runs."""
        return "running" if self.pause_mode is None else "paused"

    @property
    def alias(self) -> str:
        """What its template is also called."""
        return self.template

    def is_private(self) -> bool:
        """Whether its ports want the traffic token."""
        return self.network.get("allowPublicTraffic") is False


def fresh_id() -> str:
    """An id as the service makes them."""
    return "i" + "".join(secrets.choice(LETTERS) for _ in range(19))


class Sandboxes:
    """Those that live or are paused, in the order of their start."""

    def __init__(self) -> None:
        self._found: dict[str, E2BSandbox] = {}
        self._by_key: dict[tuple[str, str], str] = {}
        self._ended: list[E2BSandbox] = []

    def add(self, sandbox: E2BSandbox) -> None:
        """Know it from now on."""
        self._found[sandbox.id] = sandbox

    def note(self, sandbox: E2BSandbox, *, key: str) -> None:
        """A request with this key made it."""
        self._by_key[sandbox.owner, key] = sandbox.id

    def remove(self, sandbox: E2BSandbox) -> None:
        """It is gone."""
        if self._found.pop(sandbox.id, None) is not None:
            self._ended.append(sandbox)

    def find(self, id: str, *, owner: str | None = None) -> E2BSandbox | None:
        """The one with this id, if it is this owner's."""
        found = self._found.get(id)
        if found is None or owner not in (None, found.owner):
            return None
        return found

    def made_by(self, owner: str, key: str) -> E2BSandbox | None:
        """The one that a request with this key made."""
        return self._found.get(self._by_key.get((owner, key), ""))

    def ever(self) -> list[E2BSandbox]:
        """Every one, and those that are gone."""
        return [*self._found.values(), *self._ended]

    def all(self) -> list[E2BSandbox]:
        """Every one."""
        return list(self._found.values())
