"""Sessions at a terminal, told as a transcript is told them."""

from __future__ import annotations

from collections.abc import Iterator

from sandbook.api import EchoState
from sandbook.transcript import Draft, Line, LogEvent, Shown, Typed, transcribe


def script(*log: LogEvent, changing: tuple[str, ...] = ()) -> list[Line]:
    """The lines of a session in 80x24."""
    return list(draft(*log, changing=changing).lines)


def draft(*log: LogEvent, changing: tuple[str, ...] = ()) -> Draft:
    """The same with its secrets."""
    return transcribe(log, cols=80, rows=24, changing=changing)


def typed(text: str, echo: EchoState | None = "shown") -> Iterator[LogEvent]:
    """A person types key by key, and sees it where the terminal shows it."""
    for char in text:
        yield Typed(char.encode(), echo)
        if echo != "hidden":
            yield Shown(_shown(char))
        elif char == "\r":
            yield Shown(b"\r\n")


def _shown(char: str) -> bytes:
    if char == "\r":
        return b"\r\n"
    return b"\b \b" if char == "\x7f" else char.encode()


def shown(text: str) -> Shown:
    """The program shows lines."""
    return Shown(text.replace("\n", "\r\n").encode())
