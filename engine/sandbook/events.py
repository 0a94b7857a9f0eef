"""Decides what can happen in a run, and that it is written before anybody sees it."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from sandbook.api import JSON, StreamName
from sandbook.masking import Masker

VERSION = 1
"""The version of the JSON form of an event."""

EVENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "run.started": (
            "file",
            "file_hash",
            "step_hashes",
            "inputs",
            "chain",
            "floor",
            "versions",
            "installation",
            "owner",
        ),
        "provider.tried": ("provider", "outcome", "reason", "seconds"),
        "sandbox.creating": ("name", "provider", "key", "reservation"),
        "sandbox.created": ("name", "ref", "isolation", "expires_at", "home"),
        "sandbox.attached": ("name", "ref", "isolation", "expires_at", "home"),
        "sandbox.extended": ("name", "expires_at"),
        "sandbox.ended": ("name", "how", "seconds"),
        "step.started": ("step", "attempt", "key", "verb", "sandbox", "bound_hash"),
        "step.attached": ("step", "key", "kind", "id"),
        "step.output": ("step", "file", "bytes", "dropped"),
        "step.noted": ("step", "text"),
        "step.finished": (
            "step",
            "attempt",
            "status",
            "code",
            "saved",
            "results",
            "artifacts",
            "seconds",
            "cause",
        ),
        "finally.started": (),
        "run.cancelling": ("by",),
        "run.resumed": ("from_step",),
        "run.finished": ("status", "exit", "totals"),
    }
)
"""Every event and the fields it must have; an event may have more."""

ENVELOPE = ("v", "seq", "run", "at", "event")
"""What every event has besides its fields."""

TEXTS = frozenset(
    (
        "inputs",
        "versions",
        "reason",
        "home",
        "saved",
        "results",
        "artifacts",
        "cause",
        "text",
    )
)
"""Required fields that hold text of others.

The other required ones hold names, numbers and hashes of our own and are not masked:
a secret that happens to be `main`, or four digits of a hash, would otherwise make a
run that cannot be resumed. What an event has beyond them is masked.
"""


VALUES = frozenset(("inputs", "saved", "results", "outputs"))
"""Fields that hold values by name, which another step or run may need again.

An event lists in `tainted` those of them that masking changed (`saved.token`).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a run; `seq` rises by one, `at` is aware UTC."""

    seq: int
    run: str
    at: datetime
    name: str
    fields: Mapping[str, JSON] = field(default_factory=dict[str, JSON])

    def to_json(self) -> dict[str, JSON]:
        """The object of one line of the journal."""
        return {
            "v": VERSION,
            "seq": self.seq,
            "run": self.run,
            "at": self.at.isoformat(timespec="microseconds"),
            "event": self.name,
            **self.fields,
        }

    def to_line(self) -> bytes:
        """The line of the journal, ASCII only and with its line end."""
        return json.dumps(self.to_json(), separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes | str) -> Event:
        """Read what `to_line` wrote; raises `ValueError` for anything else."""
        data: JSON = json.loads(line)
        if not isinstance(data, Mapping):
            raise ValueError("this is not an event")  # noqa: TRY004 - of the text
        match [data.get(key) for key in ENVELOPE]:
            case [1, int(seq), str(run), str(at), str(name)]:
                rest = {k: v for k, v in data.items() if k not in ENVELOPE}
                return cls(seq=seq, run=run, at=_instant(at), name=name, fields=rest)
            case [int(version), *_] if version > VERSION:
                raise ValueError(f"version {version} is newer than this program")
            case _:
                raise ValueError("this is not an event")


class Sink(Protocol):
    """Where events are kept."""

    def append(self, event: Event) -> None:
        """Keep the event; on return it outlives this process."""
        ...


class Observer(Protocol):
    """Somebody who is told of events, after they were masked and kept."""

    def on_event(self, event: Event) -> None:
        """See an event; must be quick, and may not touch the run."""
        ...


@runtime_checkable
class OutputObserver(Protocol):
    """An observer that is also shown the output of steps, masked, as it comes."""

    def on_output(self, step: str, stream: StreamName, data: bytes) -> None:
        """See a piece of output; it may end in the middle of a character."""
        ...


@runtime_checkable
class NoteObserver(Protocol):
    """An observer that is also told what steps say to the person who watches."""

    def on_note(self, step: str, text: str) -> None:
        """See a note."""
        ...


def say_on_stderr(text: str) -> None:
    """Tell something that must not be lost and fits nowhere else."""
    sys.stderr.write(f"{text}\n")


class Recorder:
    """Makes the events of one run: masked, then kept, then shown.

    An observer is foreign code: one that raises is dropped and told once through
    `complain`. What the journal raises ends the run.
    """

    def __init__(
        self,
        journal: Sink,
        masker: Masker,
        observers: Iterable[Observer] = (),
        *,
        run: str,
        complain: Callable[[str], None] = say_on_stderr,
    ) -> None:
        self.run = run
        self._journal = journal
        self._masker = masker
        self._observers = list(observers)
        self._complain = complain
        self._last_seq = 0

    def restart_seq(self, after: int) -> None:
        """Go on counting after the last event of a journal that is resumed."""
        self._last_seq = after

    def emit(self, name: str, /, **fields: JSON) -> Event:
        """Record that something happened.

        Raises:
            ValueError: The event is unknown or lacks a field: a fault of the caller.
            SandbookError: It could not be kept; nobody was shown it.
        """
        _check(name, fields)
        plain = {key: _plain(fields[key], key) for key in fields}
        masked = {key: self._masked(name, key, plain[key]) for key in plain}
        tainted = [path for key in plain for path in _tainted(key, plain, masked)]
        event = Event(
            seq=self._last_seq + 1,
            run=self.run,
            at=datetime.now(UTC),
            name=name,
            fields={**masked, **({"tainted": list(tainted)} if tainted else {})},
        )
        self._journal.append(event)
        self._last_seq = event.seq
        self._tell(lambda observer: observer.on_event(event))
        return event

    def output(self, step: str, stream: StreamName, data: bytes) -> None:
        """Show a piece of output that is masked and stored already."""

        def show(observer: Observer) -> None:
            if isinstance(observer, OutputObserver):
                observer.on_output(step, stream, data)

        self._tell(show)

    def note(self, step: str, text: str) -> None:
        """Say something about a step to the person who watches, and keep it."""
        masked = str(self.emit("step.noted", step=step, text=text).fields["text"])

        def show(observer: Observer) -> None:
            if isinstance(observer, NoteObserver):
                observer.on_note(step, masked)

        self._tell(show)

    def _masked(self, name: str, key: str, plain: JSON) -> JSON:
        is_ours = key in EVENTS[name] and key not in TEXTS
        return plain if is_ours else self._masker.data(plain)

    def _tell(self, show: Callable[[Observer], None]) -> None:
        for observer in tuple(self._observers):
            try:
                show(observer)
            except Exception as error:  # noqa: BLE001 - a plugin or a closed pipe
                self._observers.remove(observer)
                who, what = type(observer).__name__, type(error).__name__
                text = f"{who} failed and is told nothing more: {what}: {error}"
                self._complain(self._masker.text(text))


def _check(name: str, fields: Mapping[str, JSON]) -> None:
    required = EVENTS.get(name)
    if required is None:
        raise ValueError(f"unknown event {name!r}")
    missing = [key for key in required if key not in fields]
    if missing:
        raise ValueError(f"event {name!r} lacks {', '.join(missing)}")
    reserved = [key for key in ENVELOPE if key in fields]
    if reserved:
        raise ValueError(f"event {name!r} may not set {', '.join(reserved)}")


def _tainted(
    key: str, plain: Mapping[str, JSON], masked: Mapping[str, JSON]
) -> Iterator[str]:
    """Which values of this field were changed, so that no resumed run uses them."""
    before, after = plain[key], masked[key]
    if key in VALUES and isinstance(before, Mapping) and isinstance(after, Mapping):
        pairs = zip(before.values(), after.items(), strict=True)
        yield from (f"{key}.{name}" for old, (name, new) in pairs if old != new)


def _plain(value: JSON, key: str) -> JSON:
    """The value as reading the journal back would give it.

    JSON has no word for an infinite number, but what a step prints may hold one.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item, key) for name, item in value.items()}
    # What is typed as JSON may still be something else where a plugin made it.
    if isinstance(value, list | tuple):
        return [_plain(item, key) for item in value]
    raise ValueError(f"field {key!r} holds {type(value).__name__}, not JSON")


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} lacks its time zone")
    return at.astimezone(UTC)
