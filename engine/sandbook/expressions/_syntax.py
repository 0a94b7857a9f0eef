"""What an expression may say: Jinja2's grammar, and of it only what the language has.

Jinja2 reads the text; its tree is then translated into ours, and what has no
translation (calls, powers, blocks) is refused. Jinja2's own compiler is not used: it
folds constants, so that a literal could hang the loader. A plain path as `inputs.x`
is read without Jinja2, whose import would double the start-up of a small runbook.
"""

from __future__ import annotations

import re

from sandbook.errors import Location
from sandbook.expressions._tree import Constant, Entry, Name, Tree, paths
from sandbook.expressions._values import Expression, ExpressionSyntaxError

_PLAIN_PATH = re.compile(r"\s*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\s*", re.ASCII)
_WORD = re.compile(r"\w+", re.ASCII)
_LONGEST_PATH = 50
_RESERVED = frozenset(
    {"true", "false", "none", "True", "False", "None"}
    | {"and", "or", "not", "in", "is", "if", "else"}
)
_SECRET = re.compile(r"\s*secrets\.([A-Za-z_][A-Za-z0-9_]*)\s*", re.ASCII)


def parse(source: str, at: Location, *, offset: int = 3) -> Expression:
    """Read the text between `${{` and `}}`.

    Raises `ExpressionSyntaxError`.
    """
    tree = _parse_path(source) or _parse_with_jinja(source)
    secret = _SECRET.fullmatch(source)
    if secret is None:
        _refuse_secrets(tree)
    name = secret[1] if secret else None
    return Expression(source=source, at=at, tree=tree, secret=name, offset=offset)


def end_of_expression(text: str, start: int) -> int | None:
    """Where the `}}` begins that ends an expression whose text begins at `start`.

    Braces inside quotes and of maps do not count. In a double-quoted YAML text the
    quotes may be escaped; outside quotes a backslash means nothing else, so both
    ways of writing are read alike. None when the line ends first.
    """
    depth = 0
    position = start
    while position < len(text) and text[position] not in "\r\n":
        char = text[position]
        if text.startswith("}}", position) and depth <= 0:
            return position
        # Only the start of another one: without this, a line of them takes hours.
        if text.startswith("${{", position):
            return None
        if char in "'\"" or text.startswith('\\"', position):
            ended = _end_of_quote(text, position)
            if ended is None:
                return None
            position = ended
            continue
        depth += (char in "{[(") - (char in "}])")
        position += 1
    return None


def _end_of_quote(text: str, position: int) -> int | None:
    escaped = text[position] == "\\"
    quote = '\\"' if escaped else text[position]
    position += len(quote)
    while position < len(text) and text[position] not in "\r\n":
        if text.startswith(quote, position):
            return position + len(quote)
        # In an escaped quote each backslash of the expression is written twice.
        if escaped and text.startswith("\\\\", position):
            position += 4 if text.startswith("\\", position + 2) else 3
        else:
            position += 2 if text[position] == "\\" else 1
    return None


def _parse_path(source: str) -> Tree | None:
    if not _PLAIN_PATH.fullmatch(source):
        return None
    words = [(match[0], match.start()) for match in _WORD.finditer(source)]
    # A longer one is left to Jinja2, and refused there as one that is too deep.
    if words[0][0] in _RESERVED or len(words) > _LONGEST_PATH:
        return None
    tree: Tree = Name(*words[0])
    for word, column in words[1:]:
        tree = Entry(tree, Constant(word), column)
    return tree


def _parse_with_jinja(source: str) -> Tree:
    # Loaded on first use: hello-sized runbooks have plain paths only.
    from sandbook.expressions._jinja import parse_tree

    return parse_tree(source)


def _refuse_secrets(tree: Tree) -> None:
    for path in paths(tree):
        if path.names[0] == "secrets":
            raise ExpressionSyntaxError(
                "a secret stands alone, without operators and filters",
                code="SB306",
                column=path.columns[0],
                length=len("secrets"),
                remedy="write ${{ secrets.NAME }}, alone or within a longer text",
            )
