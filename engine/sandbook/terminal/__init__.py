"""What a person would see on a terminal, and the keys they would press.

Nothing here runs or waits: `Screen` takes bytes and knows what is shown, `parse_key`
knows what a key sends.
"""

from sandbook.terminal._frame import framed
from sandbook.terminal._keys import KEY_NAMES, Key, UnknownKey, parse_key
from sandbook.terminal._screen import Screen

__all__ = [
    "KEY_NAMES",
    "Key",
    "Screen",
    "UnknownKey",
    "framed",
    "parse_key",
]
