"""Which forms of a secret are looked for: what common tools make of a text.

Every form that is hidden may also hide what is no secret, so a form must be long, and
one that somebody really meets in output.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
import shlex
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST: Final = 4
"""Characters; a shorter line or form would hide half of every text."""

_SHORTEST_GUESS: Final = 8
"""Characters of what only some tools make: lines of base64, other letters."""

_COLUMNS: Final = (64, 76)
_BROWSER_SAFE: Final = "!'()*~"
_SHELL_SPECIAL: Final = re.compile(r"([^A-Za-z0-9_@%+:,./=\n-])")
_BASH_SPECIAL: Final = re.compile(r"""([ '"\\|&;()<>!{}*\[?\]^$`,]|^[#~]|(?<=[:=])~)""")
_C_NAMES: Final = dict(zip("\\'\a\b\x1b\f\n\r\t\v", "\\'abEfnrtv", strict=True))


def forms_of(value: str) -> Iterator[str]:
    """The value, its longer lines, and what common tools make of either.

    A line end at the end of a value (files have one) is no part of it: each line
    that ends with the value would be joined with the next one.
    """
    value = value.strip("\r\n")
    if value:
        yield value
    for text in {value, *value.splitlines()}:
        if len(text) >= SHORTEST:
            yield from (form for form in _made(text) if len(form) >= SHORTEST)


def encoded(text: str) -> bytes:
    """The bytes that a program writes for it."""
    try:
        # Variables of the environment that are not UTF-8 arrive so.
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _made(text: str) -> Iterator[str]:
    yield text
    yield from _json_forms(text)
    yield from _python_forms(text)
    yield from _url_forms(text)
    yield from _shell_forms(text)
    yield from _html_forms(text)
    # A secret inside JSON inside base64 is what tokens and cloud credentials are.
    for each in {text, _json(text)}:
        yield from _base64_forms(encoded(each))
    yield encoded(text).hex()
    yield encoded(text).hex().upper()
    if len(text) >= _SHORTEST_GUESS:
        yield from (text.lower(), text.upper(), text[::-1])


def _json_forms(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        form = _json(text, ascii_only=ascii_only)
        # JSON may stand as a text in other JSON; PHP escapes `/`.
        for each in (form, _json(form, ascii_only=ascii_only)):
            yield each
            yield each.replace("/", "\\/")


def _json(text: str, *, ascii_only: bool = True) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1]


def _python_forms(text: str) -> Iterator[str]:
    """Inside a `repr`, which escapes `'` when there is a `"` anywhere in it."""
    yield repr(text)[1:-1]
    yield repr(f'"{text}')[2:-1]
    yield ascii(text)[1:-1]
    yield ascii(f'"{text}')[2:-1]
    yield repr(encoded(text))[2:-1]
    yield repr(b'"' + encoded(text))[3:-1]


def _url_forms(text: str) -> Iterator[str]:
    raw = encoded(text)
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
    yield _BASH_SPECIAL.sub(r"\\\1", text)
    yield "".join(map(_in_c_quotes, text))
    yield "".join(_in_c_quotes(chr(byte), ascii_only=True) for byte in encoded(text))


def _in_c_quotes(char: str, *, ascii_only: bool = False) -> str:
    """Inside the `$'…'` that bash writes for what cannot be printed."""
    if char in _C_NAMES:
        return f"\\{_C_NAMES[char]}"
    if char.isprintable() and (char.isascii() or not ascii_only):
        return char
    return "".join(f"\\{byte:03o}" for byte in _bytes(char, ascii_only=ascii_only))


def _bytes(char: str, *, ascii_only: bool) -> bytes:
    return bytes([ord(char)]) if ascii_only else encoded(char)


def _html_forms(text: str) -> Iterator[str]:
    yield html.escape(text, quote=False)
    for apostrophe in ("&#x27;", "&#39;", "&apos;"):
        yield html.escape(text).replace("&#x27;", apostrophe)


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
        yield quote(whole, safe="")
        lines = (whole[at : at + n] for n in _COLUMNS for at in range(0, len(whole), n))
        # The last line may be as short as "Cg==", which is a line end and no secret.
        yield from (line for line in lines if len(line) >= _SHORTEST_GUESS)


def _both_alphabets(form: str) -> tuple[str, str]:
    return form, form.replace("+", "-").replace("/", "_")
