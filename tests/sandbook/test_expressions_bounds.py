"""No expression takes long, takes much memory, or ends in anything but words."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbook.api import JSON
from sandbook.errors import SandbookError
from sandbook.expressions import ExpressionError, ExpressionSyntaxError, parse
from sandbook.loader import load_text
from sandbook.verbs import sandbook_verbs
from tests.sandbook.reading import HERE, value_of

_SLOW_DATA = (HealthCheck.too_slow, HealthCheck.filter_too_much)
NUMBERS: JSON = list(range(150_000))
TEXT = "a" * (10 << 20)
PIECES = (
    *("x", "y.z", "x[0]", "x[1:]", "1", "0.5", "'a'", "none", "true", "[x, y]"),
    *(" + ", " * ", " // ", " % ", " ~ ", " == ", " < ", " in ", " and ", " or "),
    *(" | length", " | sort", " | unique", " | join(',')", " | split('')", " | int"),
    *(" | default(1)", " | tojson", " | fromjson", " | round(2)", " | sum", "not "),
    *("(", ")", "[", "]", "{", "}", ":", ",", " if ", " else ", " is defined", "?"),
)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "source",
    [
        "n | unique | length",
        "n | sort | sort | sort | sort | sort | sort | length",
        "t" + " | upper" * 1000,
        " and ".join(["n == n"] * 90),
        "[" + ", ".join(["n | sum"] * 800) + "]",
        "t | split('a')",
        "t | replace('a', 'aa')",
        "t | fromjson",
        "t | int",
        "t | float",
        "t + 1",
        "n | tojson | tojson | tojson",
    ],
)
def test_an_evaluation_is_bounded_however_large_its_data(source: str) -> None:
    begun = time.process_time()
    with suppress(ExpressionError, ExpressionSyntaxError):
        value_of(source, n=NUMBERS, t=TEXT)
    assert time.process_time() - begun < 8


def test_check_never_runs_the_arithmetic_of_the_author(tmp_path: Path) -> None:
    del tmp_path
    verbs = {verb.spec.name: verb.spec for verb in sandbook_verbs()}
    text = "runbook: 1\nsteps:\n  - check: 1 / 0 == 9000000000000000000 * 9 % 0\n"
    assert load_text(text, Path("f.yaml"), verbs).steps[0].verb == "check"


@settings(max_examples=300, deadline=None, suppress_health_check=_SLOW_DATA)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text())
def test_any_source_is_a_tree_or_a_located_problem(source: str) -> None:
    try:
        parse(source, HERE)
    except ExpressionSyntaxError as error:
        told = error.message if 0 <= error.column <= len(source) else "misplaced"
        if told in ("", "misplaced"):
            pytest.fail(f"{source!r}: {told!r}")


@settings(max_examples=300, deadline=None, suppress_health_check=_SLOW_DATA)
@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), DATA, DATA)
def test_any_expression_over_any_data_gives_a_value_or_words(
    source: str, x: JSON, y: JSON
) -> None:
    # Whatever is no SandbookError fails the test.
    with suppress(SandbookError):
        value_of(source, x=x, y=y)
