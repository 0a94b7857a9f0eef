"""An example for each code: what is wrong, and how it is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("explanations.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Two pieces of a runbook: steps, keys of the top, or a whole file.

    `wrong` is empty where the mistake cannot be shown.
    """

    wrong: str
    right: str

    def shown(self) -> tuple[tuple[str, str], ...]:
        """The pieces that there are, with what to call them."""
        pieces = (("wrong", self.wrong), ("right", self.right))
        return tuple((title, text) for title, text in pieces if text)


@cache
def examples() -> Mapping[str, Example]:
    """The examples by code, from the data file beside this module."""
    # Only `explain` reads them, and PyYAML costs 20 ms to import.
    import yaml

    found: dict[str, dict[str, str]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return {
        code: Example(wrong=pair.get("wrong", ""), right=pair["right"])
        for code, pair in found.items()
    }
