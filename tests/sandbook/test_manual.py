"""The written reference: its examples load, and those that are whole runbooks pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbook.expressions._filters import FILTERS as KNOWN_FILTERS
from sandbook.loader import load_text
from sandbook.schema import STEP_KEYS, SUBJECTS, top_keys
from sandbook.schema.manual import FILTERS, manual
from sandbook.verbs import sandbook_verbs
from tests.cli.calls import Cli

VERBS = {verb.spec.name: verb.spec for verb in sandbook_verbs()}
PAGE = manual(VERBS)
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
WHOLE = [block for block in BLOCKS if "\nrunbook: 1\n" in f"\n{block}"]
STEPS = [block for block in BLOCKS if block not in WHOLE]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Calls commands."""
    return Cli(tmp_path)


def test_every_verb_has_an_example_and_every_subject_a_whole_one() -> None:
    assert {block.split(":")[0].removeprefix("- ") for block in STEPS} == set(VERBS)
    assert len(WHOLE) >= 5


@pytest.mark.parametrize("block", STEPS)
def test_an_example_of_a_verb_can_be_completed_to_a_runbook(
    block: str, tmp_path: Path
) -> None:
    # What an example speaks of stands elsewhere in a real runbook.
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/login.yaml").write_text("runbook: 1\nsteps: [{command: a}]\n")
    (tmp_path / "site").mkdir()
    above = ""
    if "steps.build" in block:
        above = "- id: build\n  command: make\n"
    if block.startswith("- teardown"):
        above = "- create: {as: db}\n"
    load_text(f"runbook: 1\nsteps:\n{above}{block}", tmp_path / "book.yaml", VERBS)


@pytest.mark.parametrize("block", WHOLE)
def test_an_example_that_is_a_whole_runbook_passes(block: str, cli: Cli) -> None:
    (cli.folder / "book.yaml").write_text(block, encoding="utf-8")
    called = cli("run", "book.yaml", "--provider", "local")
    assert called.code == 0, called.out + called.err


def test_the_page_has_every_key_and_no_comment_is_left() -> None:
    for name in (*top_keys(VERBS), *STEP_KEYS, *SUBJECTS, *VERBS):
        assert f"`{name}`" in PAGE, name
    for verb in VERBS.values():
        for name in (*verb.keys, *verb.fields):
            assert f"`{name}`" in PAGE, name
    assert "<!--" not in PAGE


def test_the_page_has_every_filter() -> None:
    assert {name.partition("(")[0] for name in FILTERS} == set(KNOWN_FILTERS)
