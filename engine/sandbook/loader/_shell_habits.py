"""Habits of shell authors that hide a failure, or do not last."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sandbook.loader._shell_view import HOLE, Command, Word
from sandbook.loader._shell_words import runs_as_code

_DECLARES: Final = ("local", "export", "declare", "typeset", "readonly")
_SUBSTITUTED: Final = re.compile(r"([A-Za-z_]\w*)=.*(?:\$\((?!\()|`)", re.DOTALL)
_TESTS: Final = ("[", "[[", "test", "((", "command", "type", "which", "grep")
_DOES_NOT_LAST: Final = {
    "cd": "use `cwd` in the steps that need it",
    "export": "use `env` in the steps that need it, or at the top of the file",
    "unset": "use `env` in the steps that need it",
    "alias": "write the command itself",
    "umask": "put it into the text that needs it",
    "ulimit": "put it into the text that needs it",
    "source": "put it into the text that needs it",
    ".": "put it into the text that needs it",
}
_CASTS: Final = re.compile(r"set\s+(?:-\w*\s+)*\+\w*e")
_PIPEFAIL: Final = re.compile(r"set\s+-\w*o\s+pipefail")


_NAMED: Final = "|".join({*_DECLARES, *_DOES_NOT_LAST} - {"."})
WORTH_READING: Final = re.compile(
    rf"{HOLE}|&&|\||\b(?:{_NAMED})\b|^\s*\.\s", re.MULTILINE
)
"""Texts without any of this have no habit we know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """Something to warn of, at a character of the text."""

    code: str
    start: int
    length: int
    message: str
    remedy: str


def shell_habits(
    commands: Sequence[Command], text: str, *, shell: str
) -> Iterator[Habit]:
    """What to warn of in a shell text."""
    for command in commands:
        yield from _read_twice(command)
        yield from _lost_failures(command)
    if not _CASTS.search(text):
        yield from _passed_over(commands)
    if shell == "sh" and not _PIPEFAIL.search(text):
        yield from _half_pipes(commands)
    yield from _short_lived(commands)


def _read_twice(command: Command) -> Iterator[Habit]:
    words = command.arguments
    found = runs_as_code([word.text for word in words])
    if found is not None:
        yield _twice(words[found[0]], found[1])
    elif command.document_has_hole and (
        runs_as_code([*(word.text for word in words), "-c", HOLE])
        or command.name == "ssh"
    ):
        yield _twice(words[0], command.name)


def _twice(word: Word, program: str) -> Habit:
    return Habit(
        code="SB401",
        start=word.start,
        length=len(word.text),
        message=f"a value in what {program!r} gets is read as code once more",
        remedy="hand it over as an argument of its own, or with `env`",
    )


def _lost_failures(command: Command) -> Iterator[Habit]:
    if command.name not in _DECLARES:
        return
    for word in command.arguments[1:]:
        found = _SUBSTITUTED.match(word.text)
        if found:
            name = found[1]
            yield Habit(
                code="SB403",
                start=word.start,
                length=len(word.text),
                message=f"`{command.name}` succeeds even when the command in it fails",
                remedy=f"write two lines: {name}=$(…), then {command.name} {name}",
            )


def _passed_over(commands: Sequence[Command]) -> Iterator[Habit]:
    """`a && b` above the last line: when `a` fails, the text goes on."""
    outer = [command for command in commands if command.depth == 0]
    lists: list[list[Command]] = [[]]
    for command in outer:
        lists[-1].append(command)
        if command.operator not in ("&&", "||", "|"):
            lists.append([])
    whole = [one for one in lists if one]
    last = max((command.start for command in commands), default=0)
    for one in whole:
        operators = [command.operator for command in one]
        first = one[0]
        if "&&" not in operators or "||" in operators or operators[-1] == "&":
            continue
        if one[-1].start >= last or first.name in _TESTS or first.is_negated:
            continue
        yield Habit(
            code="SB402",
            start=first.start,
            length=one[-1].end - first.start,
            message="when the part before && fails, the lines below still run",
            remedy="write each command on a line of its own",
        )


def _half_pipes(commands: Sequence[Command]) -> Iterator[Habit]:
    for command in commands:
        if command.operator == "|":
            yield Habit(
                code="SB404",
                start=command.start,
                length=command.end - command.start,
                message="in a pipe, sh looks only at the last command: this may fail",
                remedy="write its output to a file first, or remove `shell: sh`",
            )
            return


def _short_lived(commands: Sequence[Command]) -> Iterator[Habit]:
    names = [command.name for command in commands]
    if not names or not all(name in _DOES_NOT_LAST for name in names):
        return
    first = commands[0]
    yield Habit(
        code="SB405",
        start=first.start,
        length=first.end - first.start,
        message=f"this `{first.name}` does not last: each command is a new shell",
        remedy=_DOES_NOT_LAST[first.name],
    )
