"""How a line that failed is told: to somebody who was not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sandbook.finding import nearest_line
from sandbook.terminal import framed
from sandbook.verbs._script._lines import Line, Sought
from sandbook.verbs._script._session import Session

_NOTHING: Final = "nothing was shown"


def told_failure(session: Session, line: Line, cause: str) -> str:
    """What was wrong, where, and all that helps to see why."""
    first = f"{cause} ({session.step.place_of(line.where)})"
    return "\n".join([first, *_circumstances(session, line)])


def _circumstances(session: Session, line: Line) -> Iterator[str]:
    yield screen_of(session)
    if session.sent:
        yield f"sent so far: {', '.join(session.sent)}"
    yield f"the program {state_of(session)}"
    if session.recording is not None:
        path = session.recording.path
        yield f"recording: {path}, at the marker {line.label!r}"


def screen_of(session: Session) -> str:
    """The screen in a frame; secrets are masked before their lines are cut."""
    screen = session.screen
    cols, rows = screen.size
    title = f"{'full screen' if screen.is_full else 'screen'} {cols}x{rows}"
    lines = screen.lines()
    masked = session.step.masked("\n".join(lines)).split("\n")
    shown = screen.rows()
    if masked != lines:
        shown = [line[at : at + cols] for line in masked for at in _cuts(line, cols)]
    return framed(shown, cols=cols, title=title)


def _cuts(line: str, cols: int) -> range:
    return range(0, max(1, len(line)), cols)


def state_of(session: Session) -> str:
    """Whether the program runs, in words."""
    result = session.result
    if session.is_left:
        return "runs on, and is not watched"
    if result is None:
        return f"is still running (process {session.pty.pid})"
    if result.end == "lost":
        return "was lost with its sandbox"
    return f"has ended with code {result.code}"


def why_not_seen(session: Session, sought: Sought) -> str:
    """What may be why a text was not found; nothing where nothing is known."""
    screen = session.screen
    text = "\n".join(screen.lines())
    if not sought.is_pattern and sought.text.strip() in text and not sought.on_stream:
        return "; it stands there, but was not drawn since the script last typed"
    seen = "\n".join(screen.seen())
    near = nearest_line(seen, sought.text) or nearest_line(text, sought.text)
    if near:
        return f"; the closest line is {session.step.masked(near)!r}"
    return "" if seen.strip() else f"; {_NOTHING} since the script last typed"
