"""The vocabulary of what a sandbox can do; requirements use the same words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from sandbook.api._base import Isolation, isolation_at_least

Capability: TypeAlias = str
"""A key of `CAPABILITIES`, or `code.` and the name of a language."""

Requirements: TypeAlias = tuple[frozenset[Capability], Isolation]
"""What a runbook needs, and the least isolation it accepts."""

CAPABILITIES: Mapping[Capability, str] = MappingProxyType(
    {
        "exec": "start a program, wait, exact exit code, stdout and stderr apart",
        "exec.bytes": "output exact to the byte",
        "exec.stdin": "stdin with end-of-file",
        "exec.signal": "INT and TERM besides KILL",
        "exec.user": "run as another user",
        "exec.attach": "find a command again by its key, output and exit code kept",
        "files": "read, write, stat, list, remove, rename",
        "files.stream": "files of 500 MB and more without holding them in memory",
        "net.off": "no outbound traffic, no DNS",
        "net.egress": "outbound traffic; the host and link-local are refused",
        "net.allow": "outbound traffic to named hosts only",
        "idle_stop": "ends after idle time",
        "code.rich": "results by MIME type",
        "code.interrupt": "a time-out keeps the interpreter's state",
        "pty": "terminal, resize, exit code",
        "pty.attach": "the same terminal from another process",
        "pty.replay": "at least 1 MiB of output while detached is kept",
        "watch": "file events; overflow is said",
        "watch.recursive": "file events of the folders below",
        "ports": "reach a port of the sandbox from here",
        "pause": "stop and go on later",
        "snapshot.files": "copy of the files to start others from",
        "snapshot.memory": "copy of the running programs too",
        "attach": "open a sandbox by its id",
        "labels": "find sandboxes by label",
        "lifetime": "ends by itself",
        "lifetime.extend": "the end of life can be moved",
        "limits.memory": "memory limit, enforced",
        "limits.cpus": "CPU share, enforced",
        "limits.pids": "process limit, enforced",
        "limits.disk": "disk limit, enforced",
    }
)


def is_capability(name: str) -> bool:
    """Whether `name` is a word of the contract."""
    return name in CAPABILITIES or (
        name.startswith("code.") and len(name) > len("code.")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one provider, with given settings, can do.

    `emulated` holds what our own driver does inside the sandbox; it is shown so.
    `max_lifetime` is in seconds, `max_file_bytes` in bytes; None = no limit known.
    """

    native: frozenset[Capability]
    emulated: frozenset[Capability] = frozenset()
    isolation: Isolation
    max_lifetime: float | None = None
    max_file_bytes: int | None = None

    def __post_init__(self) -> None:
        """Refuse words that the contract does not know, and a word said twice."""
        unknown = sorted(n for n in self.native | self.emulated if not is_capability(n))
        if unknown:
            raise ValueError(f"unknown capabilities: {', '.join(unknown)}")
        if self.native & self.emulated:
            raise ValueError("a capability is native or emulated, not both")

    def missing(self, need: Requirements) -> tuple[str, ...]:
        """What `need` asks for and this provider lacks, in words fit to show."""
        wanted, floor = need
        lacking = sorted(wanted - self.native - self.emulated)
        if not isolation_at_least(self.isolation, floor):
            lacking.append(f"isolation {floor} (it has {self.isolation})")
        return tuple(lacking)
