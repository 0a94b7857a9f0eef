"""Read a shell text as bash and sh do, to know the place of every expression."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sandbook.expressions import Expression
from sandbook.shell_text._commands import Code
from sandbook.shell_text._documents import BLANK, ENDS_WORD, Document, Documents
from sandbook.shell_text._holes import HOLE, Done, Place, UnreadableError
from sandbook.shell_text._quotes import USE_ENV

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:=,+%@^-]+")
_SUBSCRIPTED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\[")
_LONGEST_NAME: Final = 256
_SUBSCRIPT: Final = ("a value cannot be a subscript, which is evaluated", USE_ENV)


class Reader(Documents):
    """Walks through commands and their words."""

    def __init__(self, text: str, holes: Sequence[Expression]) -> None:
        super().__init__(text, holes)
        self._codes: list[Code] = []
        self._word_starts: list[int | None] = [None]

    def read(self) -> None:
        """Fill `out`, `values` and `refusals`."""
        try:
            self.code(until_parenthesis=False)
        except Done:
            self.out.append(self.text[self.position :])
        except UnreadableError as error:
            self.refuse_rest(str(error))

    def code(self, *, until_parenthesis: bool) -> None:
        """Read commands; `until_parenthesis` up to the `)` that ends them."""
        here = Code()
        self._codes.append(here)
        with self.deeper():
            while self.position < self.end:
                if until_parenthesis and self.at(")") and here.closes:
                    break
                self._step(here)
            else:
                if until_parenthesis:
                    raise UnreadableError("a `$(` in this shell text has no end")
        if here.documents:
            raise UnreadableError("a here-document in this shell text has no lines")
        self._codes.pop()

    def _step(self, here: Code) -> None:
        char = self.text[self.position]
        if char == "\n":
            self._newline(here)
        elif char in BLANK:
            self.take(1)
        elif self.at("\\\n"):
            self.escaped()
        elif char == "#":
            self._comment()
        elif self.at("<<") and not self.at("<<<"):
            here.documents.append(self.announced())
        elif char in ";&|()<>":
            self._punctuation(here)
        else:
            self._word(here)

    def _newline(self, here: Code) -> None:
        if any(code.documents for code in self._codes[:-1]):
            raise UnreadableError("a here-document begins inside another command")
        self.take(1)
        if not here.is_array:
            here.begin_command()
        documents, here.documents = here.documents, []
        for document in documents:
            self.document(document)

    def _comment(self) -> None:
        start = self.position
        # Behind `<( )` it goes on with the word, behind `( )` it is a comment.
        if self.text[start - 1 : start] == ")":
            raise UnreadableError("a # right behind a ) can be read in two ways")
        ended = self.text.find("\n", start, self.end)
        self.position = self.end if ended < 0 else ended
        self.drop_passed(start)

    def _punctuation(self, here: Code) -> None:
        char = self.text[self.position]
        if self.at("<<<"):
            self.take(3)
        elif self.at("(("):
            self.arithmetic("(( ))")
        elif char in "()":
            self._parenthesis(here, char)
        elif self.at(";;") or self.at(";&"):
            self.take(2)
            here.end_item()
        elif char in "<>":
            self.take(1)
        else:
            self._separator(here)

    def _parenthesis(self, here: Code, char: str) -> None:
        if char == "(":
            here.open(glued_to=self.text[max(0, self.position - 1) : self.position])
        else:
            here.close()
        self.take(1)

    def _separator(self, here: Code) -> None:
        """A `;`, `&` or `|`, unless it is part of `>&`, `<&` or `>|`."""
        before = self.text[max(0, self.position - 1) : self.position]
        is_redirection = before in (">", "<")
        is_both = self.at("&>")
        self.take(1)
        if not is_redirection and not is_both:
            here.begin_command()

    def _word(self, here: Code) -> None:
        start = self.position
        outside = self.forbidden
        brackets = 0
        self._word_starts.append(start)
        while self.position < self.end and self.text[self.position] not in ENDS_WORD:
            char = self.text[self.position]
            brackets = max(0, brackets + (char == "[") - (char == "]"))
            # A subscript is evaluated as arithmetic: `a[${{ x }}]` could run code.
            self.forbidden = (outside or _SUBSCRIPT) if brackets else outside
            self._word_part(char)
        self._word_starts.pop()
        self.forbidden = outside
        word = self.text[start : self.position]
        is_item = here.is_array and word.startswith("[")
        if brackets and (is_item or _SUBSCRIPTED.match(word)):
            raise UnreadableError("a blank in [ ] can be read in two ways here")
        here.add_word(word)

    def _word_part(self, char: str) -> None:
        plain = _PLAIN.match(self.text, self.position, self.end)
        if plain:
            self.take(len(plain[0]))
        elif char == HOLE:
            self.bind("bare")
        elif char == "'":
            self.single()
        else:
            self.quotable(char, in_text=False)

    def document(self, document: Document) -> None:
        """Read its lines, and the one that ends it."""
        self._word_starts.append(None)
        super().document(document)
        self._word_starts.pop()

    def bind(self, place: Place) -> None:
        """Put a reference in the place of the expression that comes next."""
        with self.forbidding(self._refusal()):
            super().bind(place)

    def _refusal(self) -> tuple[str, str] | None:
        start = self._word_starts[-1]
        if start is None:
            return None
        before = self.text[start : min(self.position, start + _LONGEST_NAME)]
        after = self.text[self.position + 1 : self.position + 1 + _LONGEST_NAME]
        return self._codes[-1].refusal(before, after)
