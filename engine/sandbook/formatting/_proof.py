"""Whether a formatted text means what the text before meant, to us and to others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import yaml

from sandbook.api import VerbSpec
from sandbook.errors import RunbookError
from sandbook.formatting._texts import without_old_breaks
from sandbook.loader import load_text
from sandbook.loader._shield import Shield
from sandbook.loader._source import Source
from sandbook.runbook import Runbook

_PLACE: Final = re.compile(r"Location\(path='', [^)]*\)")


def says_the_same(book: Runbook, formatted: str, verbs: Mapping[str, VerbSpec]) -> bool:
    """Whether the text gives this runbook again, wherever in the file things stand."""
    try:
        again = load_text(formatted, book.path, verbs)
    except RunbookError:
        return False
    return _meaning(again) == _meaning(book)


def tools_agree(formatted: str) -> bool:
    """Whether a YAML 1.2 tool finds the same texts, knowing nothing of expressions."""
    try:
        found = list(_events(without_old_breaks(formatted)))
    except yaml.YAMLError:
        return False
    return found == list(_events(Shield(Source("", formatted)).text))


def _meaning(book: Runbook) -> str:
    told = repr(replace(book, hash="", warnings=())).replace(repr(str(book.path)), "''")
    return _PLACE.sub("", told)


def _events(text: str) -> Iterator[tuple[object, ...]]:
    parser: Any = yaml.CLoader(text) if yaml.__with_libyaml__ else yaml.Loader(text)
    while parser.check_event():
        event: Any = parser.get_event()
        style: object = getattr(event, "style", None)
        yield type(event), event.start_mark.index, event.end_mark.index, style
