"""Which texts without quotes other YAML tools misread, and the quotes they need."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

_MISREAD: Final = re.compile(
    r":(?:\s|\Z)|\s#|[\t\x85\u2028\u2029]|\A[-?:](?:\s|\Z)|\A[\[\]{},*&!%@`|>#\"']"
    r"|\A(?:---|\.\.\.)(?:\s|\Z)"
)
_MISREAD_IN_BRACES: Final = re.compile(r"[,\[\]{}?]|\A:")
_BREAKS: Final = {
    "\x85": "\\N",
    "\u2028": "\\L",
    "\u2029": "\\P",
    "\\": "\\\\",
    '"': '\\"',
}
_NO_BREAKS: Final = str.maketrans(dict.fromkeys("\x85\u2028\u2029", "\ue000"))
_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN: Final = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})
_NUMBER: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_NUMBERS: Final = frozenset({"integer", "number", "version"})


def is_misread(written: str, *, in_braces: bool) -> bool:
    """Whether a YAML tool would find something else than one text here."""
    if in_braces and _MISREAD_IN_BRACES.search(written):
        return True
    return _MISREAD.search(written) is not None


def without_old_breaks(text: str) -> str:
    """As long a text, without the characters that only YAML 1.1 takes for line ends.

    PyYAML does, and libyaml; in a block text or a comment no escape can stand for them.
    """
    return text.translate(_NO_BREAKS)


def is_taken_for_other(written: str) -> bool:
    """Whether a tool of YAML 1.1 or 1.2 would take the text for no text."""
    if written in _NULL or written in _BOOLEAN:
        return True
    if _NUMBER.fullmatch(written):
        return True
    known: dict[Any, list[Any]] = yaml.SafeLoader.yaml_implicit_resolvers
    rules = (*known.get(written[:1], ()), *known.get(None, ()))
    return any(pattern.match(written) for _, pattern in rules)


def means_text(kinds: frozenset[str], written: str) -> bool:
    """Whether the language takes what is written at a place of these kinds for text.

    Where several kinds may stand, the doubt is against it.
    """
    if not kinds or "free" in kinds:
        return not (
            written in _NULL or written in _BOOLEAN or _NUMBER.fullmatch(written)
        )
    if kinds & _NUMBERS and _NUMBER.fullmatch(written):
        return False
    if kinds & {"boolean", "expression"} and written in _BOOLEAN:
        return False
    return not ("nothing" in kinds and written in _NULL)


def in_quotes(written: str, *, may_be_block: bool = False) -> str | None:
    """The text in the quotes that need no escapes, double ones first.

    None = a block text is easier to read, where there may be one.
    """
    if any(char in written for char in "\x85\u2028\u2029"):
        # Inside quotes too YAML 1.1 takes these for line ends.
        return _in_double(written)
    awkward = written.count('"') + written.count("\\")
    if not awkward:
        return f'"{written}"'
    single = written.count("'")
    if single and may_be_block:
        return None
    if single <= awkward:
        return "'{}'".format(written.replace("'", "''"))
    return _in_double(written)


def _in_double(written: str) -> str:
    return '"{}"'.format("".join(_BREAKS.get(char, char) for char in written))
