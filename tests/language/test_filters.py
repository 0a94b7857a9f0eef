"""The filters of the language, one by one: what each gives, and what it refuses."""

from __future__ import annotations

import pytest

from sandbook.api import JSON
from sandbook.errors import SandbookError
from tests.sandbook.reading import value_of

row = pytest.mark

GIVES = [
    pytest.param("x.y | default(3)", 3, marks=row.language("§3 filter default")),
    pytest.param("'' | default('a')", "", marks=row.language("§3 filter default")),
    pytest.param("[1, 2] | length", 2, marks=row.language("§3 filter length")),
    pytest.param("'añ' | length", 2, marks=row.language("§3 filter length")),
    pytest.param("'ÄB' | lower", "äb", marks=row.language("§3 filter lower")),
    pytest.param("'äb' | upper", "ÄB", marks=row.language("§3 filter upper")),
    pytest.param("'  a b\\n' | trim", "a b", marks=row.language("§3 filter trim")),
    pytest.param(
        "'a.b.c' | replace('.', '-')", "a-b-c", marks=row.language("§3 filter replace")
    ),
    pytest.param(
        "'a,b' | split(',')", ["a", "b"], marks=row.language("§3 filter split")
    ),
    pytest.param("['a', 'b'] | join('-')", "a-b", marks=row.language("§3 filter join")),
    pytest.param("[7, 8] | first", 7, marks=row.language("§3 filter first")),
    pytest.param("[7, 8] | last", 8, marks=row.language("§3 filter last")),
    pytest.param("[3, 1, 2] | min", 1, marks=row.language("§3 filter min")),
    pytest.param("[3, 1, 2] | max", 3, marks=row.language("§3 filter max")),
    pytest.param("[1, 2, 3.5] | sum", 6.5, marks=row.language("§3 filter sum")),
    pytest.param("[3, 1, 2] | sort", [1, 2, 3], marks=row.language("§3 filter sort")),
    pytest.param("[1, 2, 1] | unique", [1, 2], marks=row.language("§3 filter unique")),
    pytest.param("[1, 2] | reverse", [2, 1], marks=row.language("§3 filter reverse")),
    pytest.param("'42' | int", 42, marks=row.language("§3 filter int")),
    pytest.param("3.0 | int", 3, marks=row.language("§3 filter int")),
    pytest.param("'1.5' | float", 1.5, marks=row.language("§3 filter float")),
    pytest.param("12 | string", "12", marks=row.language("§3 filter string")),
    pytest.param("2.5 | round", 3, marks=row.language("§3 filter round")),
    pytest.param("2.345 | round(1)", 2.3, marks=row.language("§3 filter round")),
    pytest.param("-4 | abs", 4, marks=row.language("§3 filter abs")),
    pytest.param(
        "{'a': [1]} | tojson", '{"a": [1]}', marks=row.language("§3 filter tojson")
    ),
    pytest.param(
        "'[1, true]' | fromjson", [1, True], marks=row.language("§3 filter fromjson")
    ),
    pytest.param(
        "'a/b.txt' | basename", "b.txt", marks=row.language("§3 filter basename")
    ),
    pytest.param("'a/b.txt' | dirname", "a", marks=row.language("§3 filter dirname")),
]
REFUSES = [
    pytest.param("5 | length", "length", id="length"),
    pytest.param("5 | lower", "lower", id="lower"),
    pytest.param("[] | upper", "upper", id="upper"),
    pytest.param("5 | trim", "trim", id="trim"),
    pytest.param("5 | replace('a', 'b')", "replace", id="replace"),
    pytest.param("5 | split(',')", "split", id="split"),
    pytest.param("5 | join(',')", "join", id="join"),
    pytest.param("5 | first", "first", id="first"),
    pytest.param("5 | last", "last", id="last"),
    pytest.param("5 | min", "min", id="min"),
    pytest.param("[1, 'a'] | max", "max", id="max"),
    pytest.param("['a'] | sum", "sum", id="sum"),
    pytest.param("[1, 'a'] | sort", "sort", id="sort"),
    pytest.param("5 | unique", "unique", id="unique"),
    pytest.param("5 | reverse", "reverse", id="reverse"),
    pytest.param("'3.9' | int", "not a whole number", id="int"),
    pytest.param("'x' | float", "not a number", id="float"),
    pytest.param("'x' | round", "round", id="round"),
    pytest.param("'x' | abs", "abs", id="abs"),
    pytest.param("'{' | fromjson", "not JSON", id="fromjson"),
    pytest.param("5 | basename", "basename", id="basename"),
    pytest.param("5 | dirname", "dirname", id="dirname"),
]


@pytest.mark.parametrize(("source", "value"), GIVES)
def test_a_filter_gives_what_the_language_says(source: str, value: object) -> None:
    found = value_of(source, x={"a": 1})
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("source", "message"), REFUSES)
def test_a_filter_says_what_it_cannot_take(source: str, message: str) -> None:
    with pytest.raises(SandbookError, match=message):
        value_of(source)


OPERATORS = [
    pytest.param(
        "7 // 2 + 7 % 4 - 1 * 2 / 2", 5.0, marks=row.language("§3 arithmetic")
    ),
    pytest.param("'a' ~ 1 ~ 'b'", "a1b", marks=row.language("§3 ~")),
    pytest.param(
        "1 < 2 <= 2 != 3 and 2 in [2]", True, marks=row.language("§3 comparison")
    ),
    pytest.param("not (true and false) or false", True, marks=row.language("§3 logic")),
    pytest.param(
        "'b' if x.a > 1 else 'c'", "c", marks=row.language("§3 a if c else b")
    ),
    pytest.param("x.items", [4], marks=row.language("§3 x.y")),
    pytest.param("x['list'][1:3]", [2, 3], marks=row.language("§3 x[0], x[1:3]")),
    pytest.param(
        "x.b.c is defined or x.none is none",
        True,
        marks=row.language("§3 is defined, is none"),
    ),
    pytest.param(
        "x.b.c.d | default('none')",
        "none",
        marks=row.language("§3 missing along the path"),
    ),
]


@pytest.mark.parametrize(("source", "value"), OPERATORS)
def test_an_operator_gives_what_the_language_says(source: str, value: object) -> None:
    x: JSON = {"a": 1, "items": [4], "list": [1, 2, 3, 4], "none": None}
    assert value_of(source, x=x) == value


@pytest.mark.language("§3 no calls")
@pytest.mark.parametrize("source", ["range(3)", "x.upper()", "x.keys()", "(1)(2)"])
def test_nothing_can_be_called(source: str) -> None:
    with pytest.raises(SandbookError):
        value_of(source, x="a")


@pytest.mark.language("§3 1 MiB")
def test_a_result_of_more_than_a_mebibyte_is_refused() -> None:
    half = "a" * (600 << 10)
    assert value_of("x ~ 'b'", x=half) == half + "b"
    with pytest.raises(SandbookError, match="MiB"):
        value_of("x ~ x", x=half)
