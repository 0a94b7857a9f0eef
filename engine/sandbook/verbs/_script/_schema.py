"""What a line of a script may be: the fragments that the loader and editors read."""

from __future__ import annotations

from typing import Final

from sandbook.api import Schema
from sandbook.verbs._schemas import (
    BOOLEAN,
    DURATION,
    INTEGER,
    LINE,
    TEXT,
    any_of,
    described,
    one_of,
    only,
)

WITHIN: Final = 30.0
TERMINAL: Final[Schema] = {"type": "string", "x-kind": "terminal"}
_PATTERN: Final[Schema] = {**LINE, "format": "regex"}
_PATTERNS: Final[Schema] = {
    "type": "array",
    "items": {**TEXT, "format": "regex"},
    "minItems": 1,
}
_LINES: Final[Schema] = {
    "type": "array",
    "items": {"$ref": "#/$defs/line"},
    "minItems": 1,
}


def _within(what: str, default: str = "30s") -> Schema:
    return described(DURATION, what, "2m", default=default)


def _line(name: str, value: Schema, **more: Schema) -> Schema:
    """A line: what it does, and what may stand beside that."""
    return {
        "type": "object",
        "properties": {name: value, **more},
        "required": [name],
        "additionalProperties": False,
    }


_WAIT: Final = _within("How long to wait for it.")
_ON: Final = described(
    one_of("screen", "stream"),
    "Where to look: at what was drawn, or with `stream` at the text as it came, also "
    "what was drawn over since.",
    "stream",
    default="screen",
)
_SEE: Final = described(
    LINE,
    "Wait until this text is shown. Only what was drawn since the script last typed "
    "something counts, and no echo.",
    "Do you accept the licence?",
)
_SEE_REGEX: Final = described(
    _PATTERN,
    "Wait until something is shown that this regular expression matches.",
    "Installed \\d+ files",
    title="See (regular expression)",
)
_CHOICE: Final = {
    "then": described(
        _LINES, "What to do when that appears.", [{"enter": "no"}], title="Then"
    ),
    "again": described(
        BOOLEAN, "Afterwards wait for one of them once more.", True, default=False
    ),
}
_CHOOSE: Final = described(
    {
        "type": "array",
        "items": any_of(
            _line("see", _SEE, **_CHOICE), _line("see_regex", _SEE_REGEX, **_CHOICE)
        ),
        "minItems": 1,
    },
    "Wait for several things and go on with the first that appears.",
    [{"see": "Overwrite?", "then": [{"enter": "no"}]}, {"see": "Done"}],
)
_KEYS: Final = described(
    any_of(TEXT, {"type": "array", "items": TEXT, "minItems": 1}),
    "A key, or a list of keys: `Enter`, `Tab`, `Esc`, `Up`, `F1`, `Ctrl+C`, `Alt+x`, "
    "`Shift+Tab`, or a character. `Down x3` presses it three times.",
    "Enter",
    ["Down x3", "Space", "Enter"],
)

_LINE: Final = any_of(
    _line("see", _SEE, within=_WAIT, on=_ON),
    _line("see_regex", _SEE_REGEX, within=_WAIT, on=_ON),
    _line(
        "not_see",
        described(LINE, "This text must not be on the screen.", "error"),
        within=_within("It must also stay away for that long.", "0s"),
    ),
    _line(
        "enter",
        described(LINE, 'Type a text and press Enter; `""` is just Enter.', "yes"),
    ),
    _line("type", described(LINE, "Type a text, without Enter.", "/needle")),
    _line(
        "paste",
        described(LINE, "Paste a text: programs can tell it from typing.", "some text"),
    ),
    _line(
        "secret",
        described(
            TEXT,
            "Wait until the terminal hides what is typed, then type this and press "
            "Enter. It is never shown or recorded.",
            "${{ secrets.PASSWORD }}",
        ),
        within=_within("How long to wait until it is hidden."),
    ),
    _line("press", _KEYS),
    _line("choose", _CHOOSE, within=_within("How long to wait for one of them.")),
    _line(
        "wait_idle",
        described(
            DURATION,
            "Wait until nothing has been shown for that long; while disconnected, "
            "just wait.",
            "1s",
            title="Wait until idle",
        ),
        within=_within("How long that may take."),
    ),
    _line("resize", described(TERMINAL, "Give the terminal another size.", "132x50")),
    _line(
        "snapshot",
        described(
            only(TEXT),
            "The screen must equal the stored one of this name, "
            "`FILE.screens/NAME.txt` beside the runbook. `sandbook run "
            "--update-snapshots` writes it.",
            "menu",
        ),
        ignore=described(
            _PATTERNS,
            "Regular expressions: what they match may differ.",
            ["\\d+ MB free"],
        ),
    ),
    _line(
        "disconnect",
        described(BOOLEAN, "Leave the program running, unwatched.", True),
    ),
    _line(
        "reconnect",
        described(BOOLEAN, "Come back to it; what it showed meanwhile is seen.", True),
    ),
    _line(
        "expect_exit",
        described(
            any_of(INTEGER, one_of("any")),
            "The program must end with this code, or `any`.",
            0,
            title="Expected exit code",
        ),
        within=_within("How long to wait for its end."),
    ),
)

SCRIPT: Final[Schema] = described(
    {**_LINES, "$defs": {"line": _LINE}, "x-located": True},
    "What is done in the terminal, line by line.",
    [{"see": "Name:"}, {"enter": "Bob"}, {"see": "Hello Bob"}],
)
"""The key `script`."""
