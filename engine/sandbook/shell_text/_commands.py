"""What is known of the command a word belongs to: `case`, and what evaluates words.

A few commands of bash evaluate what they are given as arithmetic, or take it for the
name of a variable, whose subscript is arithmetic, which may run commands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from sandbook.shell_text._documents import Document
from sandbook.shell_text._quotes import USE_ENV

_STAYS_COMMAND: Final = frozenset(
    {"if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac"}
    | {"!", "{", "}", "time", "coproc"}
)
_LOOPS: Final = frozenset({"for", "select", "function"})
_DECLARE: Final = frozenset({"declare", "typeset", "local", "readonly", "export"})
_TAKE_NAMES: Final = frozenset({"unset", "read", "mapfile", "readarray", "getopts"})
# Options of these whose argument is no name: read -p PROMPT, mapfile -d DELIMITER.
_TAKE_VALUES: Final = re.compile(r"-[A-Za-z]*[dinNptu]")
_BEFORE: Final = re.compile(r"command|builtin|[A-Za-z_][A-Za-z0-9_]*\+?=.*", re.DOTALL)
_ASSIGNMENT: Final = re.compile(r"[A-Za-z0-9_\0]*\+?=")
_INTEGER: Final = re.compile(r"-[A-Za-z]*i[A-Za-z]*")

_QUOTES: Final = re.compile(r"[\"'\\]")
_MOST_WORDS: Final = 64
"""Kept of a command; what decides are the first ones and the last."""

_NAME: Final = (
    "a value cannot be a name in a shell text",
    "write the name itself, as in name=${{ … }}",
)
_EVALUATED: Final = "a value cannot stand behind `{}`, which evaluates it"

_NUMERIC: Final = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_IS_COMPARED: Final = re.compile(r"\S*[ \t]+-(?:eq|ne|lt|le|gt|ge)[ \t]")
_COMPARED: Final = (
    "a value cannot be compared as a number in `[[ ]]`, which evaluates it",
    'use single brackets, as in [ "${{ … }}" -eq 1 ]',
)

Stage = Literal["subject", "in", "pattern", "body"]


@dataclass(slots=True)
class _Case:
    """A `case` that has not ended; `parentheses` are those around it."""

    parentheses: int
    stage: Stage = "subject"


@dataclass(slots=True)
class Code:
    """Where we are in commands: the text itself, or what stands in `$( )`.

    `words` are those of the simple command so far, as written; `arrays` the
    parentheses that hold the items of arrays.
    """

    parentheses: int = 0
    begins_command: bool = True
    cases: list[_Case] = field(default_factory=list[_Case])
    words: list[str] = field(default_factory=list[str])
    arrays: list[int] = field(default_factory=list[int])
    documents: list[Document] = field(default_factory=list[Document])

    @property
    def is_array(self) -> bool:
        """Whether words here are items of an array."""
        return bool(self.arrays) and self.arrays[-1] == self.parentheses

    @property
    def closes(self) -> bool:
        """Whether a `)` here ends what the code stands in."""
        return not self.parentheses and not self.cases

    @property
    def in_pattern(self) -> bool:
        """Whether a `|` here stands between two patterns of a `case`."""
        case = self._case_here()
        return case is not None and case.stage == "pattern"

    def begin_command(self) -> None:
        """What follows is the first word of a command, but not inside `[[ ]]`."""
        is_test = self.words[:1] == ["[["] and "]]" not in self.words
        self.words[:] = ["[["] if is_test else []
        self.begins_command = not is_test

    def open(self, *, glued_to: str) -> None:
        """A `(`; in front of a pattern it means nothing."""
        case = self._case_here()
        if case and case.stage == "pattern" and self.begins_command:
            self.begins_command = False
            return
        self.parentheses += 1
        if glued_to == "=":
            self.arrays.append(self.parentheses)
        else:
            self.begin_command()

    def close(self) -> None:
        """A `)`, of a pattern or of parentheses."""
        case = self._case_here()
        if case and case.stage == "pattern":
            case.stage = "body"
            self.begin_command()
            return
        if self.is_array:
            self.arrays.pop()
        else:
            self.begin_command()
        self.parentheses = max(0, self.parentheses - 1)

    def end_item(self) -> None:
        """A `;;`, `;&` or `;;&`."""
        case = self._case_here()
        if case and case.stage == "body":
            case.stage = "pattern"
        self.begin_command()

    def add_word(self, word: str) -> None:
        """A word has ended."""
        if self.is_array:
            return
        word = word.replace("\\\n", "")
        case = self._case_here()
        if case and case.stage in ("subject", "in"):
            case.stage = "pattern" if case.stage == "in" and word == "in" else "in"
            self.begins_command = case.stage == "pattern"
        elif self.begins_command:
            self._add_first(word, case)
        else:
            self._keep(word)

    def _keep(self, word: str) -> None:
        if len(self.words) >= _MOST_WORDS:
            self.words.pop()
        self.words.append(_QUOTES.sub("", word))

    def _add_first(self, word: str, case: _Case | None) -> None:
        in_pattern = case is not None and case.stage == "pattern"
        if word == "esac" and case:
            self.cases.pop()
        elif word == "case" and not in_pattern:
            self.cases.append(_Case(self.parentheses))
        self.begins_command = word in _STAYS_COMMAND and not (
            in_pattern and word != "esac"
        )
        if not self.begins_command and word not in ("case", "esac"):
            self._keep(word)

    def _case_here(self) -> _Case | None:
        case = self.cases[-1] if self.cases else None
        return case if case and case.parentheses == self.parentheses else None

    def refusal(self, before: str, after: str) -> tuple[str, str] | None:
        """Why no value may stand in a word between `before` and `after`, if so."""
        in_case = self._case_here()
        if in_case and in_case.stage != "body":
            return None
        if self.begins_command:
            return _as_first_word(before, after)
        words = self.words
        while len(words) > 1 and _BEFORE.fullmatch(words[0]):
            words = words[1:]
        if not words or self.is_array:
            return None
        if _BEFORE.fullmatch(words[0]) and "=" in words[0]:
            return _as_first_word(before, after)
        if words[0] == "[[" and (words[-1] in _NUMERIC or _IS_COMPARED.match(after)):
            return _COMPARED
        return _as_argument(words, before)


def _as_first_word(before: str, after: str) -> tuple[str, str] | None:
    if _ASSIGNMENT.match(after) and re.fullmatch(r"[A-Za-z0-9_\0]*", before):
        return _NAME
    is_function = re.match(r"[^\s;&|<>()'\"]*[ \t]*\([ \t]*\)", after)
    return _NAME if is_function else None


def _as_argument(words: list[str], before: str) -> tuple[str, str] | None:
    name, last = words[0], words[-1] if len(words) > 1 else ""
    evaluated = (_EVALUATED.format(name), USE_ENV)
    if name in _LOOPS:
        return _NAME if len(words) == 1 else None
    if name in _DECLARE:
        is_integer = any(_INTEGER.fullmatch(word) for word in words[1:])
        return evaluated if is_integer or "=" not in before else None
    if name in _TAKE_NAMES:
        is_options = name == "getopts" and len(words) == 1
        is_value = name != "unset" and _TAKE_VALUES.fullmatch(last) is not None
        return None if is_options or is_value else evaluated
    into_name = name == "printf" and (last == "-v" or before.startswith("-v"))
    asks_name = name in ("test", "[", "[[") and last in ("-v", "-R")
    return evaluated if name == "let" or into_name or asks_name else None
