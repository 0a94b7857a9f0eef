"""PyYAML's own parser, made to read as libyaml does, and to take lines as they are.

What a text means may not depend on how PyYAML was built. This parser decides: where
the two differ it follows libyaml if that is nearer to YAML 1.2 (`?` inside a plain
text, tabs between tokens, which are refused later for both), and `reads_alike` says
which texts are left to it alone.
"""

from __future__ import annotations

import re
from typing import Any, Final

from yaml.error import Mark
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError
from yaml.tokens import ScalarToken, Token

from sandbook.loader._shape import Shape

_SCANNER: Final[Any] = Scanner  # the stubs know no types of its methods
_BLOCK_HEADER: Final = re.compile(r"[|>][-+0-9]*[ \t]*(?:[ \t]#.*)?")
_UNSAFE: Final = re.compile(r":(?:[ \t]|$)|[ \t]#|\t|^[-?](?: |$)|^[\[\]{},*&!%@`|>]")
# A comment or a tab right behind the head of a block text; a directive.
_READ_APART: Final = re.compile(r"[|>][-+0-9]*(?:#| *\t)|^%", re.MULTILINE)
_BREAK: Final = re.compile(r"\r\n|\r|\n")
_END_OF_LINE: Final = re.compile(r"[\r\n\0]")
_SPACES: Final = re.compile(" *")
_BLANKS: Final = re.compile("[ \t]*")
_GAP: Final = re.compile("[ \t\r\n]*")
_DOCUMENT: Final = re.compile(r"(?:---|\.\.\.)[\0 \t\r\n]")
_VERSION: Final = re.compile(r"%YAML +1\.[0-9]{1,3} *(?:#.*)?")
_HALF: Final = re.compile("[\ud800-\udfff]")
_WRITTEN_HALF: Final = re.compile(r"\\(?:u|U0000)[dD][89a-fA-F]")


# Where words of one line end: at a colon that YAML sees, a comment, the line's end.
_END_OF_PLAIN: Final = re.compile(r"[\0\r\n]|:(?=[\0 \t\r\n])|(?<=[ \t])#")
_END_IN_BRACES: Final = re.compile(
    r"[\0\r\n,\[\]{}]|:(?=[\0 \t\r\n,\[\]{}])|(?<=[ \t])#"
)
# PyYAML reads on here; libyaml does not, and YAML 1.2 has no such value.
_BARE_COLON: Final = re.compile(r":[,\[\]{}]")


def reads_alike(text: str) -> bool:
    """Whether libyaml finds in a text what this parser finds, if it finds no error."""
    return _READ_APART.search(text) is None


def takes_rest(rest: str, shape: Shape) -> bool:
    """Whether what follows `KEY:` on its line is one text in a way YAML cannot see."""
    text = rest.strip(" \t")
    if text[:1] == "[" and shape.takes_list:
        return False
    if text[:1] == "{" and shape.takes_map:
        return False
    return is_more_than_yaml_sees(text)


def is_more_than_yaml_sees(text: str) -> bool:
    """Whether YAML would not find this text where it stands behind its key."""
    if not text or text[0] in "#\"'" or _BLOCK_HEADER.fullmatch(text):
        return False
    return _UNSAFE.search(text) is not None


def has_comment_sign(text: str) -> bool:
    """Whether elsewhere a part of the text would be a comment."""
    return " #" in text or "\t#" in text


def end_of_line(text: str, start: int) -> int:
    """Where the line ends that `start` stands in."""
    found = _END_OF_LINE.search(text, start)
    return found.start() if found else len(text)


class LineParser(Reader, Scanner, Parser):
    """Reads a text without U+0085, U+2028 and U+2029, which the shield has hidden.

    When `shape` is set, the next token may be the whole rest of its line; `taken` are
    the ends of those with a ` #`.
    """

    buffer: str
    index: int
    pointer: int
    column: int
    flow_level: int
    indent: int
    allow_simple_key: bool
    tokens: list[Token]
    possible_simple_keys: dict[int, Any]

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        self.shape: Shape | None = None
        self.taken: set[int] = set()

    def forward(self, length: int = 1) -> None:
        """Pass characters; PyYAML looks at each of them."""
        begun = self.index
        self.index = self.pointer = begun + length
        self.column += length
        passed = self.buffer[begun : self.index]
        if "\n" in passed or "\r" in passed:
            ends = [match.end() for match in _BREAK.finditer(passed)]
            # The second half of a line end, when only the first was passed.
            if passed[-1] == "\r" and self.buffer[self.index] == "\n":
                ends.pop()
            self.line += len(ends)
            if ends:
                self.column = length - ends[-1]

    def need_more_tokens(self) -> bool:
        """Whether the next token is not known; asked ten times for each."""
        if self.tokens and not self.possible_simple_keys:
            return False
        return bool(_SCANNER.need_more_tokens(self))

    def check_token(self, *choices: Any) -> bool:
        """Whether the next token is one of these; asked as often."""
        while self.need_more_tokens():
            self.fetch_more_tokens()
        found = self.tokens
        return bool(found) and (not choices or isinstance(found[0], choices))

    def fetch_more_tokens(self) -> Any:
        """Read the next token, or the rest of a line as one text."""
        shape, self.shape = self.shape, None
        if shape is not None and not self.flow_level:
            rest = self.buffer[self.index : end_of_line(self.buffer, self.index)]
            if takes_rest(rest, shape):
                return self._fetch_line(rest)
        return super().fetch_more_tokens()  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]

    def scan_to_next_token(self) -> None:
        """Skip spaces, comments and line ends."""
        while True:
            spaces = _SPACES
            if self.flow_level or not self.allow_simple_key:
                spaces = _BLANKS
            self._pass(spaces)
            if self.buffer[self.index] == "#":
                self.forward(end_of_line(self.buffer, self.index) - self.index)
            found = _BREAK.match(self.buffer, self.index)
            if found is None:
                return
            self.forward(len(found[0]))
            if not self.flow_level:
                self.allow_simple_key = True

    def _words(self, ending: re.Pattern[str]) -> str:
        """The words from here to the end of the text on this line."""
        if self.buffer[self.index] in "# \t":
            return ""
        found = ending.search(self.buffer, self.index)
        end = found.start() if found else len(self.buffer)
        return self.buffer[self.index : end].rstrip(" \t")

    def scan_plain(self) -> ScalarToken:
        """Read a text without quotes, over as many lines as it has."""
        start = end = self._mark()
        indent = self.indent + 1
        ending = _END_IN_BRACES if self.flow_level else _END_OF_PLAIN
        chunks: list[str] = []
        gap = ""
        while words := self._words(ending):
            self.allow_simple_key = False
            chunks += (gap, words)
            self.forward(len(words))
            end = self._mark()
            gap = self._scan_gap(indent, start)
            if not gap:
                break
        if self.flow_level and _BARE_COLON.match(self.buffer, self.index):
            told = "found ':' without a space behind it"
            raise ScannerError("while scanning a text", start, told, self._mark())
        return ScalarToken("".join(chunks), True, start, end)

    def _scan_gap(self, indent: int, start: Mark) -> str:
        """What stands for the blanks behind a line of a plain text; "" = it ends."""
        found = _GAP.match(self.buffer, self.index)
        blanks = found[0] if found else ""
        lines = _BREAK.split(blanks)
        if len(lines) == 1:
            self.forward(len(blanks))
            return blanks
        if any("\t" in line[:indent] for line in lines[1:]):
            self.forward(blanks.index("\t", len(lines[0])))
            told = "found a tab character that violates indentation"
            raise ScannerError("while scanning a text", start, told, self._mark())
        self.forward(len(blanks))
        self.allow_simple_key = True
        is_less = not self.flow_level and self.column < indent
        starts_document = self.column == 0 and _DOCUMENT.match(self.buffer, self.index)
        if is_less or starts_document:
            return ""
        return "\n" * (len(lines) - 2) or " "

    def scan_flow_scalar(self, style: str) -> ScalarToken:
        """Read a text in quotes; PyYAML would let halves of characters through."""
        start = self._mark()
        try:
            token: ScalarToken = _SCANNER.scan_flow_scalar(self, style)
        except ValueError as error:  # what `chr` says of a number that is too large
            raise self._no_character(start, self.index) from error
        if _HALF.search(str(token.value)):
            found = _WRITTEN_HALF.search(self.buffer, start.index, self.index)
            raise self._no_character(start, found.end() if found else start.index)
        return token

    def _no_character(self, start: Mark, index: int) -> ScannerError:
        place = Mark(start.name, index, start.line, start.column, None, 0)
        told = "found an escape that is no character"
        return ScannerError("while scanning a double-quoted scalar", start, told, place)

    def fetch_directive(self) -> Any:
        """Let `%YAML 1.x` pass, as other tools write it, and nothing else."""
        line = self.buffer[self.index : end_of_line(self.buffer, self.index)]
        if not _VERSION.fullmatch(line):
            mark = self._mark()
            told = "found a directive that has no meaning"
            raise ScannerError("while scanning a directive", mark, told, mark)
        return _SCANNER.fetch_directive(self)

    def _fetch_line(self, rest: str) -> None:
        text = rest.strip(" \t")
        self.forward(len(rest) - len(rest.lstrip(" \t")))
        start = self._mark()
        self.forward(len(text))
        self.allow_simple_key = False
        if has_comment_sign(text):
            self.taken.add(self.index)
        self.tokens.append(ScalarToken(text, True, start, self._mark()))

    def _pass(self, blanks: re.Pattern[str]) -> None:
        found = blanks.match(self.buffer, self.index)
        if found and found[0]:
            self.forward(len(found[0]))

    def _mark(self) -> Mark:
        return Mark("", self.index, self.line, self.column, None, 0)

    # PyYAML's name of it; most of its marks are never looked at.
    get_mark = _mark
