"""How data is shown to people and to programs, the same in every command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from sandbook.api import JSON
from sandbook.cli._hiding import hidden

_GAP = "  "


def say(*lines: str) -> None:
    """Write lines to stdout; control characters of others' words are spelt out."""
    shown = ("".join(map(_shown, hidden(line))) for line in lines)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in shown))


def warn(*lines: str) -> None:
    """Write lines to stderr, after what stdout was told."""
    sys.stdout.flush()
    shown = ("".join(map(_shown, hidden(line))) for line in lines)
    sys.stderr.write("".join(f"{line.rstrip()}\n" for line in shown))
    sys.stderr.flush()


def say_json(plural: str, rows: Sequence[JSON], **more: JSON) -> None:
    """Write `{"v": 1, plural: rows}`."""
    say_object({"v": 1, plural: rows, **more})


def say_object(data: Mapping[str, JSON]) -> None:
    """Write one object; ASCII, so that it survives every terminal."""
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows below their headings, in columns."""
    every = [headings, *rows]
    widths = [max(len(row[column]) for row in every) for column in range(len(headings))]
    return [
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in every
    ]


def instant(at: datetime | None) -> str:
    """`2026-09-30 21:14Z`."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%MZ}"


def iso(at: datetime | None) -> str | None:
    """ISO 8601, for programs."""
    return None if at is None else at.isoformat()


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def _shown(char: str) -> str:
    return char if char.isprintable() or char == "\n" else ascii(char)[1:-1]
