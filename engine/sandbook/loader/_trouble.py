"""Say in the author's words why YAML cannot read a text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import yaml

from sandbook.loader._shield import Shield
from sandbook.loader._source import Source

_QUOTE: Final = "quote the text, or write it behind | on lines of its own"
_KNOWN: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r"directive|incompatible YAML document",
        "a line that begins with % is a directive, and only %YAML 1.2 is known",
        "remove the line, or quote the text",
    ),
    (
        r"escape that is no character",
        "this escape stands for no character",
        "write the character itself, or one number for the whole of it",
    ),
    (
        r"while scanning an? (?P<what>alias|anchor|tag|directive)",
        "a text that begins with * & ! or % must be quoted: it would be a YAML {what}",
        "quote the text",
    ),
    (
        r"found ':' without a space behind it",
        "inside { } and [ ] a space is missing behind this `:`",
        "write `key: value`; quote a text that ends with a colon",
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


_WHOLE: Final = "put the whole text in quotes, or behind | on lines of its own"
_VALUE_IN_QUOTES: Final = re.compile(
    r"""\s*(?:- +)*[^\s:'"]+: +(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*') *"""
)
_NO_BREAK: Final = re.compile(r"\s*(?:- +)*[\w-]+:(?=[\u00a0\u202f])")
_QUOTED: Final = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"")


def explain_yaml_error(
    error: yaml.MarkedYAMLError, source: Source, shield: Shield
) -> tuple[int, int]:
    """Add the problem of a text that is not YAML; say from where to where it is."""
    mark = error.problem_mark or error.context_mark
    index = min(mark.index if mark else 0, len(source.text))
    begun = min(error.context_mark.index, index) if error.context_mark else index
    where = _place(error, index, shield.text)
    _explain(error, where, source, shield)
    return min(begun, where), index


def _explain(
    error: yaml.MarkedYAMLError, where: int, source: Source, shield: Shield
) -> None:
    unended = _unended_in_line(source, where, shield.unended)
    if unended is not None:
        shield.refuse_unended(unended)
        return
    tab = _tab_in_line(source, where)
    if tab is not None:
        _add_tab(source, tab)
        return
    if _stands_behind_quote(source, where):
        message = "the text ends with its closing quote, and this stands behind it"
        source.add("SB101", where, message, remedy=_WHOLE)
        return
    no_break = _no_break_space(error, source)
    if no_break is not None:
        message = "a no-break space stands behind this `:`, and YAML wants another"
        source.add("SB101", no_break, message, remedy="type the space anew")
        return
    told = f"{error.context or ''} {error.problem or ''}"
    for pattern, message, remedy in _KNOWN:
        found = re.search(pattern, told, re.DOTALL)
        if found:
            what = found.groupdict().get("what", "")
            words = message.replace("{what}", _as_written(what, source, where))
            source.add("SB101", where, words, remedy=remedy)
            return
    source.add("SB101", where, f"this is not YAML: {error.problem}", remedy=_QUOTE)


def _stands_behind_quote(source: Source, where: int) -> bool:
    """Whether the text of this line has ended before, with its quote."""
    at = source.locate(where)
    found = _VALUE_IN_QUOTES.match(source.line(at.line))
    return found is not None and found.end() == at.column - 1


def _no_break_space(error: yaml.MarkedYAMLError, source: Source) -> int | None:
    """The `:` of a key that is none, since the space behind it is not one."""
    context = error.context_mark
    if context is None or context.index >= len(source.text):
        return None
    at = source.locate(int(context.index))
    found = _NO_BREAK.match(source.line(at.line))
    return int(context.index) - at.column + found.end() if found else None


def _as_written(what: str, source: Source, where: int) -> str:
    """A character of a message, where PyYAML has met a private one of ours."""
    if what.isascii():
        return what
    return repr(source.text[where : where + 1] or what)


def _unended_in_line(source: Source, where: int, unended: Sequence[int]) -> int | None:
    """The expression without an end that stands before this place in its line."""
    start = where - source.locate(where).column + 1
    found = bisect_right(unended, where) - 1
    return unended[found] if found >= 0 and unended[found] >= start else None


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


def refuse_tabs(source: Source, text: str, scalars: Sequence[tuple[int, int]]) -> None:
    """Add a problem for each line with a tab outside texts and comments.

    `text` is what was read of the file, at the same offsets.

    libyaml takes some of them for spaces, PyYAML and others do not.
    """
    inside = sorted(scalars)
    index = 0
    told = 0
    for match in re.finditer("\t", text):
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
