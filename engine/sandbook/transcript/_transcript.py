"""Folds what happened at a terminal into the lines of a script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from sandbook.api import EchoState
from sandbook.masking import Masker
from sandbook.terminal import Screen
from sandbook.transcript._draft import Draft, Line, LineName
from sandbook.transcript._editing import ERASING, Pending
from sandbook.transcript._keyboard import (
    Act,
    Keyboard,
    Mouse,
    Pasted,
    Pressed,
    Text,
    Unknown,
)
from sandbook.transcript._log import Ended, LogEvent, Resized, Shown, Typed
from sandbook.transcript._prompts import (
    asks_for_secret,
    landmark_of,
    lasting,
    prompt_of,
    secret_name,
)

_NO_MOUSE: Final = "the mouse was used here, which a script cannot"
_HAD_SECRET: Final = "a secret stood here"  # noqa: S105 - a comment
_HIDDEN_BY_PROGRAM: Final = (
    "the program hid this by itself: if that is refused, use env"
)
_QUIET_SCREEN: Final = "1s"
_QUIET: Final = "500ms"
_PATIENCE_S: Final = 0.5
_SIGNALS: Final = ("Ctrl+C", "Ctrl+\\", "Ctrl+Z")
_ANSWERED: Final = ("Enter", "Ctrl+")


class Transcript:
    """One session; `changing` are words that another session will not show.

    The value of a secret is kept only in `Draft.secrets`, for the replay that proves
    the script; it is in no line.
    """

    def __init__(self, *, cols: int, rows: int, changing: Sequence[str] = ()) -> None:
        self._screen = Screen(cols, rows)
        self._changing = tuple(changing)
        self._keyboard = Keyboard()
        self._pending = Pending()
        self._echo: EchoState | None = None
        self._prompt = ""
        self._lines: list[Line] = []
        self._secrets: dict[str, str] = {}
        self._comment = ""
        self._new_lines = 0
        self._typed_at = 0.0
        self._ahead = ""
        self._looks = True
        self._is_fresh = False
        self._was_full = False
        self._full: list[str] = []

    def take(self, event: LogEvent) -> None:
        """The next thing that happened."""
        if isinstance(event, Shown):
            self._screen.feed(event.data)
            self._is_fresh = True
            self._new_lines += event.data.count(b"\n")
        elif isinstance(event, Typed):
            self._type(event)
        elif isinstance(event, Resized):
            self._flush()
            self._screen.resize(event.cols, event.rows)
            self._add("resize", f"{event.cols}x{event.rows}")
        else:
            self._end(event)

    def draft(self) -> Draft:
        """What it has come to."""
        masker = Masker(self._secrets)
        lines = [_masked(line, masker) for line in self._lines]
        return Draft(
            lines=tuple(line for line in lines if line is not None),
            secrets=dict(self._secrets),
        )

    def _end(self, event: Ended) -> None:
        for act in self._keyboard.finish():
            self._obey(act, self._echo)
        self._flush()
        if event.code is not None:
            self._add("exit", str(event.code))

    def _type(self, event: Typed) -> None:
        is_typed = False
        for act in self._keyboard.feed(event.data, event.at):
            if isinstance(act, Mouse):
                self._comment = _NO_MOUSE
                continue
            is_typed = True
            has_seen = self._look(event.echo)
            if not has_seen and _is_signal(act):
                self._let_it_work(event.at)
            self._obey(act, event.echo)
        if is_typed:
            self._begin_turn(event)

    def _let_it_work(self, at: float) -> None:
        """A person stops what has run for a while: it must have begun by then."""
        if self._lines and at - self._typed_at >= _PATIENCE_S:
            self._add("wait_idle", _QUIET)

    def _begin_turn(self, event: Typed) -> None:
        self._new_lines = 0
        self._typed_at = event.at
        # Its echo is to be told from what the program shows.
        text = event.data.decode("utf-8", "replace")
        if text.replace("\r", "").isprintable():
            self._screen.typed(text, event.echo)
        else:
            self._screen.pressed(event.data)

    def _look(self, echo: EchoState | None) -> bool:
        """Note what is asked for, before the first key of an answer."""
        if not self._is_fresh or not self._may_look(echo):
            return False
        self._is_fresh = self._looks = False
        self._was_full = self._screen.is_full
        self._prompt = self._landmark() if self._was_full else self._asked()
        text = lasting(self._prompt, self._changing)
        if text:
            self._add("see", text)
        elif self._was_full:
            self._add("wait_idle", _QUIET_SCREEN)
        return bool(text)

    def _landmark(self) -> str:
        before, self._full = self._full, self._screen.seen()
        return landmark_of(self._full, before)

    def _asked(self) -> str:
        """The prompt, unless a line editor shows in it what was typed ahead of it."""
        prompt, ahead = prompt_of(self._screen), self._ahead
        return (
            "" if ahead and prompt.removesuffix(ahead) not in ("", prompt) else prompt
        )

    def _may_look(self, echo: EchoState | None) -> bool:
        if not self._pending.text:
            return self._looks or self._screen.is_full != self._was_full
        if echo == "program" and self._has_moved_on():
            self._flush()
            return True
        return False

    def _has_moved_on(self) -> bool:
        """Whether the program has gone on to new lines since the last key."""
        is_full = self._screen.is_full
        return not is_full and self._new_lines > 0 and bool(prompt_of(self._screen))

    def _obey(self, act: Act, echo: EchoState | None) -> None:
        if isinstance(act, Text):
            self._begin(echo)
            self._pending.add(act.text)
        elif isinstance(act, Pasted):
            self._flush()
            self._add("paste", act.text)
        elif isinstance(act, Unknown):
            self._flush()
            self._add("type", act.sent)
        elif isinstance(act, Pressed):
            self._press(act.name, echo)

    def _begin(self, echo: EchoState | None) -> None:
        if not self._pending.text:
            self._echo = echo

    def _press(self, key: str, echo: EchoState | None) -> None:
        is_full = self._screen.is_full
        if not is_full and self._corrects(key, echo):
            return
        if key == "Enter" and not is_full:
            self._begin(echo)
            self._enter()
        elif key == "Ctrl+C" and self._echo != "program" and not is_full:
            # The terminal forgets the line.
            self._pending.take()
            self._key(key)
        else:
            self._flush()
            self._key(key)
        if key.startswith(_ANSWERED):
            self._looks = True

    def _corrects(self, key: str, echo: EchoState | None) -> bool:
        """Whether the key only changes the line that is being typed."""
        if self._pending.correct(key, has_cursor=echo == "program"):
            return True
        # A terminal that reads a line takes nothing back from an empty one.
        return key in ERASING and echo != "program" and not self._is_inside()

    def _is_inside(self) -> bool:
        """Whether something of this line was sent already."""
        last = self._lines[-1].name if self._lines else "see"
        return last in ("type", "press", "paste")

    def _enter(self) -> None:
        if self._pending.text and self._is_hidden():
            if self._echo != "hidden":
                self._comment = _HIDDEN_BY_PROGRAM
            self._add("secret", self._name_of(self._pending.take()))
        elif self._pending.text or not self._is_inside():
            is_answer = bool(self._lines) and self._lines[-1].name == "see"
            self._ahead = "" if is_answer else self._pending.text
            self._add("enter", self._pending.take())
        else:
            self._key("Enter")
        self._echo = None

    def _is_hidden(self) -> bool:
        if self._echo == "hidden":
            return True
        text = self._pending.text
        if not text or self._echo == "shown" or not asks_for_secret(self._prompt):
            return False
        # Nobody could tell, or the program hides it itself: then it is not there.
        return not any(text in line for line in self._screen.lines())

    def _name_of(self, value: str) -> str:
        for name, known in self._secrets.items():
            if known == value:
                return name
        name = secret_name(self._prompt, list(self._secrets))
        self._secrets[name] = value
        return name

    def _flush(self) -> None:
        """What was typed so far stays typed, without Enter."""
        behind = self._pending.behind
        text = self._pending.take()
        if not text:
            return
        if self._echo == "hidden":
            # Never entered, and stored nowhere.
            self._comment = _HAD_SECRET
            return
        self._add("type", text)
        if behind:
            self._add("press", (_times("Left", behind),))

    def _key(self, key: str) -> None:
        """Press it; the same key again is pressed so many times."""
        last = self._lines[-1] if self._lines else None
        if last is None or last.name != "press" or isinstance(last.value, str):
            self._add("press", (key,))
            return
        *before, latest = last.value
        name, times = _counted(latest)
        keys = (_times(name, times + 1),) if name == key else (latest, key)
        self._lines[-1] = Line("press", (*before, *keys), last.comment)

    def _add(self, name: LineName, value: str | tuple[str, ...]) -> None:
        self._lines.append(Line(name, value, self._comment))
        self._comment = ""


def transcribe(
    log: Iterable[LogEvent], *, cols: int, rows: int, changing: Sequence[str] = ()
) -> Draft:
    """The script of a whole session."""
    transcript = Transcript(cols=cols, rows=rows, changing=changing)
    for event in log:
        transcript.take(event)
    return transcript.draft()


def _is_signal(act: Act) -> bool:
    return isinstance(act, Pressed) and act.name in _SIGNALS


def _times(key: str, count: int) -> str:
    return key if count == 1 else f"{key} x{count}"


def _counted(told: str) -> tuple[str, int]:
    name, _, times = told.rpartition(" x")
    return (name, int(times)) if name else (told, 1)


def _masked(line: Line, masker: Masker) -> Line | None:
    """The line without what turned out to be a secret; None = it is of no use then."""
    if line.name == "secret" or isinstance(line.value, tuple):
        return line
    masked = masker.text(line.value)
    if masked == line.value:
        return line
    return None if line.name == "see" else Line(line.name, masked, _HAD_SECRET)
