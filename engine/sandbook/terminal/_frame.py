"""A screen drawn with a frame around it, for people who were not there."""

from __future__ import annotations

from collections.abc import Sequence

from sandbook.terminal._width import width_of


def framed(rows: Sequence[str], *, cols: int, title: str) -> str:
    """The rows in a frame of `cols` columns; empty ones at the end are left out."""
    shown = list(rows)
    while len(shown) > 1 and not shown[-1].strip():
        shown.pop()
    head = f"┌─ {title} "
    top = head + "─" * max(1, cols + 3 - len(head)) + "┐"
    inner = len(top) - 4
    body = [f"│ {_fitted(row, inner)} │" for row in shown]
    return "\n".join([top, *body, "└" + "─" * (len(top) - 2) + "┘"])


def _fitted(text: str, cols: int) -> str:
    """The text in exactly so many columns."""
    kept, used = "", 0
    for char in text:
        width = width_of(char)
        if used + width > cols:
            break
        kept += char
        used += width
    return kept + " " * (cols - used)
