"""Say in the author's words why YAML cannot read a text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import yaml
from yaml.reader import ReaderError

from sandbook.loader._source import Source

_QUOTE: Final = "quote the text, or write it behind | on lines of its own"
_KNOWN: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r"while scanning an? (?P<what>alias|anchor|tag|directive)",
        "a text that begins with * & ! or % must be quoted: it would be a YAML {what}",
        "quote the text",
    ),
    (
        r"mapping values are not allowed here",
        "`: ` cannot stand inside a text without quotes here",
        "quote the text; or check the indentation of this line",
    ),
    (
        r"while scanning a quoted scalar.*unexpected end of stream",
        "the quote that begins here has no end",
        "write the closing quote",
    ),
    (
        r"found unknown escape character (?P<what>.+)",
        "in a text in double quotes, \\ followed by {what} has no meaning",
        "write \\\\ for a plain backslash, or use single quotes",
    ),
    (
        r"character '(?P<what>[@`%])' that cannot start",
        "a text cannot begin with {what} without quotes here",
        _QUOTE,
    ),
    (
        r"could not find expected ':'",
        "a `:` is missing behind a key, or a text is not indented far enough",
        "write `key: value`",
    ),
    (
        r"expected ',' or '[\]}]'",
        "the list or map in brackets does not go on with a comma or its end",
        "inside { } and [ ] a text with : , # ? or brackets needs quotes",
    ),
    (
        r"while parsing a flow (node|sequence|mapping)",
        "something is missing or too much inside { } or [ ]",
        "inside { } and [ ] a text with : , # ? or brackets needs quotes",
    ),
    (
        r"expected <block end>|did not find expected|sequence entries are not allowed",
        "this line does not fit the lines above it",
        "check its indentation, and the line before it",
    ),
    (
        r"expected chomping or indentation indicators|expected a comment or a line",
        "behind | or > nothing but its indicators may stand",
        "write the text on the next line, indented",
    ),
)


_QUOTED: Final = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"")


def explain_yaml_error(error: yaml.YAMLError, source: Source, text: str) -> None:
    """Add the problem of a text that is not YAML."""
    if isinstance(error, ReaderError):
        position = min(int(error.position), len(source.text))
        found: object = error.character
        code = found if isinstance(found, int) else ord(str(found)[:1])
        source.add(
            "SB101",
            position,
            f"the character U+{code:04X} cannot stand in YAML",
            remedy=f'write it in double quotes, as "\\u{code:04x}"',
        )
        return
    if isinstance(error, yaml.MarkedYAMLError):
        _add_marked(error, source, text)
        return
    source.add("SB101", 0, f"the file is not YAML: {error}")


def _add_marked(error: yaml.MarkedYAMLError, source: Source, text: str) -> None:
    mark = error.problem_mark or error.context_mark
    where = _place(error, mark.index if mark else 0, text)
    tab = _tab_in_line(source, where)
    if tab is not None:
        _add_tab(source, tab)
        return
    told = f"{error.context or ''} {error.problem or ''}"
    for pattern, message, remedy in _KNOWN:
        found = re.search(pattern, told, re.DOTALL)
        if found:
            words = message.replace("{what}", found.groupdict().get("what", ""))
            source.add("SB101", where, words, remedy=remedy)
            return
    source.add("SB101", where, f"this is not YAML: {error.problem}", remedy=_QUOTE)


def _place(error: yaml.MarkedYAMLError, index: int, text: str) -> int:
    """Where to point: an end of file tells nobody anything."""
    begins = re.search("quoted|alias|anchor|tag", error.context or "") is not None
    context = error.context_mark
    if context is not None and (begins or index >= len(text.rstrip())):
        return int(context.index)
    return min(index, len(text.rstrip()))


def _tab_in_line(source: Source, where: int) -> int | None:
    """The first tab of the line outside quotes: PyYAML stumbles before or behind it."""
    at = source.locate(where)
    bare = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), source.line(at.line))
    tab = bare.find("\t")
    return where - at.column + 1 + tab if tab >= 0 else None


def _add_tab(source: Source, where: int) -> None:
    source.add(
        "SB102",
        where,
        "a tab stands where YAML wants spaces",
        remedy="write spaces; in a text without quotes, quote it",
    )


def refuse_tabs(source: Source, scalars: Sequence[tuple[int, int]]) -> None:
    """Add a problem for each line with a tab outside texts and comments.

    libyaml takes some of them for spaces, PyYAML and others do not.
    """
    inside = sorted(scalars)
    index = 0
    told = 0
    for match in re.finditer("\t", source.text):
        position = match.start()
        while index < len(inside) and inside[index][1] <= position:
            index += 1
        if index < len(inside) and inside[index][0] <= position:
            continue
        line = source.locate(position).line
        if line != told and not _in_comment(source, position, inside, index):
            _add_tab(source, position)
            told = line


def _in_comment(
    source: Source, position: int, scalars: Sequence[tuple[int, int]], index: int
) -> bool:
    at = source.locate(position)
    start = position - at.column + 1
    before = scalars[index - 1][1] if index else 0
    between = source.text[max(start, before) : position]
    return "#" in between
