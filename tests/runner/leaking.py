"""A program that says a secret in every form; runs in sandboxes and in tests."""

from __future__ import annotations

import base64
import html
import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from urllib.parse import quote, quote_plus

FORMS: dict[str, Callable[[str], str]] = {
    "itself": str,
    "json": lambda s: json.dumps({"token": s}),
    "json in utf-8": lambda s: json.dumps([s], ensure_ascii=False),
    "json in json": lambda s: json.dumps(json.dumps(s)),
    "python": repr,
    "python beside both quotes": lambda s: repr(f"'{s}\""),
    "python bytes": lambda s: repr(s.encode()),
    "url": lambda s: "http://x/?t=" + quote(s, safe=""),
    "url path": quote,
    "url in lower case": lambda s: re.sub(
        "%..", lambda escape: escape[0].lower(), quote(s, safe="")
    ),
    "form": lambda s: "t=" + quote_plus(s),
    "base64": lambda s: base64.b64encode(s.encode()).decode(),
    "base64 of a line": lambda s: base64.b64encode(s.encode() + b"\n").decode(),
    "base64 without padding": lambda s: (
        base64.b64encode(s.encode()).decode().strip("=")
    ),
    "base64 at 1": lambda s: base64.b64encode(b"a" + s.encode() + b"tail").decode(),
    "base64 at 2": lambda s: base64.b64encode(b"ab" + s.encode() + b"tail").decode(),
    "base64 at 0": lambda s: base64.b64encode(s.encode() + b"tail").decode(),
    "urlsafe base64": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "base64 of json": lambda s: base64.b64encode(json.dumps([s]).encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "hex in capitals": lambda s: s.encode().hex().upper(),
    "shell word": shlex.quote,
    "single quotes": lambda s: "'" + s.replace("'", "'\\''") + "'",
    "double quotes": lambda s: "".join("\\" * (c in '"$`\\') + c for c in s),
    "html": html.escape,
    "capitals": str.upper,
    "backwards": lambda s: s[::-1],
}
EDGE = 3
"""Characters at both ends of a form that tell nothing: quotes, a group of base64."""


def core(form: str, secret: str) -> str:
    """What of a form would give the secret away: its middle."""
    made = FORMS[form](secret)
    start, end = len(made) // 3, len(made) - len(made) // 3
    return made[start:end]


def main() -> None:
    """Write every form of $TOKEN to a stream, whole or byte by byte."""
    way, stream = sys.argv[1:3]
    number = {"stdout": 1, "stderr": 2}[stream]
    for name, make in FORMS.items():
        line = f"{name}: {make(os.environ['TOKEN'])}\n".encode()
        step = 1 if way == "bytes" else len(line)
        for at in range(0, len(line), step):
            os.write(number, line[at : at + step])


if __name__ == "__main__":
    main()
