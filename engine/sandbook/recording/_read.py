"""Reads recordings of both versions in use, and says where one is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from sandbook.api import JSON
from sandbook.errors import UsageError
from sandbook.recording._model import Event, Header, Recording
from sandbook.units import parse_terminal_size

_VERSIONS: Final = (2, 3)
_LARGEST: Final = 9999
_LONGEST: Final = 1e10
_REMEDY: Final = "it must be an asciicast of version 2 or 3, as `record: true` makes it"


def read(path: Path) -> Recording:
    """Read the header now, the events as they are asked for.

    Raises:
        UsageError: It is no recording; the text names the line. So may every event.
    """
    return read_lines(_lines_of(path), name=str(path))


def read_lines(lines: Iterable[bytes], *, name: str) -> Recording:
    """The same for lines that come from elsewhere; `name` is how errors call it."""
    values = _Values(lines, name)
    first = next(values, None)
    if first is None:
        values.refuse("it is empty")
    header = _header(values, first)
    return Recording(header, _events(values, header))


def _lines_of(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(
            f"the recording {str(path)!r} cannot be read: {reason}",
            remedy="check the path: recordings end with .cast",
        ) from error


class _Values(Iterator[JSON]):
    """The values of the lines, without comments; knows which one is at hand."""

    def __init__(self, lines: Iterable[bytes], name: str) -> None:
        self._lines = iter(lines)
        self._name = name
        self._number = 0

    def __next__(self) -> JSON:
        while True:
            line = next(self._lines)
            self._number += 1
            if not line.strip() or line.startswith(b"#"):
                continue
            try:
                return _loaded(line)
            except (ValueError, RecursionError):
                # A last line that its writer could not finish is none.
                if line.endswith(b"\n") or self._number == 1:
                    self.refuse("it is not JSON")

    def refuse(self, what: str) -> NoReturn:
        """Say what is wrong with the line at hand."""
        where = f"{self._name}:{max(self._number, 1)}"
        raise UsageError(f"{where}: this is no recording: {what}", remedy=_REMEDY)


def _loaded(line: bytes) -> JSON:
    value: JSON = json.loads(line, parse_constant=_no_constant)
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _header(lines: _Values, first: JSON) -> Header:
    if not isinstance(first, Mapping):
        lines.refuse("its first line is not a header, a map with `version`")
    version = first.get("version")
    if version not in _VERSIONS or isinstance(version, bool | float):
        lines.refuse(f"its version is {json.dumps(version)}, not 2 or 3")
    term = _map(first.get("term"))
    cols, rows = (
        (term.get("cols"), term.get("rows"))
        if version == 3  # noqa: PLR2004
        else (first.get("width"), first.get("height"))
    )
    env = {k: v for k, v in _map(first.get("env")).items() if isinstance(v, str)}
    return Header(
        version=int(str(version)),
        cols=_count(lines, cols, "columns"),
        rows=_count(lines, rows, "rows"),
        term=_text(term.get("type")) or env.get("TERM"),
        timestamp=_whole(first.get("timestamp")),
        title=_text(first.get("title")),
        command=_text(first.get("command")),
        idle_limit=_seconds(first.get("idle_time_limit")),
        env=env,
        theme=term.get("theme", first.get("theme")),
    )


def _events(lines: _Values, header: Header) -> Iterator[Event]:
    is_relative = header.version == 3  # noqa: PLR2004
    at = 0.0
    for value in lines:
        time, kind, data = _parts(lines, value)
        # Events that other programs wrote out of order happen at once.
        at = at + time if is_relative else max(at, time)
        if kind == "r":
            _check_size(lines, data)
        yield Event(at, kind, data)


def _parts(lines: _Values, value: JSON) -> tuple[float, str, str]:
    is_text = isinstance(value, str)
    if is_text or not isinstance(value, Sequence) or len(value) != 3:  # noqa: PLR2004
        lines.refuse("an event is a list of a time, a letter and a text")
    time, kind, data = value
    seconds = _seconds(time)
    if seconds is None:
        lines.refuse("the time of an event is a number of seconds, not below 0")
    if not isinstance(kind, str) or not isinstance(data, str):
        lines.refuse("an event has a letter and a text after its time")
    return seconds, kind, data


def _check_size(lines: _Values, data: str) -> None:
    try:
        parse_terminal_size(data)
    except ValueError as error:
        lines.refuse(str(error))


def _count(lines: _Values, value: JSON, what: str) -> int:
    number = _whole(value)
    if number is None or not 1 <= number <= _LARGEST:
        lines.refuse(f"its header does not say how many {what} the terminal has")
    return number


def _map(value: JSON) -> Mapping[str, JSON]:
    return value if isinstance(value, Mapping) else {}


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: JSON) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds(value: JSON) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _LONGEST else None
