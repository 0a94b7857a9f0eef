"""Searching with an author's regular expression, and never for long."""

from __future__ import annotations

import time

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbook.errors import UsageError
from sandbook.expectations import unmet
from sandbook.finding import LIMIT_S, Found, PatternTooSlow, is_quick, search


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b+", "abbc", Found("bb", "bb")),
        ("^b$", "a\nb\nc", Found("b", "b")),
        ("v(\\d)", "v3", Found("v3", "3")),
        ("(x)?y", "y", Found("y", "")),
        ("(\\d+\\.)+(\\d)", "3.10.2", Found("3.10.2", "10.")),
        ("z", "abc", None),
        ("(a|b)*c", "abc", Found("abc", "b")),
        ("(\\w+ )+é", "a b é", Found("a b é", "b ")),
    ],
)
def test_a_search_gives_the_match_and_its_first_group(
    pattern: str, text: str, found: Found | None
) -> None:
    assert anyio.run(search, pattern, text) == found


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(a|a)*b", "(a*)*b"])
def test_a_search_without_end_is_given_up(pattern: str) -> None:
    async def call() -> None:
        with pytest.raises(PatternTooSlow, match=f"still searching after {LIMIT_S} s"):
            await search(pattern, "a" * 40 + "!")

    begun = time.monotonic()
    anyio.run(call)
    assert time.monotonic() - begun < LIMIT_S + 30


@pytest.mark.language("§5 matches: 5 s")
def test_an_expectation_that_searches_without_end_fails_in_words() -> None:
    async def call() -> tuple[str, ...]:
        return await unmet(
            {"text": {"matches": "(a+)+$"}}, {"text": "a" * 40 + "!"}, None
        )

    (told,) = anyio.run(call)
    assert told.startswith("text could not be judged: the pattern '(a+)+$'")


@pytest.mark.parametrize(
    ("pattern", "text", "quick"),
    [
        ("ERROR", "x" * 100_000, True),
        ("^v[0-9]+$", "v1\n" * 1000, True),
        ("(\\d+\\.)+", "1.2", False),
        ("a*a*a*a*b", "a" * 1000, False),
        ("[^x]*y", "a\n" * 2000, False),
        ("x?" * 30, "x", False),
    ],
)
def test_only_what_can_be_slow_costs_a_process(
    pattern: str, text: str, *, quick: bool
) -> None:
    assert is_quick(pattern, text) is quick


@pytest.mark.parametrize("pattern", ["(", "*", "[z-a]", "a{99999999999}"])
def test_what_is_no_pattern_is_the_authors_fault(pattern: str) -> None:
    with pytest.raises(UsageError, match="is no regular expression"):
        anyio.run(search, pattern, "x")


@settings(max_examples=100, deadline=None)
@given(st.text("ab*+?|[]^.\\sn", max_size=8), st.text("ab \n", max_size=60))
def test_what_counts_as_quick_is_quick(pattern: str, text: str) -> None:
    begun = time.process_time()
    try:
        if is_quick(pattern, text):
            anyio.run(search, pattern, text)
    except UsageError:
        return
    assert time.process_time() - begun < 2
