"""The line that is being typed, with what was corrected in it."""

from __future__ import annotations

import re
from typing import Final

ERASING: Final = ("Backspace", "Ctrl+H", "Ctrl+W", "Ctrl+U")
_WORD: Final = re.compile(r"\S*\s*\Z")


class Pending:
    """What was typed since the last line; the cursor may stand inside it."""

    def __init__(self) -> None:
        self.text = ""
        self._at = 0

    @property
    def behind(self) -> int:
        """How many characters stand behind the cursor."""
        return len(self.text) - self._at

    def add(self, text: str) -> None:
        """Type at the cursor."""
        self.text = self.text[: self._at] + text + self.text[self._at :]
        self._at += len(text)

    def take(self) -> str:
        """The text, and begin anew."""
        text, self.text, self._at = self.text, "", 0
        return text

    def correct(self, key: str, *, has_cursor: bool) -> bool:
        """Obey a key that changes only this line; False = it does something else.

        `has_cursor` = a line editor reads, and not the terminal itself, which knows
        no way but back.
        """
        if not self.text:
            return False
        if key in ERASING:
            return self._erase(key)
        return has_cursor and self._move(key)

    def _erase(self, key: str) -> bool:
        before = self.text[: self._at]
        kept = {
            "Ctrl+U": "",
            "Ctrl+W": _WORD.sub("", before.rstrip()),
        }.get(key, before[:-1])
        self.text, self._at = kept + self.text[self._at :], len(kept)
        return True

    def _move(self, key: str) -> bool:
        places = {
            ("Left", "Ctrl+B"): max(0, self._at - 1),
            ("Right", "Ctrl+F"): min(len(self.text), self._at + 1),
            ("Home", "Ctrl+A"): 0,
            ("End", "Ctrl+E"): len(self.text),
        }
        for names, place in places.items():
            if key in names:
                self._at = place
                return True
        if key == "Delete":
            self.text = self.text[: self._at] + self.text[self._at + 1 :]
        elif key == "Ctrl+K":
            self.text = self.text[: self._at]
        return key in ("Delete", "Ctrl+K")
