"""Whatever stands in a file, it is a runbook or it is told what is wrong, soon.

`python -m pytest -m stress tests/sandbook/test_fuzz_runbooks.py` tries a hundred times
as much.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, note, settings

from sandbook.api import VerbSpec
from sandbook.errors import Problem, RunbookError
from sandbook.loader import load_text
from sandbook.loader._shape import runbook_shape
from sandbook.loader._source import Source
from sandbook.loader._tree import read_tree
from sandbook.problems import render
from sandbook.verbs import sandbook_verbs
from tests.sandbook.hostile import HOSTILE
from tests.sandbook.mutations import mutated, scraps, structures

ROOT = Path(__file__).parent.parent.parent
FILES = sorted(
    [*(ROOT / "runbooks").rglob("*.yaml"), *(ROOT / "tests" / "bad").rglob("*.yaml")]
)
TEXTS = [path.read_bytes().decode(errors="surrogateescape") for path in FILES]
VERBS: dict[str, VerbSpec] = {one.spec.name: one.spec for one in sandbook_verbs()}
SHAPE = runbook_shape(VERBS)
LINE_END = re.compile(r"\r\n|\r|\n")
# `use` and `copy` in a mutant look at files beside it.
PATH = ROOT / "tests" / "bad" / "mutant.yaml"

# Minutes long as it is; the whole of it runs with the marker.
pytestmark = pytest.mark.stress

UNHURRIED = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
]
quick = settings(max_examples=2500, suppress_health_check=UNHURRIED)
few = settings(max_examples=800, suppress_health_check=UNHURRIED)
cheap = settings(max_examples=1500, suppress_health_check=UNHURRIED)
long = settings(max_examples=200_000, suppress_health_check=UNHURRIED)


def problems_of(text: str) -> tuple[Problem, ...]:
    """Errors or warnings; anything but a runbook and its errors fails the test."""
    try:
        return load_text(text, PATH, VERBS).warnings
    except RunbookError as error:
        return tuple(error.problems)


def is_told_well(text: str) -> None:
    """Every problem stands in the text and can be shown."""
    lines = LINE_END.split(text.removeprefix("\ufeff"))
    for problem in problems_of(text):
        at = problem.at
        if at.path == str(PATH) and problem.source:
            assert problem.source == lines[at.line - 1]
        if at.path == str(PATH):
            assert 1 <= at.line <= len(lines)
            assert 1 <= at.column <= len(lines[at.line - 1]) + 1
        shown = render(problem)
        assert shown.startswith(f"{at}: ")
        assert all(line.isprintable() for line in shown.split("\n"))


def is_read_alike(text: str) -> None:
    """With libyaml and without: the same tree, the same problems."""
    fast, slow = Source("f", text), Source("f", text)
    tree = read_tree(fast, SHAPE)
    assert tree == read_tree(slow, SHAPE, fast=False)
    assert fast.problems == slow.problems
    assert fast.is_partial == slow.is_partial


@pytest.mark.parametrize("text", TEXTS, ids=[path.stem for path in FILES])
def test_every_file_of_ours_is_read_alike_with_and_without_libyaml(text: str) -> None:
    is_read_alike(text)


@quick
@given(mutated(TEXTS))
def test_a_mutant_of_a_runbook_is_told_well_and_read_alike(text: str) -> None:
    is_told_well(text)
    is_read_alike(text)


@few
@given(structures(VERBS))
def test_a_runbook_with_values_of_wrong_types_is_told_well(text: str) -> None:
    is_told_well(text)
    is_read_alike(text)


@cheap
@given(scraps(texts=20, most=8))
def test_any_yaml_is_read_alike_with_and_without_libyaml(
    texts: list[str],
) -> None:
    for text in texts:
        note(repr(text))
        is_read_alike(text)


@pytest.mark.stress
@long
@given(mutated(TEXTS))
def test_many_mutants_are_told_well_and_read_alike(text: str) -> None:
    is_told_well(text)
    is_read_alike(text)


@pytest.mark.stress
@long
@given(structures(VERBS))
def test_many_runbooks_with_wrong_types_are_told_well(text: str) -> None:
    is_told_well(text)
    is_read_alike(text)


@pytest.mark.stress
@long
@given(scraps(texts=20, most=20))
def test_any_amount_of_yaml_is_read_alike(
    texts: list[str],
) -> None:
    for text in texts:
        note(repr(text))
        is_read_alike(text)


_CHILD = """
import resource, sys
from pathlib import Path
from sandbook.errors import RunbookError
from sandbook.loader import load_text
from sandbook.loader._shape import runbook_shape
from sandbook.loader._source import Source
from sandbook.loader._tree import read_tree
from sandbook.problems import render
from sandbook.verbs import sandbook_verbs
from tests.sandbook.hostile import HOSTILE
text = HOSTILE[sys.argv[1]]()
assert len(text.encode()) <= 1 << 20
verbs = {one.spec.name: one.spec for one in sandbook_verbs()}
used = resource.getrusage(resource.RUSAGE_SELF)
# What is imported is not what is measured; a limit of CPU counts whole seconds.
limit = int(used.ru_utime + used.ru_stime) + 1 + 5
resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
resource.setrlimit(resource.RLIMIT_AS, (500 << 20, 500 << 20))
if sys.argv[2] == "fast":
    try:
        load_text(text, Path("f.yaml"), verbs)
    except RunbookError as error:
        print(len("".join(render(problem) for problem in error.problems)))
else:
    read_tree(Source("f", text), runbook_shape(verbs), fast=False)
"""


def is_read_soon(name: str, how: str) -> None:
    """Read a hostile text where the system ends what takes too much."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, name, how],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:].decode()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mebibyte_takes_at_most_five_seconds_and_500_mb(name: str) -> None:
    is_read_soon(name, "fast")


@pytest.mark.stress
@pytest.mark.parametrize("name", HOSTILE)
def test_it_takes_no_more_than_that_without_libyaml(name: str) -> None:
    is_read_soon(name, "slow")
