"""Decides what of a text is a secret, and hides it.

A secret is recognised as itself, line by line, and in the forms that common tools
make of it. What a program makes of it otherwise cannot be recognised.
"""

from __future__ import annotations

import base64
import json
import math
import re
import shlex
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from sandbook.api import JSON

MASK = b"***"
SHORTEST = 4
"""Characters; a shorter line or form would hide half of every text."""

_HEAD = 4
_COLUMNS = (64, 76)
_SHORTEST_LINE = 8
_BROWSER_SAFE = "!'()*~"
_SHELL_SPECIAL = re.compile(r"([^A-Za-z0-9_@%+:,./=\n-])")


class Masker:
    """Hides the values of `secrets` (name → value) in whatever is shown or stored.

    Where occurrences overlap, all that they cover becomes one `***`; of two forms
    that begin at the same place the longer one counts.
    """

    __slots__ = ("_forms",)

    def __init__(self, secrets: Mapping[str, str]) -> None:
        forms = {form for value in secrets.values() for form in _forms(value)}
        self._forms = _Forms(_encoded(form) for form in forms)

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

    def _masked(self, text: str, mask: bytes) -> str:
        if self._forms.is_empty:
            return text
        raw = _encoded(text)
        masked, _ = self._forms.mask_until(raw, len(raw), mask=mask)
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
    of a secret, and never more than the longest form less one byte.
    """

    __slots__ = ("_covered", "_forms", "_held")

    def __init__(self, forms: _Forms) -> None:
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


class _Forms:
    """Every form to be hidden, ready to be looked for.

    A pattern finds where the first characters of a form stand; only there are the
    forms themselves compared. So a private key of 600 forms costs no more to look
    for than a short token.
    """

    __slots__ = ("_by_head", "_head", "_heads", "_longest", "_sorted")

    def __init__(self, forms: Iterable[bytes]) -> None:
        self._sorted = sorted(set(forms))
        lengths = [len(form) for form in self._sorted]
        self._longest = max(lengths, default=0)
        self._head = min(_HEAD, min(lengths, default=_HEAD))
        self._by_head: dict[bytes, list[bytes]] = defaultdict(list)
        for form in sorted(self._sorted, key=len, reverse=True):
            self._by_head[form[: self._head]].append(form)
        self._heads = _any_of(self._by_head)

    @property
    def is_empty(self) -> bool:
        return not self._sorted

    def mask_until(
        self, data: bytes, until: int, *, covered: int = 0, mask: bytes = MASK
    ) -> tuple[bytes, int]:
        """Mask the occurrences that begin before `until`.

        The first `covered` bytes belong to an occurrence that was masked
        already. Also returns where the last occurrence ends.
        """
        parts: list[bytes] = []
        reach = covered
        for start, end in self._found(data, until):
            if start >= reach:
                parts += (data[reach:start], mask)
            reach = max(reach, end)
        parts.append(data[reach:until])
        return b"".join(parts), reach

    def open_end(self, data: bytes) -> int:
        """Where the end of `data` that may go on to be a form begins."""
        start = max(0, len(data) - self._longest + 1)
        last = max(start, len(data) - self._head + 1)
        while hit := self._heads.search(data, start):
            if self._may_go_on(data[hit.start() :]):
                return hit.start()
            start = hit.start() + 1
        shorter = (i for i in range(last, len(data)) if self._may_go_on(data[i:]))
        return next(shorter, len(data))

    def _may_go_on(self, end: bytes) -> bool:
        after = bisect_right(self._sorted, end)
        return after < len(self._sorted) and self._sorted[after].startswith(end)

    def _found(self, data: bytes, until: int) -> Iterator[tuple[int, int]]:
        start = 0
        while (hit := self._heads.search(data, start)) and hit.start() < until:
            at = hit.start()
            for form in self._by_head[hit.group()]:
                if data.startswith(form, at):
                    yield at, at + len(form)
                    break
            start = at + 1


def _any_of(heads: Iterable[bytes]) -> re.Pattern[bytes]:
    """A pattern for any of these, branching by the first byte.

    Branches are tried one after the other: 600 of them side by side take long.
    """
    by_first: dict[bytes, list[bytes]] = defaultdict(list)
    for head in heads:
        by_first[re.escape(head[:1])].append(re.escape(head[1:]))
    branches = (b"%b(?:%b)" % (a, b"|".join(b)) for a, b in by_first.items())
    return re.compile(b"|".join(branches))


def _forms(value: str) -> Iterator[str]:
    """The value, its longer lines, and what common tools make of either.

    A line end at the end of a value (files have one) is no part of it: each line
    that ends with the value would be joined with the next one.
    """
    value = value.strip("\r\n")
    if value:
        yield value
    for text in {value, *value.splitlines()}:
        if len(text) < SHORTEST:
            continue
        made = (text, *_json_forms(text), *_url_forms(text), *_shell_forms(text))
        for form in (*made, *_base64_forms(_encoded(text))):
            if len(form) >= SHORTEST:
                yield form


def _json_forms(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        form = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield form
        yield form.replace("/", "\\/")


def _url_forms(text: str) -> Iterator[str]:
    raw = _encoded(text)
    for form in (quote(raw, safe=""), quote(raw), quote(raw, safe=_BROWSER_SAFE)):
        yield form
        yield _lower_escapes(form)
    yield quote_plus(raw)
    yield _lower_escapes(quote_plus(raw))


def _lower_escapes(form: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), form)


def _shell_forms(text: str) -> Iterator[str]:
    yield shlex.quote(text)
    yield shlex.quote(text)[1:-1] if "'" in text else text
    yield text.replace("'", "'\\''")
    yield re.sub(r'(["$`\\])', r"\\\1", text)
    yield _SHELL_SPECIAL.sub(r"\\\1", text)


def _base64_forms(raw: bytes) -> Iterator[str]:
    """What stands in base64 wherever `raw` begins, and whole when encoded alone.

    Encoded alone it may end with a line end, and is broken into lines by `base64`
    (76) and `openssl` (64).
    """
    for offset in range(3):
        padded = base64.b64encode(b"\0" * offset + raw).decode()
        yield from _both_alphabets(
            padded[math.ceil(offset * 8 / 6) : (offset + len(raw)) * 8 // 6]
        )
    for alone in (raw, raw + b"\n"):
        whole = base64.b64encode(alone).decode()
        yield from _both_alphabets(whole)
        yield from _both_alphabets(whole.rstrip("="))
        lines = (whole[at : at + n] for n in _COLUMNS for at in range(0, len(whole), n))
        # The last line may be as short as "Cg==", which is a line end and no secret.
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE)


def _both_alphabets(form: str) -> tuple[str, str]:
    return form, form.replace("+", "-").replace("/", "_")


def _encoded(text: str) -> bytes:
    try:
        # Variables of the environment that are not UTF-8 arrive so.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return raw.decode("utf-8", "surrogateescape")
