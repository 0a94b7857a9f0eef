"""What an expectation may ask for, and how it is compared (language §5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbook.api import Schema
from sandbook.schema._atoms import (
    BOOLEAN,
    FREE,
    INTEGER,
    NUMBER,
    PATTERN,
    SIZE,
    TEXT,
    any_of,
    keys,
    list_of,
    map_of,
    one_of,
    said,
    some,
)

_TEXTS: Final = any_of(TEXT, list_of(TEXT))


def _matchers(value: Schema) -> dict[str, Schema]:
    return {
        "equals": said(
            value, "It is exactly this, every byte, line ends too.", "done", 3
        ),
        "contains": said(
            _TEXTS, "It has this text, or all texts of this list.", "ok", ["a", "b"]
        ),
        "not_contains": said(
            _TEXTS, "It has not this text, or none of this list.", "Traceback"
        ),
        "matches": said(
            PATTERN,
            "This regular expression (Python's) is found anywhere in it; "
            "`^` and `$` are the ends of a line.",
            "^v[0-9]+",
        ),
        "more_than": said(NUMBER, "It is a number larger than this.", 0),
        "less_than": said(NUMBER, "It is a number smaller than this.", 100),
        "one_of": said(list_of(value), "It equals one of these.", ["a", "b"]),
    }


TEXT_MATCHERS: Final = _matchers(TEXT)
FREE_MATCHERS: Final = _matchers(FREE)
_FREE: Final = some(keys(FREE_MATCHERS))
_TEXT: Final = any_of(TEXT, some(keys(TEXT_MATCHERS)))
_CODE: Final = any_of(INTEGER, one_of("any"), _FREE)
_VALUES: Final = map_of(any_of(_FREE, FREE))
_AMOUNT: Final = any_of(INTEGER, SIZE)
_SIZE: Final = some(
    keys(
        {
            "equals": said(_AMOUNT, "It is exactly so large.", "1KiB", 3),
            "more_than": said(_AMOUNT, "It is larger than this.", 0, "1KiB"),
            "less_than": said(_AMOUNT, "It is smaller than this.", "10MB"),
            "one_of": said(list_of(_AMOUNT), "It is so large as one of these.", [0]),
        }
    )
)
_BYTES: Final = any_of(INTEGER, SIZE, _SIZE)
FILE: Final = keys(
    {
        "path": said(TEXT, "Which file of the sandbox.", "out/report.txt"),
        "exists": said(BOOLEAN, "`false`: it must not be there.", False, default=True),
        "size": said(
            _BYTES, "How large it is, or a map of matchers.", "1KiB", {"more_than": 0}
        ),
        **TEXT_MATCHERS,
    },
    "path",
)
_FILES: Final = any_of(TEXT, FILE, list_of(any_of(TEXT, FILE)))

SUBJECTS: Final[Mapping[str, Schema]] = {
    "exit": said(
        _CODE,
        "The exit code; `any` accepts every one. Without it 0 is required.",
        0,
        "any",
        title="Exit code",
        default=0,
    ),
    "error": said(
        _TEXT,
        "An exception must come, and its `Name: message` contains this; `any` = "
        "with or without one.",
        "ZeroDivisionError",
        "any",
    ),
    "stdout": said(_TEXT, "What it wrote to stdout contains this.", "Hello"),
    "stderr": said(_TEXT, "What it wrote to stderr contains this.", "warning"),
    "output": said(
        _TEXT, "Both streams, as they came, contain this.", {"not_contains": "Error"}
    ),
    "text": said(
        _TEXT,
        "The text contains this: of a command its stdout without line ends at its "
        "end, of a page its body.",
        "Welcome",
        {"equals": "3.10"},
    ),
    "json": said(
        _VALUES,
        "The JSON that was written: a map of `path.to[0].key` and what it equals.",
        {"items[0].name": "first"},
        title="JSON",
    ),
    "values": said(
        _VALUES,
        "What `save` kept: a map of its names and what they equal.",
        {"version": "3.10"},
    ),
    "file": said(
        _FILES,
        "This file is in the sandbox, or a list of files; a map says more of it.",
        "out.txt",
        {"path": "server.log", "not_contains": "Traceback"},
    ),
    "status": said(_CODE, "The HTTP status of the answer.", 200, title="HTTP status"),
}
"""Every subject, whichever verb it belongs to."""
