"""Runbooks written in every way that an author may choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import strategies as st

Tree: TypeAlias = "str | Quoted | Block | list[Tree] | dict[str, Tree]"


@dataclass(frozen=True)
class Quoted:
    """A text that stands in quotes, or the line of a text that takes its line."""

    written: str


@dataclass(frozen=True)
class Block:
    """A text of several lines."""

    header: str
    lines: tuple[str, ...]


LINES = (
    "echo hi",
    "a: b",
    "x # y",
    'it\'s: a "test"',
    "echo ${{ inputs.who }}",
    'echo ${{ inputs.who | default("a # b: c") }}',
    "echo ${{ inputs.who == 'it' }} \"it's\" \\n # x",
    "{a} b",
    "*star",
    "&x y",
    "!no",
    "%x",
    "@x",
    "`x`: y",
    "- x",
    "? x",
    ": x",
    "3.10",
    "yes",
    "null",
    "a: 'b",
    "x:",
    "ends with \\",
    "tab\there",
    "$${{ plain: # }}",
    "unicode … ünï: \u00a0x",
    "line\u2028sep: x",
    "--- x: y",
)
TEXTS = (
    "plain",
    "3.10",
    "0644",
    "yes",
    "NO",
    "on",
    "null",
    "~",
    "22:22",
    "2026-09-01",
    "1_000",
    "0x1F",
    "1e3",
    ".5",
    "=",
    "<<",
    "y",
    "a b  c",
    "http://x/?a=b",
    "a#b",
    "-x",
    "'it''s'",
    '"a\\"b"',
    "''",
    "${{ inputs.who }}",
    "x ${{ inputs.who }} y",
    '${{ inputs.who | default("a: b # c") }}',
    "${{ {'a': 1}.a }}",
    "'${{ inputs.who }}'",
    '"3.10"',
)
FREE = (
    "1",
    "1.5",
    "true",
    "null",
    "NO",
    "on",
    "22:22",
    "text",
    '"007"',
    "${{ inputs.who }}",
    "{a: [1, b], c: {d: NO}}",
    "[ 1 , two,'three' ]",
    "{ }",
    "{a: , b: 1}",
)
FLOW = (
    "[a, b]",
    "[ 'a' ,b ]",
    "[x,\n\n   # c\n y , z\n]",
    '["a b", ${{ inputs.who }}]',
)
NAMES = ("A", "on", "NO", "y", "B2", "null", "_3")
BLOCKS = (
    Block("|", ("echo a", "", "  deeper", "# no comment")),
    Block("|-", ("echo a: b",)),
    Block("|+", ("echo a", "", "")),
    Block(">", ("folded", "text", "", "again")),
    Block("|2", ("  begins deeper", "echo")),
    Block("|-2", (" x", "y ", "  ")),
    Block("| # why", ("echo",)),
    Block("|", ("",)),
)


class Writer:
    """Writes a tree with the choices that `draw` makes."""

    def __init__(self, draw: Callable[[st.SearchStrategy[int]], int]) -> None:
        self._draw = draw

    def pick(self, most: int) -> int:
        """A number from 0 to `most`; small ones are simple."""
        return self._draw(st.integers(0, most))

    def between(self, column: int) -> str:
        """Empty lines and comments that may stand between two lines."""
        kind = self.pick(9)
        if kind < 5:
            return ""
        comment = f"{' ' * (column if kind < 8 else self.pick(6))}# note: {kind}\n"
        return "\n" * (kind % 4) + (comment if kind > 6 else "")

    def write_top(self, tree: Tree) -> str:
        """A whole file."""
        return self._map(tree, 0)

    def write(self, tree: Tree, column: int) -> str:
        """What stands behind a key or a dash, the line end included."""
        if isinstance(tree, dict):
            return self._nested(self._map, tree, column)
        if isinstance(tree, list):
            return self._nested(self._list, tree, column)
        if isinstance(tree, Block):
            return self._block(tree, column)
        if isinstance(tree, Quoted):
            return " " * (1 + self.pick(2)) + tree.written + "\n"
        comment = ("", "", "", "  # why", " # x: y")[self.pick(4)]
        return (
            " " * (1 + self.pick(2))
            + tree.replace("\n", f"\n{' ' * column} ")
            + comment
            + "\n"
        )

    def _nested(
        self, write: Callable[[Tree, int], str], tree: Tree, column: int
    ) -> str:
        least = 0 if isinstance(tree, list) else 1
        inner = column + least + self.pick(4)
        return f"{self.comment()}\n{self.between(inner)}{write(tree, inner)}"

    def comment(self) -> str:
        """A comment behind a key."""
        return (" # below", "", "", "")[3 - self.pick(3)]

    def _map(self, tree: Tree, column: int) -> str:
        assert isinstance(tree, dict)
        out: list[str] = []
        for key, value in tree.items():
            out.append(self.between(column) if out else "")
            out.append(" " * column + key + ("", " ")[self.pick(5) == 5] + ":")
            out.append(self.write(value, column))
        return "".join(out)

    def _list(self, tree: Tree, column: int) -> str:
        assert isinstance(tree, list)
        out: list[str] = []
        for item in tree:
            out.append(self.between(column) if out else "")
            if isinstance(item, dict) and self.pick(5) < 5:
                gap = 1 + self.pick(3)
                body = self._map(item, column + 1 + gap)
                out.append(" " * column + "-" + " " * gap + body.lstrip(" "))
            else:
                out.append(" " * column + "-" + self.write(item, column + 1))
        return "".join(out)

    def _block(self, block: Block, column: int) -> str:
        # An indicator counts from the column of the map or list around it.
        digits = [int(char) for char in block.header.split(" ")[0] if char.isdigit()]
        inner = column + (digits[0] if digits else 1 + self.pick(4))
        lines = ("", *(f"{' ' * inner}{line}" if line else "" for line in block.lines))
        return f" {block.header}" + "\n".join(lines) + "\n"


Trees: TypeAlias = st.SearchStrategy[Tree]


def _one_of(*texts: str) -> Trees:
    return st.sampled_from(texts)


def _flat(texts: tuple[str, ...]) -> Trees:
    return st.sampled_from(texts)


def _maps(keys: tuple[str, ...], values: Trees, most: int) -> Trees:
    return st.dictionaries(
        st.sampled_from(keys), values, min_size=1, max_size=most
    ).map(_tree)


def _lists(values: Trees, most: int) -> Trees:
    return st.lists(values, min_size=1, max_size=most).map(_tree)


def _keys(
    required: dict[str, Trees], optional: dict[str, Trees]
) -> st.SearchStrategy[dict[str, Tree]]:
    return st.fixed_dictionaries(required, optional=optional)


def _tree(tree: Tree) -> Tree:
    return tree


_LINE: Trees = st.one_of(
    st.sampled_from(LINES).map(Quoted), st.sampled_from(BLOCKS), _flat(TEXTS)
)
_TEXT: Trees = st.one_of(_flat(TEXTS), st.sampled_from(BLOCKS))
_FREE: Trees = st.recursive(
    st.one_of(_flat(FREE), st.sampled_from(BLOCKS)),
    lambda inner: st.one_of(
        _lists(inner, 2),
        _maps(NAMES, inner, 2),
    ),
    max_leaves=4,
)
_ENV: Trees = st.one_of(
    _maps(NAMES, _TEXT, 3),
    _one_of("{A: 3.10, on: ${{ inputs.who }} }", "{ }", "{A: 'x'}  # why"),
)
_ARGV: Trees = st.one_of(_flat(FLOW), _lists(_TEXT, 3))
_OWN: tuple[st.SearchStrategy[dict[str, Tree]], ...] = (
    _keys(
        {"command": st.one_of(_LINE, _ARGV)},
        {
            "stdin": _TEXT,
            "expect": _one_of("{stdout: 3.10}", "{ exit: 0 }", "{text: [ a,b ]}"),
            "background": _one_of("false"),
        },
    ),
    _keys(
        {"write": _flat(TEXTS), "content": _TEXT},
        {"mode": _one_of("0644", "600", '"0600"')},
    ),
    _keys({"check": _one_of("true", "1 == 1", "${{ 1 in [1] }}")}, {}),
)
_USUAL = _keys(
    {},
    {
        "name": _LINE,
        "env": _ENV,
        "retry": _one_of("2", "{times: 1, on: [ exit ]}"),
        "timeout": _one_of("5m", "none"),
        "if": _one_of("true", "inputs.who == 'a: b'", "${{ 'x' == \"#\" }}"),
    },
)


def _step(own: st.SearchStrategy[dict[str, Tree]]) -> Trees:
    def join(parts: tuple[dict[str, Tree], dict[str, Tree], bool]) -> Tree:
        usual, verb, is_first = parts
        return {**verb, **usual} if is_first else {**usual, **verb}

    return st.tuples(_USUAL, own, st.booleans()).map(join)


_STEPS: Trees = _lists(st.one_of(*(_step(own) for own in _OWN)), 2)
_INPUTS: Trees = st.sampled_from(
    (
        "{who: {default: 3.10}}",
        {"who": {"default": "on", "description": Quoted("x: y")}},
    )
)
_TOP = _keys(
    {"runbook": _one_of("1"), "inputs": _INPUTS, "steps": _STEPS},
    {
        "name": _LINE,
        "env": _ENV,
        "outputs": _maps(NAMES, _FREE, 2),
        "finally": _STEPS,
        "artifacts": _ARGV,
    },
)


@st.composite
def books(draw: st.DrawFn) -> str:
    """The text of a runbook; most of them have no problems."""
    top = draw(_TOP)
    keys = draw(st.permutations(list(top)))
    writer = Writer(draw)
    text = writer.between(0) + writer.write_top({key: top[key] for key in keys})
    ends = draw(st.sampled_from(["\n", "\n", "\n", "\r\n"]))
    text = text if draw(st.integers(0, 5)) else text.removesuffix("\n")
    return text.replace("\n", ends)
