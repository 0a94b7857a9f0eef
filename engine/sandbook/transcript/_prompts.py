"""What of a screen is worth waiting for, and how the secret is called that it asks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from sandbook.terminal import Screen

_LONGEST: Final = 80
_CHANGES: Final = re.compile(
    r"\d{1,2}:\d{2}(?::\d{2})?|\d{4}-\d{2}-\d{2}|\d{5,}|\b(?=\w*\d)[0-9a-f]{7,}\b"
    r"|/tmp/\S+|\b\d+(?:\.\d+)?(?:ms|s|%|[KMG]i?B)\b"
)
"""Times, dates, ids, temporary files, measures: another session shows others."""

_ASKS: Final = re.compile(
    r"pass(?:word|phrase|code)?|secret|token|\bpin\b|\bkey\b|credential|\botp\b",
    re.IGNORECASE,
)
_FILLER: Final = re.compile(
    r"(?:an?|and|the|your|my|our|for|of|to|in|on|at|please|enter|type|give|input|new"
    r"|old|current|again|retype|repeat|confirm|is|it)",
    re.IGNORECASE,
)


def asks_for_secret(text: str) -> bool:
    """Whether a prompt looks as if nobody should see the answer."""
    return _ASKS.search(text) is not None


def prompt_of(screen: Screen) -> str:
    """The last line, if the program drew it since something was typed.

    A line with an echo behind it was answered already, by somebody who typed ahead.
    """
    drawn = next((line.strip() for line in reversed(screen.seen()) if line.strip()), "")
    last = next((line.strip() for line in reversed(screen.lines()) if line.strip()), "")
    return drawn if last.endswith(drawn) else ""


def landmark_of(lines: Sequence[str], before: Sequence[str]) -> str:
    """The line of a full screen to know it by: new, in words, and without numbers.

    What has numbers counts something; what has no words is a border or a sign. Empty =
    there is none.
    """
    new = [line.strip() for line in lines if line not in before]
    worded = [line for line in new if len(re.findall(r"[^\W\d_]{3,}", line)) > 1]
    steady = [line for line in worded if not re.search(r"\d", line)]
    return max(steady, key=len, default="")


def lasting(line: str, changing: Iterable[str]) -> str:
    """The part of a line that another session will show, too; empty = none.

    `changing` are words of this sandbox alone, as its name.
    """
    words = "|".join(re.escape(word) for word in changing if word)
    pattern = f"{_CHANGES.pattern}|{words}" if words else _CHANGES.pattern
    parts = [part.strip() for part in re.split(pattern, line, flags=re.IGNORECASE)]
    # The end of a prompt is what waits; a sign alone would be found anywhere.
    telling = [part for part in parts if re.search(r"[^\W\d_]{2}", part)]
    if len(parts) == 1 or parts[-1] in telling:
        chosen = parts[-1]
    else:
        chosen = max(telling, key=len, default=parts[-1])
    return _cut(chosen)


def _cut(text: str) -> str:
    """Its end, at the beginning of a word."""
    if len(text) <= _LONGEST:
        return text
    end = text[-_LONGEST:]
    return end.partition(" ")[2].strip() or end


def secret_name(prompt: str, taken: Sequence[str]) -> str:
    """`Enter the API token:` gives `API_TOKEN`."""
    asked = re.split(r"[:(\[]| for ", prompt.strip().lstrip("[("), maxsplit=1)[0]
    if not _ASKS.search(asked):
        asked = " ".join(_ASKS.findall(prompt)) or asked
    words = re.findall(r"[A-Za-z0-9]+", asked)
    words = [word for word in words if not _FILLER.fullmatch(word)]
    name = "_".join(words[-3:]).upper()
    if not re.match(r"[A-Z]", name):
        name = "PASSWORD"
    number, chosen = 1, name
    while chosen in taken:
        number += 1
        chosen = f"{name}_{number}"
    return chosen
