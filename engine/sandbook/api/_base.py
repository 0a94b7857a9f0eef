"""Values shared by every part of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias, get_args

JSON: TypeAlias = (
    "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"
)

Isolation = Literal["none", "process", "container", "microvm"]
"""How strong the wall around a sandbox is, weakest first."""

ISOLATIONS: tuple[Isolation, ...] = get_args(Isolation)


def isolation_at_least(level: Isolation, floor: Isolation) -> bool:
    """Whether `level` is `floor` or stronger."""
    return ISOLATIONS.index(level) >= ISOLATIONS.index(floor)
