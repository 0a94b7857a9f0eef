"""Texts that tell somebody what to call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sandbook.cli._group import sandbook

_ROOT = Path(__file__).parents[2]
_CALL = re.compile(r"`sandbook (?P<words>[^`{]+)")
_FOLDERS = ("engine", "plugins", "runbooks", "schemas")
_KINDS = {".py", ".md", ".yaml"}


def _texts() -> Iterator[Path]:
    yield from _ROOT.glob("*.md")
    for folder in _FOLDERS:
        found = (_ROOT / folder).rglob("*")
        yield from (path for path in found if path.suffix in _KINDS)


def _calls(path: Path) -> Iterator[list[str]]:
    # A long text of the source goes over lines, each in quotes of its own.
    text = re.sub(r'"\n\s+f?"', "", path.read_text(encoding="utf-8"))
    for found in _CALL.finditer(text):
        yield found["words"].split()


def unknown_in(words: list[str]) -> str:
    """The first word of a call that the command line does not know."""
    command: click.Command = sandbook
    for word in words:
        if word.startswith("-"):
            if word.partition("=")[0] not in _options(command):
                return word
        elif isinstance(command, click.Group):
            inner = command.get_command(click.Context(command), word)
            if inner is None:
                return word
            command = inner
    return ""


def _options(command: click.Command) -> set[str]:
    given = {option for each in command.params for option in each.opts}
    return given | {"--help", "-h", "--"}


@pytest.mark.parametrize("text", ["logs", "show --everything", "sandboxes list"])
def test_what_is_not_there_is_found(text: str) -> None:
    assert unknown_in(text.split())


def test_every_call_that_a_text_names_is_there() -> None:
    calls = [(path, words) for path in _texts() for words in _calls(path)]
    assert len(calls) > 50
    assert [f"{path}: {words}" for path, words in calls if unknown_in(words)] == []
