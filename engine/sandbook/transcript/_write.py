"""Writes a draft as a runbook, in the words and the form of this project."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sandbook.api import VerbSpec
from sandbook.formatting import format_text
from sandbook.transcript._draft import Draft, Line, Setting

_HEADER: Final = """\
# Recorded by `sandbook record`, and yours to edit.
#
# `see` waits until a text is shown, `enter` types a text and presses Enter.
# Only what is waited for is checked: add a `see` for each result that matters.
"""
_SECRETS: Final = """\
# What was typed hidden is not in this file. `sandbook run` asks for it, or takes it
# from variables of these names.
"""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_/.$~(<+^=;](?:.*\S)?", re.DOTALL)
_BLOCK: Final = re.compile(r"(?:\S[^\n]*\n)(?:[^\n]*\n)*[^\n]*\S", re.DOTALL)
_ESCAPED: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_LONGEST_NAME: Final = 60


def write(
    draft: Draft, setting: Setting, *, path: Path, verbs: Mapping[str, VerbSpec]
) -> str:
    """The text of the runbook that is to stand in `path`.

    Raises:
        SandbookError: It would not be valid: a fault of ours.
    """
    return format_text("\n".join(_runbook(draft, setting)) + "\n", path, verbs)


def _runbook(draft: Draft, setting: Setting) -> Iterator[str]:
    command = " ".join(setting.argv)
    yield _HEADER.rstrip("\n")
    yield "runbook: 1"
    yield f"name: {_scalar(_shortened(f'Recorded {command}'))}"
    names = list(dict.fromkeys(str(x.value) for x in draft.lines if x.name == "secret"))
    if names:
        yield f"\n{_SECRETS}secrets: [{', '.join(names)}]"
    yield "\nsteps:"
    yield f"  - name: {_scalar(_shortened(command))}"
    yield f"    pty: [{', '.join(_quoted(word) for word in setting.argv)}]"
    yield f"    size: {setting.cols}x{setting.rows}"
    if setting.env:
        yield "    env:"
        yield from (
            f"      {name}: {_quoted(value)}" for name, value in setting.env.items()
        )
    yield "    script:"
    for line in draft.lines or (Line("exit", "any"),):
        if line.comment:
            yield f"      # {line.comment}"
        yield f"      - {_written(line)}"


def _written(line: Line) -> str:
    if line.name == "secret":
        return f"secret: ${{{{ secrets.{line.value} }}}}"
    if isinstance(line.value, tuple):
        keys = [_quoted(key) for key in line.value]
        together = ", ".join(keys)
        return f"press: {together}" if len(keys) == 1 else f"press: [{together}]"
    if line.name in ("resize", "wait_idle"):
        return f"{line.name}: {line.value}"
    if line.name == "exit":
        return f"expect_exit: {line.value}"
    return f"{line.name}: {_scalar(line.value)}"


def _scalar(text: str) -> str:
    """A text as the rest of its line, or below it."""
    literal = text.replace("${{", "$${{")
    if _is_printable(literal) and " #" not in literal and _PLAIN.fullmatch(literal):
        return literal
    body = literal.removesuffix("\n")
    if _BLOCK.fullmatch(body) and all(map(_is_printable, body.split("\n"))):
        indented = "\n".join(f"          {line}".rstrip() for line in body.split("\n"))
        if not re.search(r"[ \t]$", body, re.MULTILINE):
            return f"{'|' if body != literal else '|-'}\n{indented}"
    return _in_quotes(literal)


def _quoted(text: str) -> str:
    """A text inside `[ ]` or beside a name of its own."""
    literal = text.replace("${{", "$${{")
    if re.fullmatch(r"-{0,2}[A-Za-z0-9_/.+][\w/.+=@~ -]*", literal, re.ASCII):
        return literal.strip() if literal.strip() == literal else _in_quotes(literal)
    return _in_quotes(literal)


def _in_quotes(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _is_printable(text: str) -> bool:
    return text.isprintable() and not _ESCAPED.search(text)


def _shortened(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= _LONGEST_NAME else f"{one[: _LONGEST_NAME - 1]}…"
