"""The lines of a script, once their values are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from sandbook.api import Arguments, Bound
from sandbook.errors import UsageError
from sandbook.terminal import Key, UnknownKey, parse_key
from sandbook.units import parse_screen_size
from sandbook.verbs import _arguments as get
from sandbook.verbs._script._schema import WITHIN

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*")


@dataclass(frozen=True, slots=True)
class Sought:
    """What to look for: a text, or what a pattern matches."""

    text: str
    is_pattern: bool = False
    on_stream: bool = False

    def __str__(self) -> str:
        """How it is told."""
        return f"something like {self.text!r}" if self.is_pattern else repr(self.text)


@dataclass(frozen=True, slots=True)
class See:
    """Wait until it is shown."""

    sought: Sought
    within: float


@dataclass(frozen=True, slots=True)
class NotSee:
    """It is not on the screen, and stays away."""

    sought: Sought
    within: float


@dataclass(frozen=True, slots=True)
class Type:
    """Type or paste a text, perhaps with Enter."""

    text: str
    enter: bool = False
    is_paste: bool = False


@dataclass(frozen=True, slots=True)
class Secret:
    """Type what nobody may see, once the terminal hides it."""

    text: str
    within: float


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys; `names` is how they are told."""

    keys: tuple[Key, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several things, and what to do when it appears."""

    sought: Sought
    then: tuple[Line, ...]
    again: bool


@dataclass(frozen=True, slots=True)
class Choose:
    """Go on with the first that appears."""

    choices: tuple[Choice, ...]
    within: float


@dataclass(frozen=True, slots=True)
class WaitIdle:
    """No output for that long."""

    seconds: float
    within: float


@dataclass(frozen=True, slots=True)
class Resize:
    """Another size."""

    cols: int
    rows: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The screen equals a stored one."""

    name: str
    ignore: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Leave the program running."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Come back to it."""


@dataclass(frozen=True, slots=True)
class ExpectExit:
    """It ends with a code; None = any."""

    code: int | None
    within: float


Action: TypeAlias = (
    See
    | NotSee
    | Type
    | Secret
    | Press
    | Choose
    | WaitIdle
    | Resize
    | Snapshot
    | Disconnect
    | Reconnect
    | ExpectExit
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line: what it does, where it stands, and how it is told (without secrets)."""

    action: Action
    where: str
    label: str


def parse_script(value: Bound, where: str = "script") -> tuple[Line, ...]:
    """The lines of a script; the schema has already checked their shape.

    Raises:
        UsageError: An expression gave what does not fit.
    """
    return tuple(
        _line(get.mapping(item, f"{where}[{index}]"), f"{where}[{index}]")
        for index, item in enumerate(_items(value, where))
    )


def _items(value: Bound, where: str) -> Sequence[Bound]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    raise UsageError(f"{where} must be a list, it is {get.kind_of(value)}")


def _line(line: Arguments, where: str) -> Line:
    name = next((key for key in line if key in _READERS), None)
    if name is None:
        raise UsageError(f"{where} does nothing", remedy="write `see: …` or `enter: …`")
    action = _READERS[name](line, where)
    return Line(action, where, f"{name}: {_told(name, line)}")


def _told(name: str, line: Arguments) -> str:
    if name == "secret":
        return "(secret)"
    if name == "choose":
        found = (get.mapping(item, name) for item in _items(line[name], name))
        return " or ".join(str(one.get("see", one.get("see_regex"))) for one in found)
    value = line[name]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _within(line: Arguments, default: float = WITHIN) -> float:
    return get.number(line, "within", default)


def _sought(line: Arguments) -> Sought:
    on_stream = get.text(line, "on") == "stream"
    if "see_regex" in line:
        return Sought(_wanted(line, "see_regex"), is_pattern=True, on_stream=on_stream)
    return Sought(_wanted(line, "see"), on_stream=on_stream)


def _wanted(line: Arguments, key: str) -> str:
    text = get.text(line, key)
    if text.strip():
        return text
    raise UsageError(f"{key} is empty, and would be there from the beginning")


def _typed(text: str, key: str) -> str:
    """What a keyboard sends for a text: each end of a line is Enter."""
    get.as_bytes(text, key)
    return text.replace("\r\n", "\r").replace("\n", "\r")


def _see(line: Arguments, where: str) -> Action:
    del where
    return See(_sought(line), _within(line))


def _not_see(line: Arguments, where: str) -> Action:
    del where
    return NotSee(Sought(_wanted(line, "not_see")), _within(line, 0.0))


def _enter(line: Arguments, where: str) -> Action:
    del where
    return Type(_typed(get.text(line, "enter"), "enter") + "\r", enter=True)


def _type(line: Arguments, where: str) -> Action:
    del where
    return Type(_typed(get.text(line, "type"), "type"))


def _paste(line: Arguments, where: str) -> Action:
    del where
    return Type(_typed(get.text(line, "paste"), "paste"), is_paste=True)


def _secret(line: Arguments, where: str) -> Action:
    text = get.text(line, "secret")
    if "\n" in text or "\r" in text:
        raise UsageError(
            f"the secret of {where} has several lines, and one is read",
            remedy="hand it over with `env`, or in a file",
        )
    return Secret(_typed(text, "secret") + "\r", _within(line))


def _press(line: Arguments, where: str) -> Action:
    names = get.texts(line, "press")
    try:
        return Press(tuple(parse_key(name) for name in names), names)
    except UnknownKey as error:
        raise UsageError(f"{error}, in {where}") from error


def _choose(line: Arguments, where: str) -> Action:
    items = _items(line["choose"], where)
    choices = [get.mapping(item, f"{where}.choose") for item in items]
    return Choose(
        tuple(
            Choice(
                _sought(one),
                parse_script(one["then"], f"{where}.choose[{index}].then")
                if one.get("then") is not None
                else (),
                get.flag(one, "again"),
            )
            for index, one in enumerate(choices)
        ),
        _within(line),
    )


def _wait_idle(line: Arguments, where: str) -> Action:
    del where
    return WaitIdle(get.number(line, "wait_idle", 0.0), _within(line))


def _resize(line: Arguments, where: str) -> Action:
    del where
    return Resize(*terminal_size(line, "resize"))


def terminal_size(args: Arguments, key: str, default: str = "80x24") -> tuple[int, int]:
    """Columns and rows; raises `UsageError` where it is no size."""
    try:
        return parse_screen_size(get.text(args, key, default))
    except ValueError as error:
        raise UsageError(str(error)) from error


def _snapshot(line: Arguments, where: str) -> Action:
    name = get.text(line, "snapshot")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a file, in {where}",
            remedy="use letters, digits, _ . and -",
        )
    return Snapshot(name, get.texts(line, "ignore"))


def _disconnect(line: Arguments, where: str) -> Action:
    _only_true(line, "disconnect", where)
    return Disconnect()


def _reconnect(line: Arguments, where: str) -> Action:
    _only_true(line, "reconnect", where)
    return Reconnect()


def _only_true(line: Arguments, key: str, where: str) -> None:
    if not get.flag(line, key):
        raise UsageError(
            f"{key} in {where} takes `true` only", remedy="remove the line"
        )


def _expect_exit(line: Arguments, where: str) -> Action:
    del where
    code = line["expect_exit"]
    if code == "any":
        return ExpectExit(None, _within(line))
    return ExpectExit(int(get.number(line, "expect_exit", 0)), _within(line))


_READERS: Final[Mapping[str, Callable[[Arguments, str], Action]]] = {
    "see": _see,
    "see_regex": _see,
    "not_see": _not_see,
    "enter": _enter,
    "type": _type,
    "paste": _paste,
    "secret": _secret,
    "press": _press,
    "choose": _choose,
    "wait_idle": _wait_idle,
    "resize": _resize,
    "snapshot": _snapshot,
    "disconnect": _disconnect,
    "reconnect": _reconnect,
    "expect_exit": _expect_exit,
}
