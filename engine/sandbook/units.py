"""How durations, sizes and terminal sizes are written, read and shown."""

from __future__ import annotations

import math
import re
from itertools import pairwise

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhd]))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_BYTES = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_SIZE = re.compile(r"(\d{1,20})(?:\.(\d{1,20}))?([A-Za-z]+)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
LARGEST_SCREEN = 1000
"""Columns or rows; a larger screen would only cost memory."""

_TERMINAL = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,3})", re.ASCII)
_LONGEST = 100 * 365 * 86_400.0
_LARGEST = 2**60


def parse_duration(text: str) -> float:
    """Read `500ms`, `30s`, `1h30m`, `1.5s` as seconds.

    Raises `ValueError` whose text says what is wrong and what to write.
    """
    if _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} has no unit: write {text}s or {text}m")
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: write it like 30s, 5m or 1h30m")
    parts = _DURATION_PART.findall(text)
    factors = [_SECONDS[unit] for _, unit in parts]
    if any(a <= b for a, b in pairwise(factors)):
        raise ValueError(f"{text!r} is out of order: write larger units first, once")
    seconds = math.fsum(float(number) * _SECONDS[unit] for number, unit in parts)
    if seconds > _LONGEST:
        raise ValueError(f"{text!r} is longer than 100 years")
    return round(seconds, 6)


def parse_size(text: str) -> int:
    """Read `512KB` (thousands) or `1.5GiB` (1024s) as bytes.

    Raises `ValueError` whose text says what is wrong and what to write.
    """
    if _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} has no unit: write {text}MB or {text}MiB")
    match = _SIZE.fullmatch(text)
    factor = _BYTES.get(match[3]) if match else None
    if match is None or factor is None:
        raise ValueError(f"{text!r} is not a size: write it like 512KB, 1.5GB or 1GiB")
    # In whole numbers: 1.001KB is 1001 bytes, and as a float it is not quite.
    decimals = match[2] or ""
    digits = int(match[1] + decimals) * factor
    size, rest = divmod(digits, int("1" + "0" * len(decimals)))
    if size > _LARGEST:
        raise ValueError(f"{text!r} is larger than any disk")
    if rest:
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return size


def parse_terminal_size(text: str) -> tuple[int, int]:
    """Read `100x30` as columns and rows; raises `ValueError` with words to show."""
    match = _TERMINAL.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a terminal size: write columns x rows, as 80x24"
        )
    return int(match[1]), int(match[2])


def parse_screen_size(text: str) -> tuple[int, int]:
    """The same, of a terminal that is kept in memory; raises `ValueError` as well."""
    cols, rows = parse_terminal_size(text)
    if max(cols, rows) > LARGEST_SCREEN:
        raise ValueError(
            f"{text!r} is too large: write at most {LARGEST_SCREEN} columns and rows"
        )
    return cols, rows


def format_duration(seconds: float) -> str:
    """Show seconds as a person would write them; `parse_duration` reads it back."""
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:  # noqa: PLR2004 - a second
        return f"{milliseconds}ms"
    if milliseconds < 60_000 or milliseconds % 1000:  # noqa: PLR2004 - a minute
        return _with_minutes(milliseconds)
    parts: list[str] = []
    rest = milliseconds // 1000
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(_SECONDS[unit]))
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts)


def _with_minutes(milliseconds: int) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    shown = f"{rest / 1000:g}s" if rest else ""
    return (format_duration(minutes * 60) if minutes else "") + shown


def format_size(size: int) -> str:
    """Show bytes in the largest unit that keeps the number short: `1.5GiB`."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size >= _BYTES[unit]:
            return f"{size / _BYTES[unit]:.1f}".removesuffix(".0") + unit
    return f"{size}B"
