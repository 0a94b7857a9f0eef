"""Decides what a file of variables means (`--env-file`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from sandbook.errors import UsageError

_LINE = re.compile(
    r"""
    [ \t]*(?:export[ \t]+)?
    (?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
    (?:
        '(?P<single>[^']*)'
      | "(?P<double>(?:[^"\\]|\\.)*)"
      | (?P<plain>(?!['"])[^\n]*?)
    )
    [ \t]*(?:(?<=[\s'"])\#[^\n]*)?\r?(?:\n|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_EMPTY = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)")
_ESCAPE = re.compile(r'\\([nrt\\"$`])')
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def read_variables(text: str, path: Path) -> Mapping[str, str]:
    """The variables of a text of `NAME=VALUE` lines; the last one of a name counts.

    `export` before it, empty lines and lines that begin with `#` mean nothing. A
    value without quotes ends at its line or at ` #`. One in 'single' quotes is as
    it stands, one in "double" quotes knows the escapes n r t \\ " $ and the backtick;
    both may go over several lines. Nothing is put in for `$NAME`.

    Raises:
        UsageError: Names every line that is wrong, and shows none: it may be secret.
    """
    found = list(_read(text))
    wrong = [each for each in found if isinstance(each, int)]
    if wrong:
        raise UsageError(
            "; ".join(f"{path}:{line}: this is not a variable" for line in wrong),
            remedy="write NAME=VALUE, with quotes around a value that has ` #` in it "
            "or begins with a quote",
        )
    return dict(each for each in found if not isinstance(each, int))


def _read(text: str) -> Iterator[tuple[str, str] | int]:
    """Each variable; for a line that is none, its number."""
    at = 0
    while at < len(text):
        line = _EMPTY.match(text, at) or _LINE.match(text, at)
        if line is None:
            yield text.count("\n", 0, at) + 1
            at = text.find("\n", at) + 1 or len(text)
            continue
        if line.re is _LINE:
            yield line["name"], _value(line)
        at = line.end()


def _value(line: re.Match[str]) -> str:
    if line["double"] is not None:
        return _ESCAPE.sub(lambda each: _ESCAPED.get(each[1], each[1]), line["double"])
    if line["single"] is not None:
        return line["single"]
    plain: str = line["plain"]
    return plain
