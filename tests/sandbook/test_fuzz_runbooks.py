"""Whatever stands in a file, it is a runbook or it is told what is wrong, soon.

Each text is read in a process of its own (`confined`) that may take five seconds of a
processor for a promise, and 500 MiB. `python -m pytest -m stress
tests/sandbook/test_fuzz_runbooks.py` tries ten times as much, or as many times as
`SANDBOOK_TEST_FUZZ` says.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.sandbook.confined import CPU_S, MEMORY, Confined
from tests.sandbook.formatting_texts import books
from tests.sandbook.hostile import HOSTILE
from tests.sandbook.mutations import mutated, scraps, structures
from tests.sandbook.promises import ROOT, VERBS, loads

FILES = sorted(
    [*(ROOT / "runbooks").rglob("*.yaml"), *(ROOT / "tests" / "bad").rglob("*.yaml")]
)
TEXTS = [path.read_bytes().decode(errors="surrogateescape") for path in FILES]
GOOD = [text for text in TEXTS if loads(text)]

UNHURRIED = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
]
# Each test stands in several shares, so that the workers of a suite can divide them.
# These are 5,000 examples; the runbooks of `test_formatting_corpus` come on top.
mutants = settings(max_examples=650, suppress_health_check=UNHURRIED)
slips = settings(max_examples=200, suppress_health_check=UNHURRIED)
wrong_types = settings(max_examples=200, suppress_health_check=UNHURRIED)
lists_of_scraps = settings(max_examples=600, suppress_health_check=UNHURRIED)
TIMES = int(os.environ.get("SANDBOOK_TEST_FUZZ", "10"))
long = settings(max_examples=2000 * TIMES, suppress_health_check=UNHURRIED)
longer = settings(max_examples=600 * TIMES, suppress_health_check=UNHURRIED)
# Those that once cost most, or that look small until they are read.
WORST = {
    *("lines of text", "many keys", "control characters", "ends in quotes", "many ids"),
    *("tabs behind keys", "here-documents", "unknown verbs", "brackets", "stairs"),
    *("aliases of aliases", "merges of merges", "a chain of merges"),
}
hostile = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in WORST else [pytest.mark.stress])
        for name in HOSTILE
    ],
)


def shares(number: int) -> pytest.MarkDecorator:
    """So many tests of one kind."""
    return pytest.mark.parametrize("share", range(number))


@pytest.fixture(scope="module")
def confined() -> Iterator[Confined]:
    """The process that reads."""
    process = Confined()
    yield process
    process.close()


@pytest.mark.parametrize("text", TEXTS, ids=[path.stem for path in FILES])
def test_every_file_of_ours_is_read_alike_with_and_without_libyaml(
    confined: Confined, text: str
) -> None:
    confined.keeps(text, "alike", "formatted")


@shares(4)
@mutants
@given(text=mutated(TEXTS))
def test_a_mutant_of_a_runbook_is_told_well_and_read_alike(
    confined: Confined, share: int, text: str
) -> None:
    del share
    confined.keeps(text, "told", "alike")


@shares(3)
@slips
@given(text=mutated(GOOD, most=2))
def test_a_runbook_with_a_slip_keeps_its_meaning_in_its_canonical_form(
    confined: Confined, share: int, text: str
) -> None:
    del share
    confined.keeps(text, "told", "alike", "formatted")


@shares(3)
@wrong_types
@given(text=structures(VERBS))
def test_a_runbook_with_values_of_wrong_types_is_told_well(
    confined: Confined, share: int, text: str
) -> None:
    del share
    confined.keeps(text, "told", "alike", "formatted")


@shares(2)
@lists_of_scraps
@given(texts=scraps(texts=8, most=8))
def test_any_yaml_is_read_alike_with_and_without_libyaml(
    confined: Confined, share: int, texts: list[str]
) -> None:
    del share
    for text in texts:
        note(repr(text))
        confined.keeps(text, "alike")


@hostile
def test_a_hostile_mebibyte_takes_at_most_five_seconds_and_500_mb(
    confined: Confined, name: str
) -> None:
    text = HOSTILE[name]()
    assert len(text.encode()) <= 1 << 20
    confined.keeps(text, "told")


def test_a_promise_that_costs_too_much_time_or_memory_is_seen(
    confined: Confined,
) -> None:
    with pytest.raises(AssertionError, match=f"more than {CPU_S:g} s of a processor"):
        confined.keeps("x", "endless")
    with pytest.raises(AssertionError, match="MemoryError"):
        confined.keeps(str(MEMORY), "greedy")
    confined.keeps("runbook: 1", "told")


@pytest.mark.stress
@pytest.mark.parametrize("name", HOSTILE)
def test_it_takes_no_more_than_that_without_libyaml(
    confined: Confined, name: str
) -> None:
    confined.keeps(HOSTILE[name](), "slow")


@pytest.mark.stress
@long
@given(text=mutated(TEXTS))
def test_many_mutants_are_told_well_and_read_alike(
    confined: Confined, text: str
) -> None:
    confined.keeps(text, "told", "alike", "formatted")


@pytest.mark.stress
@longer
@given(text=st.one_of(mutated(GOOD, most=2), books()))
def test_many_runbooks_with_slips_keep_their_meaning(
    confined: Confined, text: str
) -> None:
    confined.keeps(text, "told", "alike", "formatted")


@pytest.mark.stress
@longer
@given(text=structures(VERBS))
def test_many_runbooks_with_wrong_types_are_told_well(
    confined: Confined, text: str
) -> None:
    confined.keeps(text, "told", "alike", "formatted")


@pytest.mark.stress
@longer
@given(texts=scraps(texts=20, most=20))
def test_any_amount_of_yaml_is_read_alike(confined: Confined, texts: list[str]) -> None:
    for text in texts:
        note(repr(text))
        confined.keeps(text, "alike")
