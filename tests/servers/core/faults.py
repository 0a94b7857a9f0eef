"""Faults on demand: what is to go wrong, for which requests, and how often.

Here they are only kept and matched. What speaks a wire makes them real there: a reset
is a reset, and who is left without an answer waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Literal, cast, get_args

FaultKind = Literal[
    "status",  # answered with an error, nothing is done
    "reset",  # the connection is reset, nothing is done
    "black_hole",  # no answer at all, nothing is done
    "cut",  # the connection ends behind some bytes of the body
    "truncate",  # the body ends in due form behind some bytes of it
    "stall",  # it stays open behind some bytes of the body, and nothing follows
    "lost_reply",  # the work is done, the connection ends instead of the answer
    "end_machine",  # the sandbox dies behind some bytes of the body
]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    `method` and `path` are patterns with `*`. The first `skip` requests that fit are
    spared, the next `count` are hit, None = all. `after` is how many bytes of the body
    are let through, `status` and `headers` belong to "status", as does `message`.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "*"
    skip: int = 0
    count: int | None = 1
    after: int = 0
    status: int = 500
    message: str = "a fault was asked for"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def fits(self, method: str, path: str) -> bool:
        """Whether a request is meant."""
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path)


class UnknownFaultError(ValueError):
    """What was asked for is no fault."""


def fault_from(asked: Mapping[str, object]) -> Fault:
    """The fault that a JSON object describes; raises `UnknownFaultError`."""
    known = {f.name for f in fields(Fault)}
    unknown = sorted(asked.keys() - known)
    if unknown or asked.get("kind") not in KINDS:
        raise UnknownFaultError(f"no such fault: {unknown or asked.get('kind')!r}")
    return Fault(**cast("dict[str, str]", dict(asked)))  # type: ignore[arg-type]  # JSON


class FaultTable:
    """The faults that are armed."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._met: list[int] = []

    def arm(self, fault: Fault) -> None:
        """Let this go wrong from now on."""
        self._armed.append(fault)
        self._met.append(0)

    def clear(self) -> None:
        """Let all go well again."""
        self._armed.clear()
        self._met.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that hits this request, counted; the first that was armed."""
        for place, fault in enumerate(self._armed):
            if not fault.fits(method, path):
                continue
            self._met[place] += 1
            met = self._met[place] - fault.skip
            if met > 0 and (fault.count is None or met <= fault.count):
                return fault
        return None

    def unmet(self) -> list[Fault]:
        """Those that have hit nothing yet."""
        pairs = zip(self._armed, self._met, strict=True)
        return [fault for fault, met in pairs if met <= fault.skip]
