"""What expressions mean, and what they refuse."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping

import pytest

from sandbook.api import JSON
from sandbook.errors import Location
from sandbook.expressions import (
    Expression,
    ExpressionError,
    ExpressionSyntaxError,
    MissingValue,
    Scope,
    Template,
    end_of_expression,
    evaluate,
    evaluate_condition,
    parse,
    secrets_in,
    steps_in,
)
from tests.sandbook.reading import HERE, pieces, value_of

INPUTS: Mapping[str, JSON] = {
    "n": 7,
    "text": "Ab c",
    "empty": "",
    "nothing": None,
    "yes": True,
    "items": [3, 1, 2],
    "keys": {"values": 1, "a b": 2},
    "path": "/srv/data/x.tar.gz",
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("inputs.n", 7),
        ("inputs['n']", 7),
        ("inputs.n + 1", 8),
        ("inputs.n - 1.5", 5.5),
        ("inputs.n * 2 // 4", 3),
        ("inputs.n / 2", 3.5),
        ("inputs.n % 4", 3),
        ("-inputs.n", -7),
        ("'a' ~ inputs.n ~ true ~ [1, 'x']", 'a7true[1, "x"]'),
        ("inputs.n == 7.0", True),
        ("[true] == [1]", False),
        ("{'a': 1} == {'a': 1.0}", True),
        ("inputs.nothing == none", True),
        ("inputs.nothing is none", True),
        ("inputs.n is not none", True),
        ("1 < inputs.n <= 7", True),
        ("'a' < 'b'", True),
        ("3 in inputs.items", True),
        ("true in inputs.items", False),
        ("'b' in inputs.text", True),
        ("'values' in inputs.keys", True),
        ("4 not in inputs.items", True),
        ("inputs.yes and not false", True),
        ("false or inputs.yes", True),
        ("'a' if inputs.yes else 'b'", "a"),
        ("inputs.items", [3, 1, 2]),
        ("inputs.items[0]", 3),
        ("inputs.items[-1]", 2),
        ("inputs.items[1:]", [1, 2]),
        ("inputs.items[1:3]", [1, 2]),
        ("inputs.text[0]", "A"),
        ("inputs.keys.values", 1),
        ("inputs.keys.items is defined", False),
        ("inputs.keys['a b']", 2),
        ("inputs.missing.deeper[0].x | default('d')", "d"),
        ("inputs.nothing.x | default('d')", "d"),
        ("inputs.items[9] | default(0)", 0),
        ("inputs.nothing | default('d')", None),
        ("inputs.empty | default('d', true)", "d"),
        ("inputs.missing is defined", False),
        ("inputs.n is defined", True),
        ("unknown is defined", False),
        ("inputs.items | length", 3),
        ("inputs.text | lower", "ab c"),
        ("inputs.text | upper", "AB C"),
        ("' x ' | trim", "x"),
        ("inputs.text | replace('b', 'x')", "Ax c"),
        ("inputs.text | split", ["Ab", "c"]),
        ("'a,b' | split(',') | join('-')", "a-b"),
        ("[1, true, 'x'] | join(' ')", "1 true x"),
        ("inputs.items | first", 3),
        ("inputs.items | last", 2),
        ("inputs.items | min", 1),
        ("inputs.items | max", 3),
        ("inputs.items | sum", 6),
        ("inputs.items | sort", [1, 2, 3]),
        ("['b', 'a', 'b'] | unique", ["b", "a"]),
        ("[1, 1.0, true] | unique", [1, True]),
        ("inputs.items | reverse", [2, 1, 3]),
        ("'ab' | reverse", "ba"),
        ("' 42 ' | int", 42),
        ("3.9 | int", 3),
        ("'x' | int(0)", 0),
        ("'2.5' | float", 2.5),
        ("inputs.n | string", "7"),
        ("2.567 | round(2)", 2.57),
        ("2.567 | round", 3),
        ("2.5 | round", 3),
        ("-2.5 | round", -3),
        ("2.675 | round(2)", 2.68),
        ("1250 | round(-2)", 1300),
        ("' 7 ' | int", 7),
        ("'ß' | upper", "SS"),
        ("'😀' | length", 1),
        ("[[1], [1.0], {'a': true}, {'a': 1}] | unique", [[1], {"a": True}, {"a": 1}]),
        ("'' | split", []),
        ("'/a/' | basename", ""),
        ("'a' | dirname", ""),
        ("0.1 | string", "0.1"),
        ("{'a': '</script>'} | tojson", '{"a": "</script>"}'),
        ("-3 | abs", 3),
        ("inputs.keys | tojson", '{"values": 1, "a b": 2}'),
        ("'{\"a\": [1]}' | fromjson", {"a": [1]}),
        ("inputs.path | basename", "x.tar.gz"),
        ("inputs.path | dirname", "/srv/data"),
        ("'\\d\\n\\u0041'", "\\d\nA"),
        ("\"it's\" ~ '\"'", "it's\""),
        ("'}}'", "}}"),
        ("{'a': {'b': 1}}.a.b", 1),
        ("(1 + 2) * 3", 9),
        ("'é'", "é"),
    ],
)
def test_an_expression_gives(source: str, value: JSON) -> None:
    found = value_of(source, inputs=INPUTS)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("inputs.x", "inputs.x is missing: there is no entry 'x'"),
        ("inputs.items[9]", "inputs.items[9] is missing: there are 3 items"),
        ("inputs.n.x", "inputs.n.x is missing: a number has no entry 'x'"),
        (
            "inputs.text.upper",
            "inputs.text.upper is missing: a text has no entry 'upper'",
        ),
        ("nothing", "nothing is missing: it has no value here"),
        ("inputs.x.y | upper", "inputs.x is missing: there is no entry 'x'"),
    ],
)
def test_a_missing_value_is_named_with_what_lacks_it(source: str, told: str) -> None:
    with pytest.raises(MissingValue) as caught:
        value_of(source, inputs=INPUTS)
    assert caught.value.message == told
    assert caught.value.at == HERE
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("inputs.text + 1", "`+` needs numbers, not a text: 'Ab c'"),
        ("inputs.text * 300000000", "`*` needs numbers, not a text: 'Ab c'"),
        (
            "inputs.n == '7'",
            "`==` compares a number with a text, which are never equal: 7 and '7'",
        ),
        (
            "inputs.yes != 't'",
            "`!=` compares a boolean with a text, which are never equal: true and 't'",
        ),
        (
            "inputs.yes == 1",
            "`==` compares a boolean with a number, which are never equal: true and 1",
        ),
        ("[1] * 3", "`*` needs numbers, not a list: [1]"),
        ("true + 1", "`+` needs numbers, not a boolean: true"),
        ("1 / 0", "division by zero or too large a number"),
        (
            "9000000000000000000 + 9000000000000000000",
            "the result is too large a number",
        ),
        ("1e308 * 10", "the result is not a finite number"),
        ("1 < 'a'", "`<` cannot compare a number with a text"),
        ("1 in 2", "`in` cannot look for a number in a number"),
        ("1 in 'a1'", "`in` cannot look for a number in a text"),
        ("'x' and true", "`and` needs true or false, not a text: 'x'"),
        ("not 0", "`not` needs true or false, not a number: 0"),
        ("1 if 'false' else 2", "`if` needs true or false, not a text: 'false'"),
        ("'a' ~ none", "the value is null, which has no text"),
        ("'x' | int", "'x' is not a whole number"),
        ("'x' | float", "'x' is not a number"),
        ("'nan' | float", "'nan' is not a number"),
        ("[] | first", "'first' of something empty"),
        ("[] | max", "'max' of an empty list"),
        (
            "[1, 'a'] | sort",
            "'sort' needs a list of only numbers or only texts, not [1, 'a']",
        ),
        ("'3.9' | int", "'3.9' is not a whole number"),
        ("'1e3' | int", "'1e3' is not a whole number"),
        ("'1_000' | int", "'1_000' is not a whole number"),
        ("'1e400' | float", "the result is not a finite number"),
        ("[1, 'a'] | sum", "'sum' needs a number, not a text: 'a'"),
        ("'' | first", "'first' of something empty"),
        ("[none] | join", "the value is null, which has no text"),
        ("'\"\\\\ud800\"' | fromjson", "the text is not JSON: '\"\\\\ud800\"'"),
        ("5 | upper", "'upper' needs a text, not a number: 5"),
        ("5 | length", "'length' needs a text, a list or a map, not a number: 5"),
        ("'a' | split('')", "'split' needs a separator, not an empty text"),
        ("'NaN' | fromjson", "the text is not JSON: 'NaN'"),
        ("[1][::0]", "the step of a part cannot be 0"),
        ("{1: 2}", "the key of a map is a text, not a number"),
    ],
)
def test_what_has_no_answer_is_an_error_and_never_a_guess(
    source: str, told: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        value_of(source, inputs=INPUTS)
    assert caught.value.message == told
    assert str(caught.value) == f"f.yaml:1:1: {told}"


@pytest.mark.parametrize(
    ("source", "column", "told"),
    [
        ("", 0, "the expression is empty"),
        ("  ", 0, "the expression is empty"),
        ("a b", 2, "'b' was not expected here"),
        ("inputs.a = 3", 9, "'=' was not expected here"),
        ("1 +", 3, "the expression is not complete"),
        ("(1", 2, "the expression is not complete"),
        ("2 ** 3", 0, "there is no power operator"),
        ("inputs.a + 'b'", 11, "`+` needs numbers, and 'b' is a text"),
        ("'%s' % 1", 0, "`%` needs numbers, and '%s' is a text"),
        ("a || b", 3, "'|' was not expected here"),
        ("a ? b : c", 2, "the character '?' has no meaning here"),
        ("x.split(',')", 7, "there are no calls"),
        ("x AND y", 2, "'AND' was not expected here"),
        ("'\\ud800'", 0, "\\ud800 is half a character"),
        ("x" * 10_001 + "+1", 0, "the expression is longer than 10000 characters"),
        ("inputs.a()", 8, "there are no calls"),
        ("range(9)", 5, "there are no calls"),
        ("x | foo", 4, "there is no filter 'foo'"),
        ("x | attr('y')", 4, "there is no filter 'attr'"),
        ("x | join(d='y')", 4, "'join' takes no named arguments"),
        ("x | upper(1)", 4, "'upper' takes no argument, not 1"),
        ("x | replace('a')", 4, "'replace' takes 2 to 2 arguments, not 1"),
        ("x | default", 4, "'default' takes 1 to 2 arguments, not 0"),
        ("x is odd", 2, "there is no test `is odd`"),
        ("1 if x", 0, "`if` without `else` has no value for the other case"),
        ("!x", 0, "the character '!' has no meaning here"),
        ("a && b", 2, "the character '&' has no meaning here"),
        ("'a", 0, 'the character "\'" has no meaning here'),
        ("a\\b", 1, "the character '\\\\' has no meaning here"),
        ("9" * 5000, 0, "the number is too large"),
        ("1e999", 0, "the number is too large"),
        ("(" * 500, 0, "the expression is nested too deeply"),
        ("1" + " + 1" * 500, 1594, "the expression is nested too deeply"),
        ("x | secrets.y", 4, "there is no filter 'secrets.y'"),
    ],
)
def test_what_is_not_of_the_language_is_refused_where_it_stands(
    source: str, column: int, told: str
) -> None:
    with pytest.raises(ExpressionSyntaxError) as caught:
        parse(source, HERE)
    assert (caught.value.column, caught.value.message) == (column, told)


@pytest.mark.parametrize(
    "source",
    [
        "secrets.A | upper",
        "secrets.A ~ 'x'",
        "secrets['A']",
        "secrets",
        "secrets.A.b",
        "[secrets.A]",
        "x[secrets.A]",
        "secrets.A if true else 'x'",
        "secrets.A is defined",
    ],
)
@pytest.mark.language("§3 secrets.X")
def test_a_secret_stands_alone(source: str) -> None:
    with pytest.raises(ExpressionSyntaxError, match="a secret stands alone") as caught:
        parse(source, HERE)
    assert caught.value.code == "SB306"


def test_a_secret_is_put_into_a_text_and_named_beforehand() -> None:
    value = Template(pieces("Bearer ${{ secrets.TOKEN }}!"))
    assert evaluate(value, Scope(secrets={"TOKEN": "s3cret"})) == "Bearer s3cret!"
    assert secrets_in({"a": (value, "x")}) == {"TOKEN"}
    assert "s3cret" not in repr(Scope(secrets={"TOKEN": "s3cret"}))


def test_a_secret_without_a_value_is_missing() -> None:
    with pytest.raises(MissingValue, match="the secret 'TOKEN' is missing"):
        evaluate(Template(pieces("${{ secrets.TOKEN }}")), Scope())


def test_the_steps_a_value_uses_are_known_beforehand() -> None:
    value = Template(
        pieces("${{ steps.a.exit + steps['b'].x[steps.c.n] }} ${{ env.d }}")
    )
    assert steps_in((value, {"x": value})) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("n=${{ inputs.n }}", "n=7"),
        ("${{ inputs.yes }}!", "true!"),
        ("${{ inputs.items }};", "[3, 1, 2];"),
        ("${{ 1.5 }} ${{ 'é' }}", "1.5 é"),
    ],
)
@pytest.mark.language("§3 in a text")
def test_a_text_with_expressions_is_a_text(text: str, value: str) -> None:
    assert evaluate(Template(pieces(text), "free"), Scope({"inputs": INPUTS})) == value


@pytest.mark.parametrize("source", ["inputs.n", "inputs.yes", "inputs.items"])
@pytest.mark.language("§3 keeps its type")
def test_an_expression_alone_keeps_its_type_unless_a_text_is_needed(
    source: str,
) -> None:
    assert not isinstance(value_of(source, inputs=INPUTS), str)
    assert isinstance(value_of(source, kind="text", inputs=INPUTS), str)


@pytest.mark.parametrize(
    ("kind", "source", "value"),
    [
        ("duration", "'1m'", 60.0),
        ("size", "'1KiB'", 1024),
        ("boolean", "true", True),
        ("integer", "3", 3),
        ("number", "3.5", 3.5),
        ("octal", "'0644'", "0644"),
    ],
)
def test_a_value_is_read_as_its_place_needs_it(
    kind: str, source: str, value: JSON
) -> None:
    template = Template((parse(source, HERE),), kind)  # type: ignore[arg-type]
    assert evaluate(template, Scope()) == value


@pytest.mark.parametrize(
    ("kind", "source", "told"),
    [
        ("duration", "30", "a duration as 30s is needed here, not a number: 30"),
        ("duration", "'30'", "'30' has no unit: write 30s or 30m"),
        ("boolean", "'true'", "true or false is needed here, not a text: 'true'"),
        ("integer", "true", "a whole number is needed here, not a boolean: true"),
        ("number", "'3'", "a number is needed here, not a text: '3'"),
        ("octal", "644", "a file mode as 0644 is needed here, not a number: 644"),
    ],
)
def test_a_value_that_does_not_fit_its_place_fails_the_step(
    kind: str, source: str, told: str
) -> None:
    template = Template((parse(source, HERE),), kind)  # type: ignore[arg-type]
    with pytest.raises(ExpressionError) as caught:
        evaluate(template, Scope())
    assert caught.value.message == told


@pytest.mark.parametrize("value", ["true", 1, None, [], {}])
@pytest.mark.language("§3 if and check")
def test_a_condition_is_true_or_false_and_nothing_else(value: JSON) -> None:
    condition = Template((parse("x", HERE),), "free")
    assert evaluate_condition(condition, Scope({"x": True})) is True
    assert evaluate_condition(condition, Scope({"x": False})) is False
    with pytest.raises(ExpressionError, match="a condition must be true or false"):
        evaluate_condition(condition, Scope({"x": value}))


@pytest.mark.parametrize(
    "source",
    [
        "x ~ x",
        "x | replace('a', 'aa')",
        "[x, x] | join",
        "[x, x]",
        "[x, x] | tojson",
        "{'a': x, 'b': x}",
        "[[x, x], [x, x]] ~ ''",
    ],
)
def test_a_result_over_one_mebibyte_is_refused(source: str) -> None:
    text = "a" * (600 * 1024)
    assert value_of("x", x=text) == text
    with pytest.raises(ExpressionError, match="larger than 1 MiB"):
        value_of(source, x=text)


def test_a_result_that_shares_its_parts_is_measured_without_being_built() -> None:
    rows: JSON = "x" * 1000
    for _ in range(60):
        rows = [rows, rows]
    with pytest.raises(ExpressionError, match="larger than 1 MiB"):
        value_of("x ~ ''", x=rows)


def test_deep_data_fails_the_step_and_not_the_engine() -> None:
    deep: JSON = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ExpressionError, match="nested too deeply"):
        value_of("x ~ ''", x=deep)


@pytest.mark.parametrize(
    "source",
    ["9" * 100_000, "'x' * 999999999", "9**9**9", "1" + "~1" * 50_000, "[" * 50_000],
    ids=["digits", "repeat", "power", "joins", "brackets"],
)
def test_no_literal_hangs_the_loader(source: str) -> None:
    begun = time.process_time()
    with contextlib.suppress(ExpressionError, ExpressionSyntaxError):
        value_of(source)
    assert time.process_time() - begun < 20


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("a }} b", 2),
        ("'}}' }}", 5),
        ('"}}" }}', 5),
        ("{'a': {}}}} }}", 9),
        ("{'a': 1}}}", 8),
        ("'it\\'s }}' }}", 11),
        ('default(\\"}}\\") }}', 16),
        ('default(\\"a\\\\\\"}}\\") }}', 21),
        ("''a}}'' }}", 3),
        ("'${{' }}", 6),
        ("a ${{ b }}", None),
        ("a }", None),
        ("a\n}}", None),
        ("'a }}", None),
        ("", None),
    ],
)
def test_the_end_of_an_expression_is_not_the_first_braces(
    text: str, end: int | None
) -> None:
    assert end_of_expression(text, 0) == end


class Lazy(Mapping[str, JSON]):
    """Computes an entry when it is asked for, as the runner's results do."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, key: str) -> JSON:
        self.asked.append(key)
        return {"exit": 0}

    def __contains__(self, key: object) -> bool:
        return key in ("a", "b")

    def __iter__(self) -> Iterator[str]:
        return iter(("a", "b"))

    def __len__(self) -> int:
        return 2


def test_only_the_entries_that_are_used_are_computed() -> None:
    steps = Lazy()
    assert value_of("steps.b.exit", steps=steps) == 0
    assert steps.asked == ["b"]


def test_jinja_is_not_imported_for_plain_paths() -> None:
    script = (
        "import sys\n"
        "from sandbook.expressions import parse\n"
        "from sandbook.errors import Location\n"
        "parse('inputs.x', Location('f', 1, 1))\n"
        "parse('secrets.Y', Location('f', 1, 1))\n"
        "assert 'jinja2' not in sys.modules\n"
        "parse('inputs.x + 1', Location('f', 1, 1))\n"
        "assert 'jinja2' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_both_ways_of_reading_a_path_agree() -> None:
    for source in ("inputs.x", " steps.a.json.b ", "item", "a.b.c.d"):
        plain = parse(source, HERE)
        read = parse(f"({source})", HERE)
        assert str(strip_columns(plain)) == str(strip_columns(read))


def strip_columns(expression: Expression) -> str:
    """The tree without its columns, which differ by the bracket."""
    return re.sub(r"column=\d+", "", repr(expression.tree))


def test_an_error_says_where_its_expression_stands() -> None:
    at = Location("run.yaml", 12, 7)
    template = Template((parse("x.y", at),), "free")
    with pytest.raises(MissingValue) as caught:
        evaluate({"a": (template,)}, Scope())
    assert str(caught.value) == "run.yaml:12:7: x is missing: it has no value here"
