"""From the bytes that a terminal sends to what a person did: text, keys, pastes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

from sandbook.terminal import KEY_NAMES, parse_key

_ESC: Final = "\x1b"
_PASTE_BEGINS: Final = "\x1b[200~"
_PASTE_ENDS: Final = "\x1b[201~"
_SEQUENCE: Final = re.compile(
    r"\x1b\[M[\s\S]{3}|\x1b\[[0-?]*[ -/]*[@-~]|\x1bO[@-~]"
    r"|\x1b[]P_^X][\s\S]*?(?:\x07|\x1b\\)|\x1b[]P_^X]\Z|\x1b[^\x1b\[O\]P_^X]"
)
_BROKEN_OFF: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O|\[M[\s\S]{0,2})?")
_MOUSE: Final = re.compile(r"\x1b\[(?:M|<[0-9;]*[Mm])")
_ANSWER: Final = re.compile(
    r"\x1b\[(?:[?>=][0-9;]*[cnuy]|\??[0-9;]*\$y|[0-9]+;[0-9]+R|[0-9;]*[cnt]|[IO])"
    r"|\x1b[]P_^X]."
)
"""What the terminal says by itself: answers, and that it got or lost the focus."""

_LONGEST: Final = 1 << 20
_TOGETHER_S: Final = 0.05
_MODIFIERS: Final = ("", "Shift+", "Alt+", "Ctrl+", "Ctrl+Shift+", "Alt+Shift+")


@dataclass(frozen=True, slots=True)
class Text:
    """Visible characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key with a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Pasted:
    """A text that was pasted, as programs that ask for it are told."""

    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A key that has no name here; `sent` is what the terminal sends for it."""

    sent: str


@dataclass(frozen=True, slots=True)
class Mouse:
    """The mouse was used."""


Act: TypeAlias = Text | Pressed | Pasted | Unknown | Mouse


class Keyboard:
    """Reads what is typed, in pieces cut anywhere."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._fed_at = 0.0

    def feed(self, data: bytes, at: float = 0.0) -> Iterator[Act]:
        """What was done, as far as it is whole; `at` is when, in seconds."""
        more = self._decoder.decode(data)
        if self._held == _ESC and not self._goes_on(more, at):
            yield from self.finish()
        text, self._held, self._fed_at = self._held + more, "", at
        while text:
            if text.startswith(_PASTE_BEGINS):
                pasted, ends, rest = text.partition(_PASTE_ENDS)
                if not ends:
                    self._held = text[:_LONGEST]
                    return
                lines = pasted.removeprefix(_PASTE_BEGINS).replace("\r\n", "\n")
                yield Pasted(lines.replace("\r", "\n"))
                text = rest
            elif text[0] == _ESC:
                found = _SEQUENCE.match(text)
                if found is None and _BROKEN_OFF.fullmatch(text):
                    self._held = text
                    return
                sent = found[0] if found else _ESC
                yield from _meaning(sent)
                text = text[len(sent) :]
            else:
                visible = _visible(text)
                yield Text(visible) if visible else _control(text[0])
                text = text[len(visible) or 1 :]

    def finish(self) -> Iterator[Act]:
        """An Esc that nothing followed."""
        if self._held == _ESC:
            self._held = ""
            yield Pressed("Esc")

    def _goes_on(self, more: str, at: float) -> bool:
        """Whether a lone ESC was the beginning of what came behind it at once.

        A line that is slow cuts a key in two; a person is slower.
        """
        return more[:1] in ("[", "O") and at - self._fed_at < _TOGETHER_S


def _visible(text: str) -> str:
    end = 0
    while end < len(text) and text[end] >= " " and text[end] != "\x7f":
        end += 1
    return text[:end]


def _meaning(sent: str) -> Iterator[Act]:
    name = _names().get(sent)
    if name is not None:
        yield Pressed(name)
    elif _MOUSE.match(sent):
        yield Mouse()
    elif not _ANSWER.match(sent):
        yield from _with_alt(sent)


def _with_alt(sent: str) -> Iterator[Act]:
    is_alt = len(sent) == len("\x1bx")
    char = sent[-1]
    if is_alt and char > " " and char != "\x7f":
        yield Pressed(f"Alt+{char}")
    else:
        yield Unknown(sent)


def _control(char: str) -> Act:
    name = _names().get(char)
    return Unknown(char) if name is None else Pressed(name)


@cache
def _names() -> dict[str, str]:
    """What terminals send → the shortest name of the key."""
    # What was typed before the terminal was ours has another Enter.
    names = {"\n": "Enter"}
    letters = [chr(code) for code in range(ord("A"), ord("Z") + 1)]
    for modifier in _MODIFIERS:
        for key in KEY_NAMES:
            if key != "Space":
                for cursor_keys in (False, True):
                    name = f"{modifier}{key}"
                    sent = parse_key(name).sent(cursor_keys=cursor_keys)
                    names.setdefault(sent, name)
    for key in [*letters, "Space", "\\", "]", "^", "_"]:
        name = f"Ctrl+{key}"
        names.setdefault(parse_key(name).sent(cursor_keys=False), name)
    return names
