"""The commands of a shell text, seen roughly: enough to warn, never to decide.

Where a value may stand is decided by `sandbook.shell_text`, which reads every
character as a shell does. Here a text that is not understood has no commands, so
that nothing is said about it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

HOLE: Final = "\0"
"""Stands for each character of an expression, so that places stay right."""

Operator = Literal["", "\n", ";", "&", "&&", "||", "|", "(", ")"]
_ENDS_WORD: Final = frozenset(" \t\r\n;&|()<>")
_OPENS: Final = frozenset({"if", "while", "until", "for", "case", "select", "{"})
_CLOSES: Final = frozenset({"fi", "done", "esac", "}"})
_LEADS: Final = frozenset({"then", "elif", "else", "do", "!", "time"})
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=")
_REDIRECTION: Final = re.compile(r"(?:<<<|<<-?|[<>]{1,2}|<>)[&|]?")
_PLAIN: Final = re.compile(r"[^\s;&|()<>\\'\"`$]+")
_PLAIN_TEXT: Final = re.compile(r"[^\\\"`$]+")
_DEEPEST: Final = 20


class _Strange(Exception):  # noqa: N818 - never leaves this module
    """The text is not understood."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written, quotes included."""

    text: str
    start: int

    @property
    def has_hole(self) -> bool:
        """Whether an expression stands in it."""
        return HOLE in self.text

    @property
    def plain(self) -> str:
        """Without quotes around it."""
        return self.text.strip("\"'")


@dataclass(slots=True)
class Command:
    """One simple command; `depth` counts what is around it.

    The operator `after` stands before it, `operator` behind it. `document_has_hole`
    says that an expression stands in its here-document.
    """

    depth: int
    after: Operator = ""
    words: list[Word] = field(default_factory=list[Word])
    operator: Operator = ""
    is_negated: bool = False
    document_has_hole: bool = False

    @property
    def arguments(self) -> list[Word]:
        """The words without assignments before the command."""
        for index, word in enumerate(self.words):
            if not _ASSIGNMENT.match(word.text):
                return self.words[index:]
        return []

    @property
    def name(self) -> str:
        """The first word that is no assignment; empty if there is none."""
        return next((word.text for word in self.arguments), "")

    @property
    def start(self) -> int:
        """Where its first word begins."""
        return self.words[0].start if self.words else 0

    @property
    def end(self) -> int:
        """Where its last word ends."""
        last = self.words[-1] if self.words else None
        return last.start + len(last.text) if last else 0


def commands_of(text: str) -> list[Command]:
    """The commands in the order they are written; empty when it is not understood."""
    view = _View(text)
    try:
        view.read(depth=0, inside=False)
    except (_Strange, IndexError):
        return []
    return [one for one in view.commands if one.words]


class _View:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._documents: list[tuple[Command, str, bool]] = []
        self._nested = 0
        self._open = 0
        self.commands: list[Command] = []

    def read(self, *, depth: int, inside: bool) -> None:
        """Read commands up to the end, or up to the `)` of a substitution."""
        self._nested += 1
        if self._nested > _DEEPEST:
            raise _Strange
        lowest, command = depth, self._begin(depth)
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == ")" and inside and depth == lowest:
                break
            if self._pass_over(char):
                continue
            if char in "\n;&|()":
                depth, command = self._operator(depth, command)
            elif char in "<>":
                self._redirection(command)
            else:
                depth = self._word(command, depth)
                command.depth = command.depth if command.words else depth
        else:
            if inside:
                raise _Strange
        self._nested -= 1

    def _pass_over(self, char: str) -> bool:
        """Blanks, joined lines and comments."""
        if char in " \t\r":
            self._at += 1
        elif char == "\\" and self._text[self._at + 1] in "\r\n":
            self._at += 2
        elif char == "#":
            self._to_line_end()
        else:
            return False
        return True

    def _begin(self, depth: int, after: Operator = "") -> Command:
        command = Command(depth, after)
        self.commands.append(command)
        return command

    def _to_line_end(self) -> None:
        ended = self._text.find("\n", self._at)
        self._at = len(self._text) if ended < 0 else ended

    def _operator(self, depth: int, command: Command) -> tuple[int, Command]:
        text, at = self._text, self._at
        if text.startswith("((", at) and not command.words:
            self._at = _matching(text, at, "(", ")")
            command.words.append(Word("((", at))
            return depth, command
        if text.startswith("&>", at):
            self._at += 1
            return depth, command
        operator = text[at : at + 2] if text[at : at + 2] in ("&&", "||") else text[at]
        self._at += len(operator)
        if operator == "|" and text.startswith("&", self._at):
            self._at += 1
        if operator == "\n":
            self._read_documents()
            if not command.words and command.after in ("&&", "||", "|"):
                return depth, command
        command.operator = _OPERATORS[operator]
        if operator == "(":
            self._open += 1
            depth += 1
        elif operator == ")" and self._open:
            # The `)` of a pattern in `case` closes nothing.
            self._open -= 1
            depth -= 1
        return depth, self._begin(depth, command.operator)

    def _redirection(self, command: Command) -> None:
        found = _REDIRECTION.match(self._text, self._at)
        if found is None:
            raise _Strange
        self._at = found.end()
        if self._text.startswith("(", self._at):
            raise _Strange
        while self._text[self._at] in " \t":
            self._at += 1
        word = self._read_word()
        if found[0] in ("<<", "<<-"):
            delimiter = re.sub(r"[\\'\"]", "", word.text)
            self._documents.append((command, delimiter, found[0] == "<<-"))

    def _read_documents(self) -> None:
        waiting, self._documents = self._documents, []
        for command, delimiter, strips in waiting:
            lines: list[str] = []
            while True:
                if self._at >= len(self._text):
                    raise _Strange
                ended = self._text.find("\n", self._at)
                ended = len(self._text) if ended < 0 else ended
                line = self._text[self._at : ended]
                self._at = min(ended + 1, len(self._text))
                if (line.lstrip("\t") if strips else line) == delimiter:
                    break
                lines.append(line)
            command.document_has_hole |= any(HOLE in line for line in lines)

    def _word(self, command: Command, depth: int) -> int:
        if command.words and command.words[0].text == "[[":
            self._condition(command)
            return depth
        word = self._read_word()
        if command.words:
            command.words.append(word)
        elif word.text in _OPENS:
            return depth + 1
        elif word.text in _CLOSES:
            return max(depth - 1, 0)
        elif word.text in _LEADS:
            command.is_negated |= word.text == "!"
        else:
            command.depth = depth
            command.words.append(word)
        return depth

    def _condition(self, command: Command) -> None:
        """The words of `[[ … ]]`, where operators are only words."""
        while not self._text.startswith("]]", self._at):
            if self._text[self._at] in " \t\r\n<>()&|;":
                self._at += 1
            else:
                command.words.append(self._read_word())
        command.words.append(Word("]]", self._at))
        self._at += 2

    def _read_word(self) -> Word:
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in _ENDS_WORD:
            self._part(in_text=False)
        if self._at == start:
            raise _Strange
        return Word(self._text[start : self._at], start)

    def _part(self, *, in_text: bool) -> None:
        plain = (_PLAIN_TEXT if in_text else _PLAIN).match(self._text, self._at)
        if plain:
            self._at = plain.end()
            return
        char = self._text[self._at]
        if char == "\\":
            self._at += 2
        elif char == "'" and not in_text:
            self._at = self._text.index("'", self._at + 1) + 1 if self._closed() else 0
        elif char == '"' and not in_text:
            self._at += 1
            while self._text[self._at] != '"':
                self._part(in_text=True)
            self._at += 1
        elif char == "`":
            self._backticks()
        elif char == "$":
            self._dollar(in_text=in_text)
        else:
            self._at += 1

    def _backticks(self) -> None:
        self._at += 1
        while self._text[self._at] != "`":
            self._at += 2 if self._text[self._at] == "\\" else 1
        self._at += 1

    def _closed(self) -> bool:
        if "'" not in self._text[self._at + 1 :]:
            raise _Strange
        return True

    def _dollar(self, *, in_text: bool) -> None:
        text, at = self._text, self._at
        if text.startswith("$((", at):
            self._at = _matching(text, at + 1, "(", ")")
        elif text.startswith("$(", at):
            self._at += 2
            outside, self._open = self._open, 0
            self.read(depth=1, inside=True)
            self._open = outside
            self._at += 1
        elif text.startswith("${", at):
            self._at = _matching(text, at + 1, "{", "}")
        elif text.startswith("$'", at) and not in_text:
            raise _Strange
        else:
            self._at += 1


_OPERATORS: Final[dict[str, Operator]] = {
    "\n": "\n",
    ";": ";",
    "&": "&",
    "&&": "&&",
    "||": "||",
    "|": "|",
    "(": "(",
    ")": ")",
}


def _matching(text: str, start: int, opens: str, closes: str) -> int:
    """Behind the bracket that closes the one at `start`."""
    depth = 0
    for position in range(start, len(text)):
        depth += (text[position] == opens) - (text[position] == closes)
        if depth == 0:
            return position + 1
    raise _Strange
