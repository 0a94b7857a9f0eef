"""Questions for what a run still needs, to the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sandbook.cli._words import warn
from sandbook.inputs import missing_inputs, read_given
from sandbook.masking import SHORTEST
from sandbook.runbook import InputSpec, Runbook

EMPTY = ("''", '""')
"""How an empty text is typed; Enter alone asks again."""

_typed: dict[str, str] = {}
"""Nobody is asked twice: `--watch` runs again and again."""

_typed_secrets: dict[str, str] = {}


def ask_inputs(
    books: Sequence[Runbook], given: Mapping[str, object]
) -> Mapping[str, str]:
    """What is typed for each input that must be given and is not.

    Nothing is typed for those that the person ended with Ctrl-D.
    """
    for book in books:
        for spec in missing_inputs(book, {**given, **_typed}):
            answer = _answer(spec)
            if answer is None:
                break
            _typed[spec.name] = answer
    return {name: text for name, text in _typed.items() if name not in given}


def ask_secret(name: str) -> str | None:
    """A secret, typed unseen; None when the person ended with Ctrl-D."""
    # Needed by hardly any call.
    from getpass import getpass

    while name not in _typed_secrets:
        try:
            typed = getpass(f"{name} (not shown): ", sys.stderr)
        except EOFError:
            warn("")
            return None
        if len(typed) < SHORTEST:
            warn(f"  must have at least {SHORTEST} characters")
            continue
        _typed_secrets[name] = typed
    return _typed_secrets[name]


def _answer(spec: InputSpec) -> str | None:
    """A text that fits; None when the person ended with Ctrl-D."""
    warn(*_question(spec))
    while True:
        sys.stderr.write(f"{spec.name}{_kind(spec)}: ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            warn("")
            return None
        typed = _meant(spec, line.rstrip("\r\n"))
        wrong = _refusal(spec, typed)
        if not wrong:
            return "" if typed in EMPTY else typed
        warn(f"  {wrong}")


def _question(spec: InputSpec) -> Iterator[str]:
    if spec.description:
        yield spec.description
    for number, option in enumerate(spec.options, start=1):
        yield f"  {number}  {option}"


def _kind(spec: InputSpec) -> str:
    words: Mapping[str, str] = {
        "integer": " (a whole number)",
        "number": " (a number)",
        "boolean": " (true or false)",
        "choice": f" (1-{len(spec.options)})",
        "file": " (a file)",
    }
    return words.get(spec.type, "")


def _meant(spec: InputSpec, typed: str) -> str:
    """The option behind its number; an option that is itself a number wins."""
    options = spec.options
    is_number = typed.isascii() and typed.isdigit() and typed not in options
    if is_number and 1 <= int(typed[:9]) <= len(options):
        return options[int(typed) - 1]
    return typed


def _refusal(spec: InputSpec, typed: str) -> str:
    if not typed:
        return "type a value" + (", '' for an empty one" if _may_be_empty(spec) else "")
    try:
        read_given(spec, "" if typed in EMPTY else typed, Path.cwd())
    except ValueError as error:
        return str(error)
    return ""


def _may_be_empty(spec: InputSpec) -> bool:
    return spec.type == "string"
