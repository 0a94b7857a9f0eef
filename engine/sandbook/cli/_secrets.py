"""Where the values of secrets come from, before anything starts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sandbook.errors import UsageError
from sandbook.masking import SHORTEST
from sandbook.problems import suggest

_VARIABLE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def read_secrets(
    names: Sequence[str], environ: Mapping[str, str], files: Mapping[str, str]
) -> Mapping[str, str]:
    """The value of every secret: of its file where one is given, else the variable's.

    Raises:
        UsageError: Names every secret that is missing or too short to be masked.
    """
    values = {name: _value(name, environ, files) for name in names}
    wrong = [_refusal(name, value) for name, value in values.items() if _is_bad(value)]
    if wrong:
        name = next(name for name, value in values.items() if _is_bad(value))
        raise UsageError(
            "; ".join(wrong),
            remedy=f"set the variable {name}, or give --secret-file {name}=PATH",
        )
    return {name: value for name, value in values.items() if value is not None}


def refuse_strange(files: Mapping[str, str], names: Sequence[str]) -> None:
    """Raise `UsageError` for a file of a secret that no runbook lists."""
    unknown = next((name for name in files if name not in names), None)
    if unknown is not None:
        raise UsageError(
            f"--secret-file: there is no secret {unknown!r}",
            remedy=suggest(unknown, names, kind="secrets"),
        )


def _value(
    name: str, environ: Mapping[str, str], files: Mapping[str, str]
) -> str | None:
    if name not in files:
        return environ.get(name)
    text = _read(Path(files[name]), f"--secret-file {name}")
    # An editor ends the last line; no token ends so.
    return text.removesuffix("\n").removesuffix("\r")


def _is_bad(value: str | None) -> bool:
    return value is None or len(value) < SHORTEST


def _refusal(name: str, value: str | None) -> str:
    if value is None:
        return f"secret {name!r} is not given"
    return f"secret {name!r} is shorter than {SHORTEST} characters"


def environ_with(path: Path | None) -> Mapping[str, str]:
    """The environment, and below it the variables of a file."""
    return {**(read_env_file(path) if path else {}), **os.environ}


def read_env_file(path: Path) -> Mapping[str, str]:
    """The variables of a file of `NAME=VALUE` lines.

    `#` begins a comment; 'single' quotes keep everything, "double" ones know escapes.

    Raises:
        UsageError: It cannot be read, or names the line that is wrong.
    """
    lines = _read(path, "--env-file").splitlines()
    return dict(_variables(path, lines))


def _variables(path: Path, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        found = _VARIABLE.fullmatch(text)
        value = _unquoted(found[2]) if found else None
        if found is None or value is None:
            # Never the line itself: it may hold a secret.
            raise UsageError(
                f"{path}:{number}: this is not a variable",
                remedy="write NAME=VALUE, with quotes around a value that has spaces",
            )
        yield found[1], value


def _unquoted(text: str) -> str | None:
    """The value; None when its quotes do not fit."""
    quote = text[:1]
    if quote not in ("'", '"'):
        return re.split(r"\s#", text, maxsplit=1)[0].rstrip()
    body = r"[^']*" if quote == "'" else r"(?:[^\"\\]|\\.)*"
    found = re.fullmatch(rf"{quote}({body}){quote}\s*(?:#.*)?", text)
    if found is None:
        return None
    if quote == "'":
        return found[1]
    return _ESCAPE.sub(lambda each: _ESCAPED.get(each[1], each[1]), found[1])


def _read(path: Path, option: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(
            f"{option}: {str(path)!r} cannot be read: {reason}",
            remedy="give the path of a text file",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{option}: {str(path)!r} is not UTF-8 text", remedy="save it as UTF-8"
        ) from error
