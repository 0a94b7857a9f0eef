"""Decides what of a text is a secret, and hides it.

A secret is recognised as itself, line by line, and in the forms that common tools
make of it. What a program makes of it otherwise cannot be recognised: a piece of it,
compressed or in UTF-16, with a colour or a line break in the middle, half on one
stream and half on the other. In a terminal's stream what stands between the
characters is passed over, where it is a sequence or a control.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sandbook.api import JSON
from sandbook.masking._forms import SHORTEST, encoded, forms_of
from sandbook.masking._search import MASK, Search
from sandbook.masking._terminal import TerminalMasker

__all__ = ["MASK", "SHORTEST", "Masker", "StreamMasker", "TerminalStream"]


class Masker:
    """Hides the values of `secrets` (name → value) in whatever is shown or stored.

    Where occurrences overlap, all that they cover becomes one `***`; of two forms
    that begin at the same place the longer one counts. What is left of a secret
    beside the mark of a cut (`…`) is hidden too.
    """

    __slots__ = ("_forms",)

    def __init__(self, secrets: Mapping[str, str]) -> None:
        forms = {form for value in secrets.values() for form in forms_of(value)}
        self._forms = Search(encoded(form) for form in forms)

    def text(self, text: str) -> str:
        """The text with every secret replaced by `***`."""
        return self._masked(text, MASK)

    def name(self, name: str) -> str:
        """A file name without secrets; equal names stay equal."""
        # `*` cannot stand in a file name everywhere, and is a pattern in shells.
        return self._masked(name, b"_" * len(MASK))

    def data(self, value: JSON) -> JSON:
        """The same value with keys, texts and numbers masked, however deep.

        Keys that become equal are numbered, so that no entry is lost.
        """
        if self._forms.is_empty or value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, Mapping):
            return self._map(value)
        return [self.data(item) for item in value]

    def stream(self) -> StreamMasker:
        """A masker for one stream of bytes that comes in chunks."""
        return StreamMasker(self._forms)

    def terminal(self) -> TerminalStream:
        """The same for what a terminal shows, with sequences inside a secret."""
        return TerminalStream(self.stream(), TerminalMasker(self._forms))

    def _masked(self, text: str, mask: bytes) -> str:
        if self._forms.is_empty:
            return text
        raw = encoded(text)
        masked, _ = self._forms.mask_until(raw, len(raw), mask=mask)
        masked = self._forms.mask_cuts(masked, mask=mask)
        # What a program printed may not survive the way there and back.
        return text if masked == raw else _decoded(masked)

    def _number(self, value: float) -> JSON:
        shown = json.dumps(value)
        masked = self.text(shown)
        return value if masked == shown else masked

    def _map(self, value: Mapping[str, JSON]) -> dict[str, JSON]:
        masked: dict[str, JSON] = {}
        for key, item in value.items():
            name = self.text(key)
            count = 1
            while name in masked:
                count += 1
                name = f"{self.text(key)} ({count})"
            masked[name] = self.data(item)
        return masked


class StreamMasker:
    """Masks a stream whose secrets may be cut anywhere by the borders of chunks.

    It holds back the end of what it got only while that end may be the beginning
    of a secret, and never more than the longest form less one byte. It does so
    however long nothing comes: what a slow program writes is no less secret.
    """

    __slots__ = ("_covered", "_forms", "_held")

    def __init__(self, forms: Search) -> None:
        self._forms = forms
        self._held = b""
        self._covered = 0

    def feed(self, data: bytes) -> bytes:
        """What can be shown now that `data` has come."""
        if self._forms.is_empty:
            return data
        data = self._held + data
        return self._release(data, self._forms.open_end(data))

    def flush(self) -> bytes:
        """What was held back; the stream has ended."""
        return self._release(self._held, len(self._held))

    def _release(self, data: bytes, until: int) -> bytes:
        shown, reach = self._forms.mask_until(data, until, covered=self._covered)
        # The mask of an occurrence that reaches into what is held was shown already.
        self._covered = max(0, reach - until)
        self._held = data[until:]
        return shown


class TerminalStream:
    """Both ways: as it stands, and as a person reads it."""

    __slots__ = ("_plain", "_read")

    def __init__(self, plain: StreamMasker, read: TerminalMasker) -> None:
        self._plain = plain
        self._read = read

    def feed(self, data: bytes) -> bytes:
        """What can be shown now that `data` has come."""
        return self._read.feed(self._plain.feed(data))

    def flush(self) -> bytes:
        """What was held back; the stream has ended."""
        return self._read.feed(self._plain.flush()) + self._read.flush()


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape")
