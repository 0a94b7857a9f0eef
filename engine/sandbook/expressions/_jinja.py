"""Read an expression with Jinja2's lexer and parser, and translate its tree.

Jinja2 knows lines but no columns: each token is handed to its parser with its column
as its line, so that nodes and errors carry the column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, Literal

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream, operators
from jinja2.parser import Parser

from sandbook.expressions import _tree as tree
from sandbook.expressions._filters import FILTERS
from sandbook.expressions._values import ExpressionSyntaxError

_ENVIRONMENT: Final = Environment(optimized=False, autoescape=False)  # noqa: S701 - renders no HTML, renders nothing
_DEEPEST: Final = 100
_LARGEST: Final = 2**63
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_COMPARATORS: Final[dict[str, tree.Comparator]] = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "lteq": "<=",
    "gt": ">",
    "gteq": ">=",
    "in": "in",
    "notin": "not in",
}
_OPERATORS: Final[dict[type[nodes.BinExpr], tree.Operator]] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.And: "and",
    nodes.Or: "or",
}
_UNARY: Final[dict[type[nodes.UnaryExpr], Literal["+", "-", "not"]]] = {
    nodes.Neg: "-",
    nodes.Pos: "+",
    nodes.Not: "not",
}
_MOST_CHARACTERS: Final = 10_000
_WORDS: Final = {
    "and": "write `and`",
    "or": "write `or`",
    "not": "write `not`",
    "for": "`for_each` of a step goes through a list",
}
_FILTERS_FOR: Final = {
    **{name: name for name in FILTERS},
    "len": "length",
    "str": "string",
    "strip": "trim",
    "json": "tojson",
    "reversed": "reverse",
    "sorted": "sort",
    "get": "default",
}
_TOO_DEEP: Final = "the expression is nested too deeply"


def parse_tree(source: str) -> tree.Tree:
    """Read an expression; raises `ExpressionSyntaxError`."""
    if len(source) > _MOST_CHARACTERS:
        raise ExpressionSyntaxError(
            f"the expression is longer than {_MOST_CHARACTERS} characters",
            remedy="give large values by an input or a file",
        )
    try:
        parser = Parser(_ENVIRONMENT, "", state="variable")
        parser.stream = TokenStream(_tokens(source), None, None)
        if parser.stream.eos:
            raise ExpressionSyntaxError(
                "the expression is empty", remedy="write a name, as ${{ inputs.x }}"
            )
        parsed = parser.parse_expression()
        if not parser.stream.eos:
            _refuse_rest(parser.stream.current)
        return _translate(parsed, 0)
    except TemplateSyntaxError as error:
        raise _explain(error, source) from error
    except RecursionError as error:
        raise ExpressionSyntaxError(_TOO_DEEP) from error


def _tokens(source: str) -> Iterator[Token]:
    column = 0
    for _, kind, text in _ENVIRONMENT.lexer.tokeniter(source, None, state="variable"):
        token = _token(column, kind, text)
        if token is not None:
            yield token
        column += len(text)


def _token(column: int, kind: str, text: str) -> Token | None:
    match kind:
        case "whitespace":
            return None
        case "operator":
            return Token(column, operators[text], text)
        case "string":
            return Token(column, kind, _ESCAPE.sub(_unescape, text[1:-1]))
        case "integer":
            return Token(column, kind, _integer(column, text))  # type: ignore[arg-type]  # Jinja2 annotates str and wants the number
        case "float":
            return Token(column, kind, _float(column, text))  # type: ignore[arg-type]
        case _:
            return Token(column, kind, text)


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        char = chr(int(match[1], 16))
        if "\ud800" <= char <= "\udfff":
            raise ExpressionSyntaxError(
                f"{match[0]} is half a character", remedy="write the character itself"
            )
        return char
    return _ESCAPES.get(match[2], match[0])


def _integer(column: int, text: str) -> int:
    try:
        number = int(text.replace("_", ""), 0)
    except ValueError:
        number = _LARGEST
    if number >= _LARGEST:
        raise ExpressionSyntaxError(
            "the number is too large", column=column, length=len(text)
        )
    return number


def _float(column: int, text: str) -> float:
    number = float(text.replace("_", ""))
    if number == float("inf"):
        raise ExpressionSyntaxError(
            "the number is too large", column=column, length=len(text)
        )
    return number


def _refuse_rest(token: Token) -> None:
    text = str(token.value)
    remedies = {
        "assign": "to compare, write ==",
        "colon": "arguments of a filter stand in brackets: join(', ')",
        "comma": "a list is written in brackets: [a, b]",
        "name": _WORDS.get(text.lower(), ""),
        "lparen": "there are no calls; filters are written `value | filter`",
    }
    raise ExpressionSyntaxError(
        f"{text!r} was not expected here",
        column=token.lineno,
        length=len(text),
        remedy=remedies.get(token.type, ""),
    )


def _explain(error: TemplateSyntaxError, source: str) -> ExpressionSyntaxError:
    message = error.message or "the expression cannot be read"
    unexpected = re.fullmatch(r"unexpected char (.+) at (\d+)", message)
    if unexpected:
        remedies = {
            "'!'": "write `not` or `!=`",
            "'&'": "write `and`",
            "'?'": "write `y if x else z`",
            "'$'": "names stand as they are: inputs.x",
            '"\'"': "the quote is not closed",
            "'\"'": "the quote is not closed",
        }
        return ExpressionSyntaxError(
            f"the character {unexpected[1]} has no meaning here",
            column=int(unexpected[2]),
            remedy=remedies.get(unexpected[1], ""),
        )
    if re.match(r"unexpected '?end of template", message):
        message = "the expression is not complete"
        return ExpressionSyntaxError(message, column=len(source.rstrip()))
    if "got '|'" in message:
        remedy = "write `or`" if "||" in source else "a filter's name stands behind |"
        return ExpressionSyntaxError(
            "'|' was not expected here", column=error.lineno, remedy=remedy
        )
    if "got '%'" in message and "{%" in source:
        return ExpressionSyntaxError(
            "there are no statements", remedy="`if` and `for_each` are keys of a step"
        )
    message = message.replace("end of print statement", "the end")
    return ExpressionSyntaxError(message, column=min(error.lineno, len(source)))


def _refuse(message: str, node: nodes.Node, remedy: str = "") -> ExpressionSyntaxError:
    return ExpressionSyntaxError(message, column=node.lineno, remedy=remedy)


def _translate(node: nodes.Node, depth: int) -> tree.Tree:  # noqa: C901, PLR0911, PLR0912 - one case for each kind of node
    if depth > _DEEPEST:
        raise _refuse(_TOO_DEEP, node)

    def inner(part: nodes.Node) -> tree.Tree:
        return _translate(part, depth + 1)

    match node:
        case nodes.Const():
            return tree.Constant(node.value)
        case nodes.Name():
            return tree.Name(node.name, node.lineno)
        case nodes.Getattr():
            return tree.Entry(
                inner(node.node), tree.Constant(node.attr), node.lineno + 1
            )
        case nodes.Getitem():
            return _entry(node, inner)
        case nodes.List() | nodes.Tuple():
            return tree.ListOf(tuple(inner(item) for item in node.items))
        case nodes.Dict():
            pairs = tuple((inner(pair.key), inner(pair.value)) for pair in node.items)
            return tree.MapOf(pairs)
        case nodes.Pow():
            raise _refuse("there is no power operator", node, "multiply instead")
        case nodes.UnaryExpr():
            return tree.Unary(_UNARY[type(node)], inner(node.node))
        case nodes.BinExpr():
            operator = _OPERATORS[type(node)]
            _refuse_text(node, operator)
            return tree.Binary(operator, inner(node.left), inner(node.right))
        case nodes.Concat():
            return _joined(node, inner)
        case nodes.Compare():
            return _comparison(node, inner)
        case nodes.CondExpr():
            return _choice(node, inner)
        case nodes.Filter():
            return _filtered(node, inner)
        case nodes.Test():
            return _tested(node, inner)
        case nodes.Call():
            raise _refuse("there are no calls", node, _instead_of_call(node))
        case _:
            raise _refuse("this is not part of the language", node)


def _refuse_text(node: nodes.BinExpr, operator: tree.Operator) -> None:
    for side in (node.left, node.right):
        if operator in ("+", "-", "*", "/", "//", "%") and (
            isinstance(side, nodes.Const) and isinstance(side.value, str)
        ):
            raise _refuse(
                f"`{operator}` needs numbers, and {side.value!r} is a text",
                side,
                "texts are joined with ~" if operator == "+" else "",
            )


def _instead_of_call(node: nodes.Call) -> str:
    match node.node:
        case nodes.Name(name=name) | nodes.Getattr(attr=name):
            known = _FILTERS_FOR.get(name)
        case _:
            known = None
    if known is None:
        return "filters are written `value | filter`"
    most = FILTERS[known].most
    return f"write `value | {known}{'(…)' if most else ''}`"


_Inner = Callable[[nodes.Node], tree.Tree]


def _entry(node: nodes.Getitem, inner: _Inner) -> tree.Tree:
    of = inner(node.node)
    if not isinstance(node.arg, nodes.Slice):
        return tree.Entry(of, inner(node.arg), node.lineno + 1)
    bounds = (node.arg.start, node.arg.stop, node.arg.step)
    start, stop, step = (None if part is None else inner(part) for part in bounds)
    return tree.Part(of, start, stop, step)


def _comparison(node: nodes.Compare, inner: _Inner) -> tree.Tree:
    rest: list[tuple[tree.Comparator, tree.Tree]] = [
        (_COMPARATORS[operand.op], inner(operand.expr)) for operand in node.ops
    ]
    return tree.Comparison(inner(node.expr), tuple(rest))


def _joined(node: nodes.Concat, inner: _Inner) -> tree.Tree:
    parts: list[tree.Tree] = [inner(part) for part in node.nodes]
    # Joined by halves, so that a long chain of ~ does not nest deeply.
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        joined: list[tree.Tree] = [tree.Binary("~", *pair) for pair in pairs]
        parts = [*joined, *parts[len(joined) * 2 :]]
    return parts[0]


def _choice(node: nodes.CondExpr, inner: _Inner) -> tree.Tree:
    if node.expr2 is None:
        raise _refuse(
            "`if` without `else` has no value for the other case",
            node,
            "write `a if condition else b`",
        )
    return tree.Choice(inner(node.test), inner(node.expr1), inner(node.expr2))


def _filtered(node: nodes.Filter, inner: _Inner) -> tree.Tree:
    from sandbook.problems import suggest  # only wrong names need it

    known = FILTERS.get(node.name)
    if known is None or node.node is None:
        raise ExpressionSyntaxError(
            f"there is no filter {node.name!r}",
            code="SB307",
            column=node.lineno,
            length=len(node.name),
            remedy=suggest(node.name, FILTERS, kind="filters"),
        )
    if node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise _refuse(f"{node.name!r} takes no named arguments", node)
    count = len(node.args)
    if not known.least <= count <= known.most:
        expected = {(0, 0): "no argument", (1, 1): "one argument"}.get(
            (known.least, known.most), f"{known.least} to {known.most} arguments"
        )
        raise _refuse(f"{node.name!r} takes {expected}, not {count}", node)
    arguments = tuple(inner(argument) for argument in node.args)
    return tree.Filtered(inner(node.node), node.name, arguments)


def _tested(node: nodes.Test, inner: _Inner) -> tree.Tree:
    if node.name == "defined" and not node.args:
        return tree.Tested(inner(node.node), "defined")
    if node.name == "none" and not node.args:
        return tree.Tested(inner(node.node), "none")
    raise _refuse(
        f"there is no test `is {node.name}`",
        node,
        "tests: is defined, is not defined, is none, is not none",
    )
