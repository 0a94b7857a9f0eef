"""How much one evaluation may do, however its expression and its data look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbook.api import JSON
from sandbook.expressions._json import check_size, is_list
from sandbook.expressions._values import ExpressionError

_MOST_WORK: Final = 2_000_000
_CHARACTERS: Final = 16
"""Characters of a text that take as long as one item of a list."""


class Work:
    """What one evaluation may still do, counted in items that are looked at."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MOST_WORK

    def spend(self, amount: int) -> None:
        """Count work; raises `ExpressionError` when there is too much of it."""
        self.left -= amount
        if self.left < 0:
            raise ExpressionError(
                "the expression is too much work",
                remedy="work on large values in a `command`, and save what is needed",
            )

    def look_at(self, value: JSON) -> None:
        """Count a value that is gone through, without what lies inside its items."""
        if isinstance(value, str):
            self.spend(1 + len(value) // _CHARACTERS)
        elif isinstance(value, Mapping) or is_list(value):
            self.spend(1 + len(value))

    def checked(self, value: JSON) -> JSON:
        """The value, unless it is over 1 MiB."""
        self.spend(1 + check_size(value) // _CHARACTERS)
        return value
