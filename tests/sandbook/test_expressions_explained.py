"""Why a condition is false is told with the values that were compared."""

from __future__ import annotations

import pytest

from sandbook.expressions import Scope, Template, why_false
from tests.sandbook.reading import pieces

SCOPE = Scope(names={"inputs": {"n": 3, "text": "abc", "list": [1, 2], "no": False}})


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("inputs.n > 5", "3 > 5 is false"),
        ("inputs.text == 'abd'", '"abc" == "abd" is false'),
        ("inputs.list == [1]", "[1, 2] == [1] is false"),
        ("1 < inputs.n < 3", "3 < 3 is false"),
        ("inputs.n == 3 and inputs.text == 'x'", '"abc" == "x" is false'),
        ("inputs.n == 4 and inputs.missing == 'x'", "3 == 4 is false"),
        ("inputs.n == 4 or inputs.n == 5", "3 == 4 is false, 3 == 5 is false"),
        ("not inputs.n == 3", "3 == 3 is true"),
        ("inputs.no", "it is false"),
        ("inputs.n + 1 == inputs.list | length", "4 == 2 is false"),
    ],
)
def test_the_compared_values_are_told(source: str, told: str) -> None:
    assert why_false(Template(pieces(f"${{{{ {source} }}}}"), "free"), SCOPE) == told


def test_a_long_value_is_cut() -> None:
    scope = Scope(names={"inputs": {"long": "x" * 1000}})
    told = why_false(Template(pieces("${{ inputs.long == 'y' }}"), "free"), scope)
    assert len(told) < 200
    assert told.endswith('… == "y" is false')
