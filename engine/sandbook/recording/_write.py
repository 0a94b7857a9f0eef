"""Writes a recording that was read in the form that another player wants."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from sandbook.api import JSON
from sandbook.recording._model import Event, Header, Recording

_V2_KINDS: Final = "oimr"
"""What version 2 knows; an exit code is not among it."""


def as_v2(recording: Recording) -> Iterator[str]:
    """The lines of an asciicast of version 2: absolute times, no exit code."""
    header = recording.header
    env = {**({"TERM": header.term} if header.term else {}), **header.env}
    yield _json(
        {
            "version": 2,
            "width": header.cols,
            "height": header.rows,
            **_shared(header),
            **({"env": env} if env else {}),
            **({} if header.theme is None else {"theme": header.theme}),
        }
    )
    for event in recording.events:
        if event.kind in _V2_KINDS:
            yield _line(event.at, event)


def as_v3(recording: Recording) -> Iterator[str]:
    """The lines of an asciicast of version 3: times since the event before."""
    header = recording.header
    more = {"type": header.term, "theme": header.theme}
    term: dict[str, JSON] = {"cols": header.cols, "rows": header.rows}
    term |= {name: value for name, value in more.items() if value is not None}
    env = {name: value for name, value in header.env.items() if name != "TERM"}
    yield _json(
        {
            "version": 3,
            "term": term,
            **_shared(header),
            **({"env": env} if env else {}),
        }
    )
    told = 0.0
    for event in recording.events:
        # Rounded instants, so that the intervals add up to the true time.
        at = round(event.at, 6)
        yield _line(at - told, event)
        told = at


def _shared(header: Header) -> dict[str, JSON]:
    fields: dict[str, JSON] = {
        "timestamp": header.timestamp,
        "idle_time_limit": header.idle_limit,
        "command": header.command,
        "title": header.title,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _line(seconds: float, event: Event) -> str:
    return f"[{seconds:.6f}, {_json(event.kind)}, {_json(event.data)}]"


def _json(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)
