"""Decides which form of a result becomes a file, and how the file is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_SUFFIXES: Final[Mapping[str, str]] = {
    "application/pdf": ".pdf",
    "image/svg+xml": ".svg",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "audio/wav": ".wav",
    "audio/mpeg": ".mp3",
    "text/html": ".html",
    "text/latex": ".tex",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "application/javascript": ".js",
}
"""The richest first: a bundle says one thing in several forms."""

PLAIN: Final = "text/plain"
DATA: Final = "application/json"


def richest(data: Mapping[str, bytes], *, is_value: bool) -> str | None:
    """The type that is worth a file; None where the fields of the result say it all.

    The JSON form of the value of a cell is its field `json`.
    """
    known = [kind for kind in _SUFFIXES if kind in data]
    others = sorted(data.keys() - _SUFFIXES.keys() - {PLAIN, DATA})
    shown = [] if is_value else [DATA]
    return next(
        iter([*known, *others, *(kind for kind in shown if kind in data)]), None
    )


def suffix_of(kind: str) -> str:
    """What the name of a file of this type ends with."""
    if kind in _SUFFIXES:
        return _SUFFIXES[kind]
    if kind == DATA or kind.endswith("+json"):
        return ".json"
    if kind.endswith("+xml"):
        return ".xml"
    return ".txt" if kind.startswith("text/") else ".bin"
