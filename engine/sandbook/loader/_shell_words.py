"""Which of its words a program reads as code once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sandbook.loader._shell_view import HOLE

_SHELLS: Final = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "su"})
_CODE_OPTIONS: Final = {
    "python": "-c",
    "python3": "-c",
    "node": "-e",
    "perl": "-e",
    "ruby": "-e",
    "php": "-r",
}
_RUNNERS: Final = frozenset(
    {"sudo", "su", "env", "exec", "command", "nohup", "time", "timeout", "xargs"}
    | {"docker", "podman", "kubectl", "runuser", "setpriv", "chroot", "nice", "flock"}
)
"""Programs whose further words are a command."""
_MOST_WORDS: Final = 50
"""Further words are not looked at: a text of a MiB must not take minutes."""
_REMOTE_OPTIONS: Final = frozenset("bcDEeFIiJLlmOopQRSWw")
"""Options of ssh whose value is the next word (ssh(1))."""


def runs_as_code(words: Sequence[str]) -> tuple[int, str] | None:
    """The first word with an expression that is read as code, and what reads it."""
    words = words[:_MOST_WORDS]
    first = _name(words[0]) if words else ""
    for index, word in enumerate(words if first in _RUNNERS else words[:1]):
        name = _name(word)
        rest = words[index + 1 :]
        if name == "eval":
            found = _first_hole(rest)
        elif name == "ssh" and index == 0:
            found = _remote(rest)
        elif name in _SHELLS:
            found = _behind(rest, "c", is_cluster=True)
        elif name in _CODE_OPTIONS:
            found = _behind(rest, _CODE_OPTIONS[name][1], is_cluster=False)
        else:
            continue
        if found is not None:
            return index + 1 + found, name
    return None


def _name(word: str) -> str:
    """The program, without the folder it is in."""
    return word.rsplit("/", 1)[-1]


def _first_hole(words: Sequence[str]) -> int | None:
    return next((at for at, word in enumerate(words) if HOLE in word), None)


def _behind(words: Sequence[str], letter: str, *, is_cluster: bool) -> int | None:
    """The word behind `-c` (or `-ec`, `-lc`), when it holds an expression."""
    for at, word in enumerate(words[:-1]):
        is_option = word == f"-{letter}" or (
            is_cluster
            and word.startswith("-")
            and not word.startswith("--")
            and word.endswith(letter)
        )
        if is_option:
            return at + 1 if HOLE in words[at + 1] else None
    return None


def _remote(words: Sequence[str]) -> int | None:
    """The first expression behind the host."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        takes_next = len(words[at]) == 2 and words[at][1] in _REMOTE_OPTIONS  # noqa: PLR2004 - `-p`
        at += 2 if takes_next else 1
    found = _first_hole(words[at + 1 :])
    return None if found is None else at + 1 + found
