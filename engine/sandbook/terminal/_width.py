"""How many columns a character takes."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

RUNS: Final = re.compile(
    "([ -~\\u00a0-\\u00ac\\u00ae-\\u02ff\\u0370-\\u0482\\u048a-\\u058f\\u1e00-\\u1fff"
    "\\u2010-\\u2027\\u2030-\\u205e\\u2190-\\u2319\\u2500-\\u25fc]+)"
    "|([^ -~\\u00a0-\\u00ac\\u00ae-\\u02ff\\u0370-\\u0482\\u048a-\\u058f]+)",
)
"""Pieces of a text: characters of surely one column, and others."""

_JAMO_VOWELS = range(0x1160, 0x1200)
"""Drawn into the syllable before them, though they are no marks."""


@lru_cache(maxsize=8192)
def width_of(char: str) -> int:
    """2 for what East Asian terminals draw wide, 0 for what joins the one before."""
    if unicodedata.category(char) in ("Mn", "Me", "Cf") or ord(char) in _JAMO_VOWELS:
        return 0
    if unicodedata.category(char) == "Cn":
        # Not assigned yet: some versions of Python say that these are wide.
        return 1
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
