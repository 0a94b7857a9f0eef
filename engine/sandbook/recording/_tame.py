"""What of a recording may reach the terminal of a person who plays it.

A recording is somebody else's program. What it shows is passed on: text, colours,
places, lines and screens. What would ask the terminal something, or change it beyond
what is shown, is not: answers would be typed into the shell of whoever plays it, and a
title, a clipboard, a mouse mode or a keyboard mode would stay behind.

So everything is dropped but what is known to be harmless. All strings are dropped
(titles, clipboards, links, notifications, images), all reports, all modes but a few,
the character sets that switch UTF-8 off, printing, tab stops, window sizes, and the
erasing of lines that scrolled away.
"""

from __future__ import annotations

import re
from typing import Final

_ESC: Final = "\x1b"
_CONTROLS: Final = "\b\t\n\v\f\r\a\x0e\x0f"
_STRINGS: Final = "PX]^_"
_SIMPLE: Final = "78DEM"
_CHARSETS: Final = "0AB12<>"
_SLOTS: Final = frozenset("()*+")
_INTERMEDIATE: Final = "".join(map(chr, range(0x20, 0x30)))
_FINALS: Final = "@ABCDEFGHIJKLMPSTXZ`abdefmrsu"
_RESET: Final = f"{_ESC}[!p{_ESC}[2J{_ESC}[H"
"""Instead of a full reset, which in some terminals throws away what scrolled by."""

_MODES: Final = frozenset({4})
_PRIVATE_MODES: Final = frozenset({5, 6, 7, 12, 25, 47, 1047, 1048, 1049, 2026})
_ALTERNATE: Final = frozenset({47, 1047, 1049})
_SEQUENCE: Final = re.compile(r"([<-?]*)([0-9;:]*)([ -/]*)")
_LONGEST: Final = 256
_LARGEST: Final = 9999
"""Nothing repeats or moves further; a billion would keep a terminal busy for hours."""


class Tame:
    """Filters a stream of text, cut anywhere; remembers what must be undone."""

    def __init__(self) -> None:
        self._read = self._ground
        self._held = ""
        self._alternate: set[int] = set()
        self._has_margins = False

    def feed(self, text: str) -> str:
        """What of the text may be shown now."""
        return "".join([self._read(char) for char in text])

    def undo(self) -> str:
        """What gives the terminal back as it was, whatever was shown."""
        back = "".join(f"{_ESC}[?{mode}l" for mode in sorted(self._alternate))
        # Margins that go take the cursor with them.
        margins = f"{_ESC}7{_ESC}[?6l{_ESC}[r{_ESC}8" if self._has_margins else ""
        modes = "".join(f"{_ESC}[?{on}" for on in ("2026l", "5l", "7h", "25h"))
        return f"{back}{margins}{_ESC}[4l{modes}{_ESC}[0 q{_ESC}(B{_ESC})B\x0f{_ESC}[0m"

    def _ground(self, char: str) -> str:
        if char >= " " and not "\x7f" <= char <= "\x9f":
            return char
        if "\x80" <= char <= "\x9f":
            self._held = ""
            return self._escape(chr(ord(char) - 0x40))
        return self._control(char)

    def _control(self, char: str) -> str:
        if char in "\x18\x1a\x1b":
            self._held = ""
            self._read = self._escape if char == _ESC else self._ground
        return char if char in _CONTROLS else ""

    def _escape(self, char: str) -> str:
        """After ESC, and what stands between it and its last character."""
        if char < " ":
            return self._control(char)
        if char in _INTERMEDIATE:
            self._held = (self._held + char)[:_LONGEST]
            self._read = self._escape
            return ""
        self._read = self._ground
        if self._held:
            return self._designated(char)
        if char == "[":
            self._read = self._sequence
        elif char in _STRINGS:
            self._read = self._string
        elif char == "c":
            return _RESET
        return f"{_ESC}{char}" if char in _SIMPLE else ""

    def _designated(self, char: str) -> str:
        held, self._held = self._held, ""
        if held in _SLOTS and char in _CHARSETS:
            return f"{_ESC}{held}{char}"
        return f"{_ESC}#{char}" if held == "#" and char in "34568" else ""

    def _string(self, char: str) -> str:
        if char in "\a\x9c\x18\x1a":
            self._read = self._ground
        elif char == _ESC:
            # Its end is `ESC \`; any other sequence ends it, too.
            self._held = ""
            self._read = self._escape
        return ""

    def _sequence(self, char: str) -> str:
        if char < " ":
            return self._control(char)
        if char < "@":
            self._held = (self._held + char)[: _LONGEST + 1]
            return ""
        held, self._held = self._held, ""
        self._read = self._ground
        found = _SEQUENCE.fullmatch(held)
        if found is None or len(held) > _LONGEST or char > "~":
            return ""
        return self._obeyed(found[1], found[2], found[3] + char)

    def _obeyed(self, private: str, numbers: str, final: str) -> str:
        if final in ("h", "l"):
            return self._modes(private, numbers, final)
        if private:
            is_erasing = private == "?" and final in ("J", "K") and numbers != "3"
            return f"{_ESC}[?{numbers}{final}" if is_erasing else ""
        if final == "r":
            self._has_margins = True
        if (final == "J" and "3" in numbers) or _is_report(numbers, final):
            return ""
        if final in _FINALS or final in (" q", "!p"):
            return f"{_ESC}[{_bounded(numbers)}{final}"
        return ""

    def _modes(self, private: str, numbers: str, final: str) -> str:
        if private not in ("", "?"):
            return ""
        known = _PRIVATE_MODES if private else _MODES
        wanted = [int(n) for n in numbers.split(";") if n.isascii() and n.isdigit()]
        kept = [mode for mode in wanted if mode in known]
        if private:
            self._remember(kept, is_on=final == "h")
        return "".join(f"{_ESC}[{private}{mode}{final}" for mode in kept)

    def _remember(self, modes: list[int], *, is_on: bool) -> None:
        alternate = _ALTERNATE.intersection(modes)
        self._has_margins = self._has_margins or 6 in modes  # noqa: PLR2004 - origin
        if is_on:
            self._alternate |= alternate
        elif alternate:
            self._alternate.clear()


def _is_report(numbers: str, final: str) -> bool:
    """`T` with several numbers tracks the mouse; `s` and `u` with any are others."""
    return (final == "T" and ";" in numbers) or (final in ("s", "u") and numbers != "")


def _bounded(numbers: str) -> str:
    return re.sub(
        "[0-9]{4,}", lambda found: str(min(int(found[0][:9]), _LARGEST)), numbers
    )
