"""What a cell of code gives, event by event, and what it comes to."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sandbook.api import (
    JSON,
    Chunk,
    CodeEvent,
    Done,
    Failed,
    Failure,
    Outcome,
    Rich,
    StepScope,
    StreamName,
    Text,
)
from sandbook.verbs._output import Transcript
from sandbook.verbs._rich import DATA, PLAIN, richest, suffix_of

MOST_RESULTS: Final = 1000
MOST_BYTES: Final = 256 << 20
"""Of the files of one cell: a loop may show pictures without end."""
SAVE_ERROR: Final = "SaveError"
"""How a provider calls it when an expression of `save` has no value that fits."""
_LONGEST_CAUSE: Final = 400
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_LINE: Final = re.compile(
    r"(?:Cell In\s?\[\d+\], line |File \"<[^>\n]*>\", line |<[\w -]+>:)(\d+)"
)
"""Where a traceback names a line of the cell itself, in the ways of interpreters."""


@dataclass
class Cell:
    """What a cell has given so far."""

    step: StepScope
    text: str = ""
    json: tuple[JSON, ...] = ()
    failed: Failed | None = None
    done: Done | None = None
    results: list[JSON] = field(default_factory=list[JSON])
    size: int = 0
    count: int = 0
    is_full: bool = False

    def __post_init__(self) -> None:
        self.transcript = Transcript(self.step.show)

    def take(self, event: CodeEvent) -> None:
        """Take what comes next."""
        match event:
            case Text(stream=stream, data=data):
                self._say(stream, data)
            case Rich(data=bundle, main=main):
                self._show(bundle, is_value=main)
            case Failed():
                self.failed = event
            case Done():
                self.done = event

    def _say(self, stream: StreamName, text: str) -> None:
        data = text.encode(errors="surrogatepass")
        self.count += 1
        self.transcript.add(
            Chunk(seq=self.count, stream=stream, data=data, at=datetime.now(UTC))
        )

    def _show(self, bundle: Mapping[str, bytes], *, is_value: bool) -> None:
        if is_value:
            self.text = bundle.get(PLAIN, b"").decode(errors="replace")
            self.json = _json_of(bundle)
        kind = richest(bundle, is_value=is_value)
        if is_value and kind is None and self.text:
            # As a notebook shows it: it is no output of the code.
            self.step.show("stdout", f"{self.text}\n".encode(errors="replace"))
        if kind is not None and self._has_room(len(bundle[kind])):
            name = f"{len(self.results) + 1}{suffix_of(kind)}"
            path = self.step.keep_result(name, bundle[kind])
            self.results.append({"type": kind, "path": str(path)})

    def _has_room(self, size: int) -> bool:
        self.size += size
        if len(self.results) < MOST_RESULTS and self.size <= MOST_BYTES:
            return True
        if not self.is_full:
            self.step.note("it showed too much: further results are not kept")
        self.is_full = True
        return False

    @property
    def is_lost(self) -> bool:
        """Whether the variables are gone."""
        return self.done is None or not self.done.state_kept

    def outcome(self, context: str) -> Outcome:
        """What it came to."""
        done = self.done
        error = self._error()
        if error is not None:
            self.step.show("stderr", f"{error['traceback']}\n".encode(errors="replace"))
        fields: dict[str, JSON] = {
            **self.transcript.fields(),
            "text": self.text,
            "results": self.results,
            "error": error,
        }
        if self.json:
            fields["json"] = self.json[0]
        return Outcome(
            fields=fields,
            values=done.values if done else {},
            failure=self._failure(done, context),
        )

    def _failure(self, done: Done | None, context: str) -> Failure | None:
        if done is None or done.status == "died":
            return Failure(cause=self._died(context))
        if done.status == "timed_out":
            return Failure(cause=self._timed_out(done, context), kind="timeout")
        if self.failed is None:
            return None
        if self._is_of_save(self.failed):
            return Failure(cause=f"`save` of {self.failed.value}", kind="expect")
        return Failure(cause=self._cause(self.failed), kind="error", subject="error")

    def _error(self) -> dict[str, JSON] | None:
        """What the code raised; not what a provider says of its interpreter."""
        failed = self.failed
        has_died = self.done is None or self.done.status == "died"
        if failed is None or has_died or self._is_of_save(failed):
            return None
        return {
            "name": failed.name,
            "message": _plain(failed.value),
            "traceback": _plain(failed.traceback).rstrip(),
        }

    def _is_of_save(self, failed: Failed) -> bool:
        return bool(self.step.save) and failed.name == SAVE_ERROR

    def _died(self, context: str) -> str:
        why = _plain(self.failed.value) if self.failed else "it ended by itself"
        return f"the interpreter is gone: {why}; {_lost(context)}"

    def _timed_out(self, done: Done, context: str) -> str:
        told = f"it was still running after {self.step.timeout:g} s"
        if done.state_kept:
            return f"{told}: the code was interrupted, the variables are kept"
        return f"{told} and could not be interrupted: {_lost(context)}"

    def _cause(self, failed: Failed) -> str:
        first = next(iter(_plain(failed.value).splitlines()), "")
        if len(first) > _LONGEST_CAUSE:
            # A cut must be marked: masking looks there for pieces of secrets.
            first = f"{first[:_LONGEST_CAUSE]}…"
        told = f"{failed.name}: {first}" if first else failed.name
        found = _LINE.findall(_plain(failed.traceback))
        if not found:
            return told
        place = self.step.place(int(found[-1]))
        return f"{told} (line {found[-1]}{', ' if place else ''}{place})"


def _json_of(bundle: Mapping[str, bytes]) -> tuple[JSON, ...]:
    """The value's JSON form, if it has one."""
    text = bundle.get(DATA, bundle.get(PLAIN, b""))
    try:
        return (json.loads(text, parse_constant=_refuse),)
    except (ValueError, RecursionError):
        return ()


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _plain(text: str) -> str:
    """Without the colours that interpreters add."""
    return _ESCAPES.sub("", text)


def _lost(context: str) -> str:
    return f"the variables of the context {context!r} are lost"
