"""Takes a stream of bytes apart: text, controls, and the sequences in between.

Nothing that a program writes is an error here. Bytes that are not UTF-8 become
U+FFFD, what no terminal knows is swallowed, and no sequence is held in memory beyond
a few hundred characters, however long it is.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final, Protocol

_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")
"""Half of all sequences; nothing here shows colours, so they are passed over."""

_SEQUENCE: Final = re.compile(
    r"""\x1b(?:
        \[ (?P<parameters>[0-?]*) (?P<between>[\ -/]*) (?P<final>[@-~])
      | (?P<string>[\]PX^_])
      | (?P<before>[\ -/]*) (?P<last>[0-Z\\`-~])
    )""",
    re.VERBOSE,
)
_BEGUN: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[ -/]*)")
_STRING_END: Final = re.compile(r"[\x07\x18\x1a]|\x1b\\?")
_LONGEST_SEQUENCE: Final = 256
_LONGEST_STRING: Final = 1024
_LONGEST_NUMBER: Final = 6
_MOST_NUMBERS: Final = 32


@dataclass(frozen=True, slots=True)
class Sequence:
    """A control sequence: `ESC [ prefix numbers between final`; no number is None."""

    prefix: str
    numbers: tuple[int | None, ...]
    between: str
    final: str

    def number(self, index: int, default: int) -> int:
        """A number of it; what is missing or 0 is the default."""
        found = self.numbers[index] if index < len(self.numbers) else None
        return found or default


class Target(Protocol):
    """Who does what a stream says."""

    def draw(self, text: str) -> None:
        """Show characters; none of them is a control."""
        ...

    def control(self, char: str) -> None:
        """Obey one control character."""
        ...

    def sequence(self, found: Sequence) -> None:
        """Obey a control sequence."""
        ...

    def escape(self, before: str, last: str) -> None:
        """Obey a short escape: `ESC before last`."""
        ...

    def border(self) -> None:
        """Text ends here, by a colour that nobody needs to know."""
        ...

    def string(self, kind: str, text: str) -> None:
        """Take an OSC (`]`), DCS (`P`) or the like, without its end."""
        ...


class Parser:
    """Feeds a target; what is incomplete waits for the bytes that come next."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._string: str | None = None
        self._kind = ""

    def feed(self, data: bytes) -> None:
        """Take the next bytes, cut anywhere."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        at, end = 0, len(text)
        if self._string is not None:
            at = self._in_string(text, at, self._string)
        # Bursts come through here: no calls but those that do something.
        draw, match = self._target.draw, _TEXT.match
        while at < end:
            found = match(text, at)
            if found:
                draw(found[0])
                at = found.end()
            elif text[at] != "\x1b":
                self._target.control(text[at])
                at += 1
            else:
                at = self._escaped(text, at)

    def _escaped(self, text: str, at: int) -> int:
        colour = _COLOUR.match(text, at)
        if colour:
            self._target.border()
            return colour.end()
        found = _SEQUENCE.match(text, at)
        if found is None:
            return self._unfinished(text, at)
        if found["final"]:
            self._target.sequence(_sequence(found))
        elif found["string"]:
            self._kind = found["string"]
            return self._in_string(text, found.end(), "")
        else:
            self._target.escape(found["before"], found["last"])
        return found.end()

    def _unfinished(self, text: str, at: int) -> int:
        """A sequence that is cut here waits; one that is broken off is dropped."""
        found = _BEGUN.match(text, at)
        end = found.end() if found else at + 1
        if end < len(text):
            # CAN and SUB say so; anything else begins something new.
            return end + (text[end] in "\x18\x1a")
        if end - at <= _LONGEST_SEQUENCE:
            self._rest = text[at:]
        return len(text)

    def _in_string(self, text: str, at: int, begun: str) -> int:
        found = _STRING_END.search(text, at)
        if found is None:
            self._string = (begun + text[at:])[:_LONGEST_STRING]
            return len(text)
        if found[0] == "\x1b" and found.end() == len(text):
            self._string = (begun + text[at : found.start()])[:_LONGEST_STRING]
            self._rest = "\x1b"
            return len(text)
        self._string = None
        if found[0] in ("\x07", "\x1b\\"):
            whole = (begun + text[at : found.start()])[:_LONGEST_STRING]
            self._target.string(self._kind, whole)
        # Another sequence begins in the middle of it: that one counts.
        return found.start() if found[0] == "\x1b" else found.end()


def _sequence(found: re.Match[str]) -> Sequence:
    parameters: str = found["parameters"]
    prefix = ""
    if parameters[:1] in ("<", "=", ">", "?"):
        prefix, parameters = parameters[0], parameters[1:]
    parts = re.split("[;:]", parameters)[:_MOST_NUMBERS]
    return Sequence(
        prefix, tuple(map(_number, parts)), found["between"], found["final"]
    )


def _number(text: str) -> int | None:
    return int(text[:_LONGEST_NUMBER]) if text.isdigit() else None
