"""Read a shell text as bash and sh do, to know the place of every expression."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sandbook.expressions import Expression
from sandbook.shell_text._holes import HOLE, Done, Holes, UnreadableError

_BLANK: Final = " \t"
_ENDS_WORD: Final = frozenset(" \t\n;&|()<>")
_STAYS_COMMAND: Final = frozenset(
    {"if", "then", "elif", "else", "while", "until", "do", "!", "{", "time"}
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:=,+%@^-]+")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATTERN_OPERATORS: Final = "#%/^,"
_DEEPEST: Final = 50

_USE_ENV: Final = (
    'set it with `env: {VALUE: ${{ … }}}` and write "$VALUE" as that place needs it'
)
_SUBSCRIPT: Final = ("a value cannot be a subscript, which is evaluated", _USE_ENV)
_BRACES: Final = (
    "a value cannot stand inside ${ }",
    "set a variable first, as in value=${{ … }}, and use that",
)
Forbidden: TypeAlias = "tuple[str, str]"


@dataclass(slots=True)
class _Document:
    """A here-document that was announced and has not begun yet."""

    delimiter: str
    is_quoted: bool
    strips_tabs: bool


@dataclass(slots=True)
class _Code:
    """Where we are in commands: the text itself, or what stands in `$( )`."""

    parentheses: int = 0
    cases: int = 0
    begins_command: bool = True
    documents: list[_Document] = field(default_factory=list[_Document])


class Reader(Holes):
    """Walks through commands, quotes and here-documents."""

    def __init__(self, text: str, holes: Sequence[Expression]) -> None:
        super().__init__(text, holes)
        self._codes: list[_Code] = []

    def read(self) -> None:
        """Fill `out`, `values` and `refusals`."""
        try:
            self._code(until_parenthesis=False)
        except Done:
            self.out.append(self.text[self.position :])
        except UnreadableError as error:
            self.refuse_rest(str(error))

    def _escaped(self) -> None:
        """A backslash and what it quotes."""
        if self.position + 1 >= self.end:
            self.take(1)
        elif self.text[self.position + 1] == HOLE:
            self.take(1)
            self.refuse_next(
                "a value cannot follow a backslash",
                "remove the backslash, or write \\\\ for a plain one",
            )
        else:
            self.take(2)

    def _code(self, *, until_parenthesis: bool) -> None:
        if len(self._codes) > _DEEPEST:
            raise UnreadableError("the shell text is nested too deeply")
        here = _Code()
        self._codes.append(here)
        while self.position < self.end:
            if self.at(")") and self._closes(here) and until_parenthesis:
                break
            self._code_step(here)
        else:
            if until_parenthesis:
                raise UnreadableError("a `$(` in this shell text has no end")
        if here.documents:
            raise UnreadableError("a here-document in this shell text has no lines")
        self._codes.pop()

    def _closes(self, here: _Code) -> bool:
        return here.parentheses == 0 and here.cases == 0

    def _code_step(self, here: _Code) -> None:
        char = self.text[self.position]
        if char == "\n":
            self._newline(here)
        elif char in _BLANK:
            self.take(1)
        elif char == "#" and self._at_word_start():
            self._comment()
        elif self.at("<<") and not self.at("<<<"):
            self._announce(here)
        elif char in ";&|()<>":
            self._punctuation(here)
        else:
            self._word(here)

    def _at_word_start(self) -> bool:
        return self.position == 0 or self.text[self.position - 1] in _ENDS_WORD

    def _newline(self, here: _Code) -> None:
        if any(code.documents for code in self._codes[:-1]):
            raise UnreadableError("a here-document begins inside another command")
        self.take(1)
        here.begins_command = True
        documents, here.documents = here.documents, []
        for document in documents:
            self._document(document)

    def _comment(self) -> None:
        start = self.position
        ended = self.text.find("\n", start, self.end)
        self.position = self.end if ended < 0 else ended
        self.drop_passed(start)

    def _punctuation(self, here: _Code) -> None:
        char = self.text[self.position]
        if self.at("<<<"):
            self.take(3)
            return
        if self.at("(("):
            self._arithmetic("(( ))")
            return
        if char == "(":
            here.parentheses += 1
        elif char == ")" and here.parentheses:
            here.parentheses -= 1
        if char not in "<>":
            here.begins_command = True
        self.take(1)

    def _word(self, here: _Code) -> None:
        start = self.position
        outside = self.forbidden
        while self.position < self.end and self.text[self.position] not in _ENDS_WORD:
            self._word_part(outside)
        self.forbidden = outside
        self._note_word(self.text[start : self.position], here)

    def _word_part(self, outside: Forbidden | None) -> None:
        char = self.text[self.position]
        plain = _PLAIN.match(self.text, self.position, self.end)
        if plain:
            self.take(len(plain[0]))
        elif char == HOLE:
            self.bind("bare")
        elif char == "'":
            self._single()
        else:
            # A subscript is evaluated as arithmetic: `a[${{ x }}]` could run code.
            if char in "[]":
                self.forbidden = _SUBSCRIPT if char == "[" else outside
            self._quotable(char, in_text=False)

    def _note_word(self, word: str, here: _Code) -> None:
        if here.cases and word == "in":
            here.begins_command = True
            return
        if not here.begins_command:
            return
        if word == "case":
            here.cases += 1
        elif word == "esac" and here.cases:
            here.cases -= 1
        here.begins_command = word in _STAYS_COMMAND

    def _quotable(self, char: str, *, in_text: bool) -> None:
        """What means the same in commands and in texts; anything else is itself."""
        if char == "\\":
            self._escaped()
        elif char == '"' and not in_text:
            self._double()
        elif char == "`":
            self._backticks()
        elif char == "$":
            self._dollar(in_text=in_text)
        elif char == HOLE:
            self.bind("text")
        else:
            self.take(1)

    def _single(self) -> None:
        self.take(1)
        while self.position < self.end and not self.at("'"):
            if self.at(HOLE):
                self.bind("single")
            else:
                self.take(1)
        self._close("'")

    def _double(self) -> None:
        self.take(1)
        while self.position < self.end and not self.at('"'):
            self._quotable(self.text[self.position], in_text=True)
        self._close('"')

    def _close(self, quote: str) -> None:
        if self.position >= self.end:
            raise UnreadableError(f"a quote {quote} in this shell text has no end")
        self.take(1)

    def _backticks(self) -> None:
        start = self.position
        self.position += 1
        while self.position < self.end and not self.at("`"):
            self.position += 2 if self.at("\\") else 1
        if self.position >= self.end:
            self.position = start
            raise UnreadableError("a backtick in this shell text has no end")
        self.position += 1
        self.refuse_passed(
            start,
            "a value cannot stand in backticks",
            "write $( ) instead of backticks",
        )

    def _dollar(self, *, in_text: bool) -> None:
        if self.at("$(("):
            self.take(1)
            self._arithmetic("$(( ))")
        elif self.at("$("):
            self._substitution()
        elif self.at("${"):
            self._braces(in_text=in_text)
        elif self.at("$["):
            self._old_arithmetic()
        elif self.at("$'") and not in_text:
            self._dollar_single()
        elif self.at("$" + HOLE):
            self.take(1)
            self.refuse_next("a value cannot follow a $", "write \\$ for a plain $")
        else:
            special = self.text[self.position + 1 : self.position + 2]
            self.take(2 if special and special in "#?!@*$-0123456789" else 1)

    def _substitution(self) -> None:
        self.take(2)
        self._code(until_parenthesis=True)
        self.take(1)

    def _arithmetic(self, shown: str) -> None:
        """Pass over `(( … ))`."""
        start = self.position
        depth = 0
        for position in range(start, self.end):
            char = self.text[position]
            depth += (char == "(") - (char == ")")
            if depth == 1 and char == ")":
                if not self.text.startswith("))", position):
                    break
                self.position = position + 2
                self.refuse_passed(
                    start,
                    f"a value cannot stand in {shown}, which is evaluated",
                    _USE_ENV,
                )
                return
        raise UnreadableError("`((` can be read in two ways here: write `( (`")

    def _old_arithmetic(self) -> None:
        start = self.position
        ended = self.text.find("]", start, self.end)
        if ended < 0:
            raise UnreadableError("a `$[` in this shell text has no end")
        self.position = ended + 1
        self.refuse_passed(
            start, "a value cannot stand in $[ ], which is evaluated", _USE_ENV
        )

    def _dollar_single(self) -> None:
        start = self.position
        self.position += 2
        while self.position < self.end and not self.at("'"):
            self.position += 2 if self.at("\\") else 1
        if self.position >= self.end:
            self.position = start
            raise UnreadableError("a quote $' in this shell text has no end")
        self.position += 1
        self.refuse_passed(
            start, "a value cannot stand in $' '", "write \" \" or ' ' instead of $' '"
        )

    def _braces(self, *, in_text: bool) -> None:
        self.take(2)
        name = _NAME.match(self.text, self.position, self.end)
        operator = self.text[name.end() : name.end() + 1] if name else ""
        # In a text, ' quotes behind `#`; behind `:-` it does for bash and not for sh.
        quotes = not in_text or (operator != "" and operator in _PATTERN_OPERATORS)
        outside, self.forbidden = self.forbidden, _BRACES
        while self.position < self.end and not self.at("}"):
            if self.at("'") and not quotes:
                raise UnreadableError("bash and sh read this ' inside ${ } differently")
            if self.at("'"):
                self._single()
            else:
                self._quotable(self.text[self.position], in_text=False)
        self.forbidden = outside
        self._close("}")

    def _announce(self, here: _Code) -> None:
        strips = self.at("<<-")
        self.take(3 if strips else 2)
        while self.position < self.end and self.text[self.position] in _BLANK:
            self.take(1)
        start = self.position
        while self.position < self.end and self.text[self.position] not in _ENDS_WORD:
            self.position += 1
        word = self.text[start : self.position]
        self.refuse_passed(
            start, "a value cannot end a here-document", "write a plain word, as <<EOF"
        )
        plain = re.sub(r"[\\'\"]", "", word)
        here.documents.append(_Document(plain, word != plain, strips))

    def _document(self, document: _Document) -> None:
        start = self.position
        ended = self._end_of(document)
        delimiter = document.delimiter
        if document.is_quoted:
            self.position = ended
            self.refuse_passed(
                start,
                f"a value cannot stand in <<'{delimiter}', which is left as it is",
                f"write <<{delimiter} with a backslash before each plain $ and `",
            )
        else:
            self._lines(ended)
        line = self.text.find("\n", self.position, self.end)
        self.take((self.end if line < 0 else line) - self.position)
        if line >= 0:
            self.take(1)

    def _lines(self, ended: int) -> None:
        whole, self.end = self.end, ended
        while self.position < self.end:
            self._quotable(self.text[self.position], in_text=True)
        self.end = whole

    def _end_of(self, document: _Document) -> int:
        """Where the line begins that ends a here-document."""
        position = self.position
        joined = False
        while position < self.end:
            line_end = self.text.find("\n", position, self.end)
            line_end = self.end if line_end < 0 else line_end
            line = self.text[position:line_end]
            stripped = line.lstrip("\t") if document.strips_tabs else line
            if stripped == document.delimiter and not joined:
                return position
            slashes = len(line) - len(line.rstrip("\\"))
            joined = not document.is_quoted and slashes % 2 == 1
            position = line_end + 1
        raise UnreadableError(
            f"the here-document <<{document.delimiter} in this shell text has no end"
        )
