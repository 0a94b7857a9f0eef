"""Decides which characters of foreign text may reach a terminal."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from datetime import datetime

LONGEST_LINE = 4096
"""Characters; a longer line is shown in pieces."""

_SEQUENCE = re.compile(
    r"""\x1b(?:
        \[ (?P<parameters>[0-?]*) [ -/]* (?P<final>[@-~])
      | [\]PX^_] [^\x07\x1b]* (?:\x07|\x1b\\)
      | [ -/]* [0-~]
    )""",
    re.VERBOSE,
)
"""What a terminal would obey: CSI, then OSC and its like, then the short ones."""

_SGR = re.compile(
    r"(?:(?:[0-47]|9|2[1-9]|3[0-79]|4[0-79]|9[0-7]|10[0-7]"
    r"|[34]8;5;\d{1,3}|[34]8;2;\d{1,3};\d{1,3};\d{1,3})(?:;(?!$)|$))*"
)
"""Colours and emphasis; not what blinks (5, 6) or hides (8)."""

_HIDDEN = {
    **{code: "^" + chr(code ^ 0x40) for code in (*range(32), 0x7F)},
    **{code: f"\\x{code:02x}" for code in range(0x80, 0xA0)},
    # These reorder or break what is around them.
    **{
        code: f"\\u{code:04x}"
        for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)
    },
}
del _HIDDEN[ord("\t")]

_RESET = "\x1b[0m"


def clean(text: str) -> str:
    """Foreign text fit for one line, without any control character."""
    return _SEQUENCE.sub("", text).translate(_HIDDEN)


def clean_coloured(text: str) -> str:
    """The same with its colours, which end where it ends."""
    parts: list[str] = []
    end = 0
    for found in _SEQUENCE.finditer(text):
        parts += (text[end : found.start()].translate(_HIDDEN), _colour(found))
        end = found.end()
    parts.append(text[end:].translate(_HIDDEN))
    shown = "".join(parts)
    return shown + _RESET if "\x1b" in shown else shown


def _colour(found: re.Match[str]) -> str:
    parameters = found["parameters"] or ""
    is_colour = found["final"] == "m" and _SGR.fullmatch(parameters)
    return f"\x1b[{parameters}m" if is_colour else ""


class LineReader:
    """Makes lines of the bytes of one stream.

    Of a line that was drawn over with carriage returns the last state counts, as on
    a terminal. Bytes that are not UTF-8 become U+FFFD.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that are complete now."""
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split("\n")
        while len(self._rest) > LONGEST_LINE:
            lines.append(self._rest[:LONGEST_LINE])
            self._rest = self._rest[LONGEST_LINE:]
        return (_as_drawn(line) for line in lines)

    def flush(self) -> Iterator[str]:
        """What stands on the last line, which has no end."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        if rest:
            yield _as_drawn(rest)


def _as_drawn(line: str) -> str:
    drawn = [part for part in line.split("\r") if part]
    return drawn[-1] if drawn else ""


def duration(seconds: float) -> str:
    """`0.1s`, `12.3s`, `1m05s`, `2h00m`."""
    if seconds < 59.95:  # noqa: PLR2004 - shown as 60.0s from here on
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes}m{rest:02d}s"
    return f"{minutes // 60}h{minutes % 60:02d}m"


def moment(at: datetime, now: datetime) -> str:
    """When something ends: `21:14 UTC (9m12s from now)`, with the date if not today."""
    day = "" if at.date() == now.date() else f"{at:%Y-%m-%d} "
    left = (at - now).total_seconds()
    when = f"{duration(left)} from now" if left > 0 else "now over"
    return f"{day}{at:%H:%M} UTC ({when})"


def counted(number: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
