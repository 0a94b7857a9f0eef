"""What a pattern over paths means; one meaning for runbooks, verbs and providers."""

from __future__ import annotations

import re

_TOKENS = re.compile(r"(\*\*/|\*\*|\*|\?)")
_MEANINGS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def pattern_regex(pattern: str) -> str:
    r"""The regular expression of a pattern with `*`, `**` and `?`.

    `*` stays within a name, `**` goes across folders, `?` is one character. The regular
    expression ends with `\Z`, so `match` is about the whole path, and needs
    `re.DOTALL`: a name may hold a line end. A provider may hand it to its own programs.
    """
    parts = (_MEANINGS.get(t, re.escape(t)) for t in _TOKENS.split(pattern))
    return "".join(parts) + r"\Z"
