"""What programs ask a terminal to be, and what it answers when they ask what it is."""

from __future__ import annotations

from typing import Final

WRAP: Final = 7
ORIGIN: Final = 6
CURSOR_KEYS: Final = 1
BRACKETED_PASTE: Final = 2004
SAVE_CURSOR: Final = 1048
ALTERNATE: Final = (47, 1047, 1049)
KEEPS_CURSOR: Final = 1049

KNOWN: Final = frozenset(
    {CURSOR_KEYS, ORIGIN, WRAP, 12, 25, 1000, 1002, 1003, 1004, 1006, BRACKETED_PASTE}
    | {SAVE_CURSOR, *ALTERNATE}
)
"""Private modes that are remembered; of the others a program is told so."""

PRIMARY: Final = "\x1b[?62;22c"
"""A VT220 with colours: what makes no program ask for more than is here."""
SECONDARY: Final = "\x1b[>0;10;0c"
VERSION: Final = "\x1bP>|sandbook\x1b\\"
STATUS: Final = "\x1b[0n"

_LIGHT: Final = "rgb:e5e5/e5e5/e5e5"
_DARK: Final = "rgb:0000/0000/0000"
_COLOURS: Final = {"10": _LIGHT, "11": _DARK, "12": _LIGHT}

DRAWING: Final = {
    ord(plain): drawn
    for plain, drawn in zip(
        "`afgijklmnopqrstuvwxyz{|}~",
        "◆▒°±␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·",
        strict=True,
    )
}
"""The lines and signs of the character set that is chosen by `ESC ( 0`."""


def answer_to_string(kind: str, text: str) -> str:
    """What is answered to an OSC or DCS; nothing to most."""
    if kind == "]":
        number, _, rest = text.partition(";")
        if rest == "?" and number in _COLOURS:
            return f"\x1b]{number};{_COLOURS[number]}\x1b\\"
        return ""
    if kind == "P" and text.startswith(("$q", "+q")):
        # Asked for a setting or a capability: neither is here.
        return f"\x1bP0{text[0]}r\x1b\\"
    return ""
