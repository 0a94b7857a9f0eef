"""Whatever a runbook looks like, formatting changes its form and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from sandbook.api import VerbSpec
from sandbook.errors import RunbookError
from sandbook.formatting import format_text
from sandbook.loader import load_text
from sandbook.runbook import Runbook
from sandbook.verbs import sandbook_verbs
from tests.sandbook.formatting_texts import books

ROOT = Path(__file__).parents[2]
HERE = Path("book.yaml")
VERBS: dict[str, VerbSpec] = {one.spec.name: one.spec for one in sandbook_verbs()}


GOOD = sorted((ROOT / "runbooks").rglob("*.yaml"))
BAD = sorted((ROOT / "tests" / "bad").glob("*.yaml"))
PLACE = re.compile(r"Location\([^)]*\)")


def formatted(text: str, path: Path = HERE) -> str:
    """The canonical form; that it loads is proven too."""
    return format_text(text, path, VERBS)


def meaning(book: Runbook) -> str:
    """All that a runbook says, without the places of the file."""
    return PLACE.sub("", repr(replace(book, hash="", warnings=())))


def check(text: str, path: Path = HERE) -> None:
    """Each promise of the formatter, looked at from outside."""
    try:
        before = load_text(text, path, VERBS)
    except RunbookError:
        reject()
    once = formatted(text, path)
    assert meaning(load_text(once, path, VERBS)) == meaning(before)
    assert formatted(once, path) == once
    assert once.endswith("\n")
    assert "\r" not in once
    assert comments(once) == comments(text)
    assert all(isinstance(one, str) for one in texts_of(yaml.safe_load(once)))


def texts_of(loaded: Any) -> Iterator[object]:
    """What must be texts in the eyes of PyYAML: names, environments, commands."""
    steps = [*loaded["steps"], *loaded.get("finally", [])]
    for one in (loaded, *steps):
        yield from (one[key] for key in ("name", "stdin", "write") if key in one)
        env: dict[Any, Any] = one.get("env") or {}
        yield from (*env.keys(), *env.values())
        command: Any = one.get("command", [])
        yield from command if isinstance(command, list) else [command]


def comments(text: str) -> int:
    """How many of the comments that the strategies write are there."""
    return text.count("# note:") + text.count("# why") + text.count("# below")


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_an_example_means_the_same_after_it(path: Path) -> None:
    check(path.read_text(encoding="utf-8"), path)


def test_a_runbook_with_warnings_means_the_same_after_it() -> None:
    looked_at = 0
    for path in BAD:
        text = path.read_bytes().decode(errors="surrogateescape")
        try:
            once = formatted(text)
        except RunbookError:
            continue
        assert formatted(once) == once
        looked_at += 1
    assert looked_at > 3


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(books())
def test_a_runbook_written_in_any_way_means_the_same_after_it(text: str) -> None:
    check(text)


FRAGMENTS = ("\n", "  ", " ", "# why\n", "- ", "'", '"', "|", ": ", "x", ",", "}", "[")


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(books(), st.data())
def test_a_runbook_with_slips_that_still_loads_means_the_same_after_it(
    text: str, data: st.DataObject
) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 3))
        text = text[:at] + data.draw(st.sampled_from(FRAGMENTS)) + text[at + cut :]
    try:
        once = formatted(text)
    except RunbookError:
        reject()
    assert formatted(once) == once
