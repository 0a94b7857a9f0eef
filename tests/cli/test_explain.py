"""`explain` says what a code means, with an example of it wrong and right."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from sandbook.cli.explain import explain
from sandbook.explanations import examples
from sandbook.problems import CODES


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_is_explained_with_its_example(code: str) -> None:
    result = CliRunner().invoke(explain, [code.lower()])
    shown = " ".join(result.output.split())
    assert result.exit_code == 0
    assert shown.startswith(f"{code} {CODES[code][:60]}")
    for title, text in examples()[code].shown():
        # A tab that can be seen is what this example is about.
        seen = text.replace("\t", "\\t")
        assert f"{title}: {' '.join(seen.split())}" in shown
