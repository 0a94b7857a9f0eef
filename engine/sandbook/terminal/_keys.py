"""Keys by name, and the bytes that a terminal sends for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_MOST: Final = 1000
_TIMES: Final = re.compile(r"(.*\S)\s+x([0-9]+)", re.DOTALL)
_ESC: Final = "\x1b"

_LETTERS: Final = {
    "up": "A",
    "down": "B",
    "right": "C",
    "left": "D",
    "home": "H",
    "end": "F",
    "f1": "P",
    "f2": "Q",
    "f3": "R",
    "f4": "S",
}
"""Keys sent as `CSI letter` (or `SS3 letter`), and as `CSI 1;modifiers letter`."""

_NUMBERS: Final = {
    "insert": 2,
    "delete": 3,
    "pageup": 5,
    "pagedown": 6,
    "f5": 15,
    "f6": 17,
    "f7": 18,
    "f8": 19,
    "f9": 20,
    "f10": 21,
    "f11": 23,
    "f12": 24,
}
"""Keys sent as `CSI number ~`."""

_PLAIN: Final = {
    "enter": "\r",
    "tab": "\t",
    "esc": _ESC,
    "space": " ",
    "backspace": "\x7f",
}
_ALSO: Final = {
    "return": "enter",
    "escape": "esc",
    "del": "delete",
    "ins": "insert",
    "pgup": "pageup",
    "pgdn": "pagedown",
    "pgdown": "pagedown",
    "page_up": "pageup",
    "page_down": "pagedown",
}
_SHOWN: Final = {"pageup": "PageUp", "pagedown": "PageDown"}
_MODIFIERS: Final = {"shift": 1, "alt": 2, "ctrl": 4, "control": 4, "meta": 2}
_CONTROLS: Final = {
    " ": "\0",
    "@": "\0",
    "[": _ESC,
    "\\": "\x1c",
    "]": "\x1d",
    "^": "\x1e",
    "_": "\x1f",
    "/": "\x1f",
    "?": "\x7f",
}

KEY_NAMES: Final = tuple(
    _SHOWN.get(name, name.capitalize()) for name in (*_PLAIN, *_LETTERS, *_NUMBERS)
)
"""The names of keys as they are shown; any character is a key as well."""


class UnknownKey(ValueError):  # noqa: N818 - it is what it says
    """No key is called so; `name` is the part that is not known, if one is."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Key:
    """A key with what is held down beside it, pressed so many times."""

    name: str
    modifiers: int
    times: int

    def sent(self, *, cursor_keys: bool) -> str:
        """What the terminal sends for one press.

        With `cursor_keys` a program has asked for the form of arrows that
        applications get.
        """
        if self.name in _LETTERS:
            return _by_letter(self.name, self.modifiers, cursor_keys=cursor_keys)
        if self.name in _NUMBERS:
            held = f";{self.modifiers + 1}" if self.modifiers else ""
            return f"{_ESC}[{_NUMBERS[self.name]}{held}~"
        return _by_character(self.name, self.modifiers)


def parse_key(text: str) -> Key:
    """Read `Enter`, `Ctrl+C`, `Shift+Tab`, `Down x3`, `q`.

    Raises:
        UnknownKey: There is no such key; its text says what is wrong.
    """
    times = 1
    found = _TIMES.fullmatch(text)
    if found and len(found[2]) <= len(str(_MOST)):
        text, times = found[1], int(found[2])
        if not 1 <= times <= _MOST:
            raise UnknownKey("", f"a key can be pressed 1 to {_MOST} times at once")
    *held, name = _parts(text)
    modifiers = 0
    for word in held:
        one = _MODIFIERS.get(word.strip().lower())
        if one is None:
            raise UnknownKey(word, f"{word!r} is not held down beside another key")
        modifiers |= one
    return Key(_name(name, text), modifiers, times)


def _parts(text: str) -> list[str]:
    """The words between `+`; the last may be a `+` itself."""
    if text == "+" or text.endswith("++"):
        return [*text[:-2].split("+"), "+"] if len(text) > 1 else ["+"]
    return text.split("+")


def _name(word: str, text: str) -> str:
    if len(word) == 1:
        return word
    name = word.strip().lower()
    name = _ALSO.get(name, name)
    if name in _PLAIN or name in _LETTERS or name in _NUMBERS:
        return name
    raise UnknownKey(word, f"there is no key {text!r}")


def _by_letter(name: str, modifiers: int, *, cursor_keys: bool) -> str:
    letter = _LETTERS[name]
    if modifiers:
        return f"{_ESC}[1;{modifiers + 1}{letter}"
    is_function = name.startswith("f")
    return f"{_ESC}{'O' if is_function or cursor_keys else '['}{letter}"


def _by_character(name: str, modifiers: int) -> str:
    char = _PLAIN.get(name, name)
    if name == "tab" and modifiers & _MODIFIERS["shift"]:
        char = f"{_ESC}[Z"
    elif modifiers & _MODIFIERS["ctrl"]:
        char = _controlled(char)
    elif modifiers & _MODIFIERS["shift"]:
        char = char.upper()
    return (_ESC if modifiers & _MODIFIERS["alt"] else "") + char


def _controlled(char: str) -> str:
    if char.isascii() and char.isalpha():
        return chr(ord(char.upper()) ^ 0x40)
    # As terminals do: a key that has no control character sends itself.
    return {**_CONTROLS, "\x7f": "\x08"}.get(char, char)
