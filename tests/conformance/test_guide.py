"""The guide for authors of providers names the checks and capabilities there are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sandbook.api import is_capability
from sandbook.api._capabilities import CAPABILITIES
from sandbook.testing.conformance import CHECKS, GROUPS

GUIDE = (Path(__file__).parents[2] / "plugins" / "README.md").read_text("utf-8")
ROW = re.compile(
    r"^\| ([A-Z]) ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE
)
LATER = frozenset({"exec", "files", "net.off", "net.egress"})
"""Checks of the first two groups that need these are skipped till then."""


def _rows() -> Mapping[str, tuple[str, str, str]]:
    """Letter to title, what to declare, what proves it; in the order of the guide."""
    rows = ROW.findall(GUIDE)
    return {
        letter: (title, declared, proof) for letter, title, _, declared, proof in rows
    }


def test_every_group_has_its_row() -> None:
    titles = {letter: title for letter, (title, _, _) in _rows().items()}
    assert titles == dict(GROUPS)


def test_the_checks_that_a_row_names_are_of_its_group_and_its_first_and_last() -> None:
    for letter, (_, _, proof) in _rows().items():
        of_group = [one.number for one in CHECKS.values() if one.group == letter]
        named = re.findall(r"\b[A-Z]\d+[a-z]?\b", proof)
        assert set(named) <= set(of_group), letter
        ends = {f"{letter}{_place(of_group, pick):02}" for pick in (min, max)}
        assert ends <= {number.rstrip("bcdefgh") for number in named}, letter


def _place(numbers: list[str], pick: Callable[[Iterable[int]], int]) -> int:
    return pick(int(re.sub(r"\D", "", number)) for number in numbers)


def test_a_capability_is_declared_no_later_than_a_check_needs_it() -> None:
    declared: set[str] = {"code.bash", "code.javascript"}
    for letter, (_, words, _) in _rows().items():
        declared |= set(re.findall(r"`([\w.]+)`", words))
        needed = {
            need for one in CHECKS.values() if one.group == letter for need in one.needs
        }
        later = LATER if letter in "AB" else frozenset[str]()
        assert needed - declared - later == set(), letter


def test_what_no_check_proves_is_named() -> None:
    needed = {need for one in CHECKS.values() for need in one.needs}
    sentence = GUIDE[GUIDE.index("No check proves") :].partition("\n\n")[0]
    unproven = set(re.findall(r"`([\w.]+)`", sentence))
    assert all(is_capability(word) for word in unproven)
    assert unproven == set(CAPABILITIES) - needed - {"exec"}
