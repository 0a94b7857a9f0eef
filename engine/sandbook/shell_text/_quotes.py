"""Quotes, substitutions and expansions: what stands in words and in texts.

Where bash and sh would end one of them at different places, the rest of the text
is not read: `shell: bash` means sh where there is no bash.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

from sandbook.expressions import Expression
from sandbook.shell_text._holes import HOLE, Holes, UnreadableError

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATTERN_OPERATORS: Final = "#%/^,"
_SPECIAL: Final = frozenset("#?!@*$-0123456789")
_DEEPEST: Final = 50
# What a character and the first one of the next line would be together.
_JOINED: Final = ("<<", "((", ";;", ";&")

USE_ENV: Final = (
    'set it with `env: {VALUE: ${{ … }}}` and write "$VALUE" as that place needs it'
)
_BRACES: Final = (
    "a value cannot stand inside ${ }",
    "set a variable first, as in value=${{ … }}, and use that",
)
Forbidden: TypeAlias = "tuple[str, str]"


class Quotes(Holes):
    """Walks through what begins with a quote, a backslash, a backtick or a $."""

    def __init__(self, text: str, holes: Sequence[Expression]) -> None:
        super().__init__(text, holes)
        self._depth = 0

    def code(self, *, until_parenthesis: bool) -> None:
        """Read commands; `until_parenthesis` up to the `)` that ends them."""
        raise NotImplementedError

    @contextmanager
    def deeper(self) -> Generator[None]:
        """Hold the limit of nesting, which is that of our own calls."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise UnreadableError("the shell text is nested too deeply")
        yield
        self._depth -= 1

    @contextmanager
    def forbidding(self, forbidden: Forbidden | None) -> Generator[None]:
        """Refuse expressions meanwhile."""
        outside, self.forbidden = self.forbidden, self.forbidden or forbidden
        yield
        self.forbidden = outside

    def quotable(self, char: str, *, in_text: bool) -> None:
        """What means the same in commands and in texts; anything else is itself."""
        if char == "\\":
            self.escaped()
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

    def escaped(self) -> None:
        """A backslash and what it quotes."""
        following = self.text[self.position + 1 : self.end][:1]
        if following == HOLE:
            self.take(1)
            self.refuse_next(
                "a value cannot follow a backslash",
                "remove the backslash, or write \\\\ for a plain one",
            )
            return
        if following == "\n":
            self._join()
        self.take(2 if following else 1)

    def _join(self) -> None:
        """Refuse to read what only two lines together make an operator."""
        before = self.text[self.position - 1 : self.position]
        after = self.position
        while self.text.startswith("\\\n", after):
            after += 2
        follows = self.text[after : after + 1]
        if (before == "$" and follows not in ("", " ", "\t", "\n")) or (
            before + follows in _JOINED
        ):
            raise UnreadableError(f"a line ends within {before + follows!r}")

    def single(self) -> None:
        """A text in ' '."""
        self.take(1)
        while self.position < self.end and not self.at("'"):
            if self.at(HOLE):
                self.bind("single")
            else:
                self.take(1)
        self._close("'")

    def _double(self) -> None:
        self.take(1)
        with self.deeper():
            while self.position < self.end and not self.at('"'):
                self.quotable(self.text[self.position], in_text=True)
        self._close('"')

    def _close(self, quote: str) -> None:
        if self.position >= self.end:
            raise UnreadableError(f"a {quote} in this shell text has no end")
        self.take(1)

    def _backticks(self) -> None:
        start = self.position
        self._pass_over("`")
        self.refuse_passed(
            start,
            "a value cannot stand in backticks",
            "write $( ) instead of backticks",
        )

    def _pass_over(self, quote: str) -> None:
        """Go behind the next quote that no backslash stands before."""
        self.position += len(quote)
        closing = quote[-1]
        while self.position < self.end and not self.at(closing):
            self.position += 2 if self.at("\\") else 1
        if self.position >= self.end:
            raise UnreadableError(f"a {quote} in this shell text has no end")
        self.position += 1

    def _dollar(self, *, in_text: bool) -> None:
        if self.at("$(("):
            self.take(1)
            self.arithmetic("$(( ))")
        elif self.at("$("):
            self.take(2)
            self.code(until_parenthesis=True)
            self.take(1)
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
            self.take(2 if special in _SPECIAL else 1)

    def arithmetic(self, shown: str) -> None:
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
                self._refuse_evaluated(start, shown)
                return
        raise UnreadableError("`((` can be read in two ways here: write `( (`")

    def _old_arithmetic(self) -> None:
        """Pass over `$[ … ]`, which is arithmetic in bash and a plain text in sh."""
        start = self.position
        depth = 0
        for position in range(start, self.end):
            char = self.text[position]
            depth += (char == "[") - (char == "]")
            if depth == 0 and char == "]":
                self.position = position + 1
                self._refuse_evaluated(start, "$[ ]")
                return
            if char in "\"'\\`\n":
                break
        raise UnreadableError("`$[` can be read in two ways here: write `$(( ))`")

    def _refuse_evaluated(self, start: int, shown: str) -> None:
        message = f"a value cannot stand in {shown}, which is evaluated"
        self.refuse_passed(start, message, USE_ENV)

    def _dollar_single(self) -> None:
        start = self.position
        self._pass_over("$'")
        # For sh this is a plain $ before ' ', which a backslash does not prolong.
        if self.text.find("'", start + 2) != self.position - 1:
            raise UnreadableError("bash and sh read this $' ' differently")
        self.refuse_passed(
            start, "a value cannot stand in $' '", "write \" \" or ' ' instead of $' '"
        )

    def _braces(self, *, in_text: bool) -> None:
        self.take(2)
        if self.at(" ") or self.at("|") or self.at("\n") or self.at("\t"):
            raise UnreadableError("`${ ` can be read in two ways here")
        name = _NAME.match(self.text, self.position, self.end)
        operator = self.text[name.end() : name.end() + 1] if name else ""
        # In a text, ' quotes behind `#`; behind `:-` it does for bash and not for sh.
        quotes = not in_text or (operator != "" and operator in _PATTERN_OPERATORS)
        with self.deeper(), self.forbidding(_BRACES):
            while self.position < self.end and not self.at("}"):
                if self.at("'") and not quotes:
                    raise UnreadableError("bash and sh read this ' in ${ } differently")
                if self.at("'"):
                    self.single()
                else:
                    self.quotable(self.text[self.position], in_text=False)
        self._close("}")
