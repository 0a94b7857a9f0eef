"""Find in a text what an author wrote: by a pattern, or the line most like it.

A search takes no longer than 5 s. Python cannot be interrupted while it searches: what
can only be quick is searched here, anything else in a process of its own, which the
system ends in time.
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
import warnings
from dataclasses import dataclass
from typing import Final

from anyio import to_thread

from sandbook.errors import SandbookError, UsageError

LIMIT_S: Final = 5
_START_S: Final = 30
"""Seconds a busy computer may take to start the process; its own limit is `LIMIT_S`."""

_QUICK: Final = 1_000_000
"""Steps of a search that takes less time than the start of a process."""

_ASIDE: Final = f"""
import json, re, signal, sys
pattern, text = json.loads(sys.stdin.buffer.read())
signal.setitimer(signal.ITIMER_REAL, {LIMIT_S})
match = re.search(pattern, text, re.MULTILINE)
print(json.dumps(match and [*match.span(), *match.span(1 if match.re.groups else 0)]))
"""
_LINES: Final = 2000
_WIDEST: Final = 500
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_CLASS: Final = re.compile(r"\[\^?\]?[^\]]*\]")
_GROUP_REPEATED: Final = re.compile(r"\)[*+?{]")
_CROSSES_LINES: Final = re.compile(
    r"\[\^|\\[^SdwbB.\-()\[\]{}/+*?|$^\\]|\(\?|[\x00-\x1f]"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A match: all of it, and its first group (all of it where there is none)."""

    text: str
    first: str


class PatternTooSlow(SandbookError):  # noqa: N818 - it names what happened
    """A search was given up after `LIMIT_S` seconds."""

    exit_code = 1


async def search(pattern: str, text: str) -> Found | None:
    """The first match; `^` and `$` are ends of a line.

    Raises:
        UsageError: It is no regular expression.
        PatternTooSlow: It was still searching after `LIMIT_S` seconds.
    """
    try:
        with warnings.catch_warnings():
            # What a later Python may read otherwise is nothing to tell an author.
            warnings.simplefilter("ignore")
            compiled = re.compile(pattern, re.MULTILINE)
    except (re.error, RecursionError, OverflowError) as error:
        raise UsageError(
            f"{pattern!r} is no regular expression: {error}",
            remedy="characters with a meaning are written with a backslash, as \\( \\.",
        ) from error
    if is_quick(pattern, text):
        match = compiled.search(text)
        return Found(match[0], _first(match)) if match else None
    return await to_thread.run_sync(_aside, pattern, text, abandon_on_cancel=True)


def _first(match: re.Match[str]) -> str:
    return (match[1] or "") if match.re.groups else match[0]


def is_quick(pattern: str, text: str) -> bool:
    """Whether the steps of the search, at their worst, are few.

    Each repeat may try every length of the text (of the longest line, where it
    cannot pass a line end), each optional part or choice doubles the ways.
    """
    bare = _CLASS.sub("c", _ESCAPED.sub("e", pattern))
    if _GROUP_REPEATED.search(bare):
        return False
    repeats = sum(bare.count(char) for char in "*+{")
    doubled = bare.count("?") + bare.count("|")
    if repeats + doubled == 0:
        return len(text) <= _QUICK
    if _CROSSES_LINES.search(pattern):
        longest = len(text)
    else:
        longest = max(map(len, text.split("\n")))
    steps: int = (len(text) + 1) * (longest + 1) ** repeats << doubled
    return steps <= _QUICK


def _aside(pattern: str, text: str) -> Found | None:
    try:
        done = subprocess.run(  # noqa: S603 - our own program; the pattern is its input
            [sys.executable, "-I", "-S", "-c", _ASIDE],
            input=json.dumps([pattern, text]).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=LIMIT_S + _START_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _too_slow(pattern) from error
    if done.returncode != 0:
        raise _too_slow(pattern)
    spans: list[int] | None = json.loads(done.stdout)
    if spans is None:
        return None
    # A group that took no part in the match has the span (-1, -1).
    first = text[spans[2] : spans[3]] if spans[2] >= 0 else ""
    return Found(text[spans[0] : spans[1]], first)


def _too_slow(pattern: str) -> PatternTooSlow:
    return PatternTooSlow(
        f"the pattern {pattern!r} was still searching after {LIMIT_S} s",
        remedy="repeat nothing that repeats itself: (a+)+ is a+, (.*,)* is .*",
    )


def nearest_line(text: str, wanted: str) -> str:
    """The line most like the one that was wanted; empty when none is near."""
    lines = [line for line in text.splitlines()[-_LINES:] if len(line) <= _WIDEST]
    if len(lines) < 2 or len(wanted) > _WIDEST:  # noqa: PLR2004 - one line is shown anyway
        return ""
    # Quick ratios first: a whole comparison of thousands of lines takes seconds.
    matcher = difflib.SequenceMatcher(b=wanted, autojunk=False)
    best, score = "", 0.5
    for line in lines:
        matcher.set_seq1(line)
        if matcher.real_quick_ratio() > score and matcher.quick_ratio() > score:
            ratio = matcher.ratio()
            best, score = (line, ratio) if ratio > score else (best, score)
    return best
