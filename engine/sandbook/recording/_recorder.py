"""Writes a recording while the terminal is in use."""

from __future__ import annotations

import codecs
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sandbook.api import JSON
from sandbook.masking import Masker
from sandbook.recording._lines import Lines

_MICROSECONDS: Final = 1_000_000


class Recorder:
    """The recording of one terminal, written line by line as things happen.

    Secrets are masked before anything is stored, also where a chunk's border or an
    escape sequence cuts them (`sandbook.masking` says what cannot be found). What may
    be the beginning of one is held back until more comes, and is then stored with that
    moment's time; `close` stores the rest. Bytes that are no UTF-8 become U+FFFD, since
    a recording is text; a character in two chunks stays whole.
    """

    def __init__(  # noqa: PLR0913 - the header's fields, all by keyword
        self,
        path: Path,
        *,
        cols: int,
        rows: int,
        term: str = "xterm-256color",
        masker: Masker | None = None,
        clock: Callable[[], float] = time.monotonic,
        title: str | None = None,
        command: str | None = None,
    ) -> None:
        """Begin a recording at `path`, in place of one that was there.

        Raises:
            SandbookError: The file cannot be made; so says each method that writes.
        """
        self.path = path
        self._masker = masker or Masker({})
        self._stream = self._masker.terminal()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._clock = clock
        self._began = clock()
        self._told = 0
        self._lines = Lines(path)
        told = {"title": title, "command": command}
        header: dict[str, JSON] = {
            "version": 3,
            "term": {"cols": cols, "rows": rows, "type": term},
            "timestamp": int(time.time()),
            **{k: self._masker.text(v) for k, v in told.items() if v is not None},
        }
        self._lines.write(_json(header))

    def output(self, data: bytes) -> None:
        """The terminal showed this."""
        self._show(self._decoder.decode(self._stream.feed(data)))

    def resize(self, cols: int, rows: int) -> None:
        """The terminal has another size from now on."""
        self._event("r", f"{cols}x{rows}")

    def marker(self, text: str) -> None:
        """Name this moment, for somebody who wants to jump there."""
        self._event("m", self._masker.text(text))

    def exit(self, code: int | None) -> None:
        """The program has ended and shows no more; None = nobody knows its code."""
        self._end_output()
        if code is not None:
            self._event("x", str(code))

    def close(self) -> None:
        """Store what is still held back, and end the recording."""
        try:
            self._end_output()
        finally:
            self._lines.close()

    def _end_output(self) -> None:
        rest = self._stream.flush()
        self._show(self._decoder.decode(rest, final=True))

    def _show(self, text: str) -> None:
        if text:
            self._event("o", text)

    def _event(self, kind: str, text: str) -> None:
        now = max(int((self._clock() - self._began) * _MICROSECONDS), self._told)
        # Intervals of rounded instants add up to the true time, however many.
        interval, self._told = now - self._told, now
        seconds, rest = divmod(interval, _MICROSECONDS)
        self._lines.write(f"[{seconds}.{rest:06}, {_json(kind)}, {_json(text)}]")


def _json(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)
