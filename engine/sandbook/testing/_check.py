"""What a check is, and when it may be left out: only for a capability not declared."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from sandbook.api import Capabilities, Capability, Isolation, isolation_at_least

if TYPE_CHECKING:
    from sandbook.testing._kit import Kit

Body: TypeAlias = "Callable[[Kit], Awaitable[None]]"

LIMIT = 90.0
"""Seconds one check may take on a slow machine before it counts as stuck."""


class Skipped(Exception):  # noqa: N818 - it is no error
    """The check does not apply; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule of the contract.

    `number` is its place in the list of checks, `name` the rule as a sentence.
    `needs` are capabilities without which it is skipped, `without` those whose
    absence is the case it looks at, `isolation` the least level it applies to.
    `probe` marks a quick check that is tried even where it is not declared, to
    find what works without being said.
    """

    number: str
    name: str
    run: Body = field(repr=False)
    needs: frozenset[Capability] = frozenset()
    without: frozenset[Capability] = frozenset()
    isolation: Isolation = "none"
    limit: float = LIMIT
    stress: bool = False
    probe: bool = False

    @property
    def group(self) -> str:
        """The letter of what it is about."""
        return self.number[0]

    @property
    def id(self) -> str:
        """How it is called in tests and deviations, as `c31_a_program_that_…`."""
        return f"{self.number.lower()}_{self.name}"

    def lacking(self, have: Capabilities) -> tuple[str, ...]:
        """The declared capabilities it would need."""
        return tuple(sorted(self.needs - have.native - have.emulated))

    def pointless(self, have: Capabilities) -> str | None:
        """Why it does not apply to a provider that has everything it needs."""
        present = sorted(self.without & (have.native | have.emulated))
        if present:
            return f"it has {', '.join(present)}"
        if not isolation_at_least(have.isolation, self.isolation):
            return f"isolation {have.isolation} promises nothing here"
        return None


GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "A": "registration",
        "B": "life of a sandbox",
        "C": "commands",
        "D": "streams",
        "E": "endings",
        "F": "files",
        "G": "code",
        "H": "terminals",
        "I": "watches, ports, pauses, snapshots",
        "K": "keys",
        "L": "planted links",
        "W": "walls",
    }
)
"""What the checks of a letter are about."""

CHECKS: dict[str, Check] = {}
"""Every check by id."""


def in_order() -> list[Check]:
    """Every check, in the order of the list."""
    return sorted(CHECKS.values(), key=lambda one: place(one.number))


def place(number: str) -> tuple[str, int, str]:
    """Where a number stands in the list: H96 before H100, C31 before C31b."""
    suffix = number.lstrip(f"{number[0]}0123456789")
    return number[0], int(number[1 : len(number) - len(suffix)]), suffix


def check(  # noqa: PLR0913 - the fields of a check, all by keyword
    number: str,
    *,
    needs: Iterable[Capability] = (),
    without: Iterable[Capability] = (),
    isolation: Isolation = "none",
    limit: float = LIMIT,
    stress: bool = False,
    probe: bool = False,
) -> Callable[[Body], Body]:
    """Enter a function into the list under its own name."""
    if not re.fullmatch(r"[A-Z]\d{2,3}[a-z]?", number):
        raise ValueError(f"a check is numbered like C31 or B13b, not {number!r}")

    def enter(body: Body) -> Body:
        name = getattr(body, "__name__", "")
        made = Check(
            number=number,
            name=name,
            run=body,
            needs=frozenset(needs),
            without=frozenset(without),
            isolation=isolation,
            limit=limit,
            stress=stress,
            probe=probe,
        )
        if any(other.number == number for other in CHECKS.values()):
            raise ValueError(f"check {number!r} is there twice")
        if made.group not in GROUPS:
            raise ValueError(f"check {number!r} belongs to no group")
        CHECKS[made.id] = made
        return body

    return enter
