"""The lines of a script that a session becomes, before they are written as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LineName = Literal[
    "see", "enter", "type", "paste", "secret", "press", "wait_idle", "resize", "exit"
]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `value` is its text, for `secret` the secret's name, for `press` keys.

    `comment` is said above it.
    """

    name: LineName
    value: str | tuple[str, ...]
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a session was held in: a program in a terminal."""

    argv: tuple[str, ...]
    cols: int
    rows: int
    env: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A script, and the values of its secrets, which are stored nowhere."""

    lines: tuple[Line, ...]
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
