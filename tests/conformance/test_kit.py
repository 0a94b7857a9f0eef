"""What the kit itself promises to the author of a provider."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbook.api import Settings
from sandbook.testing import conformance
from sandbook.testing._check import CHECKS, Check, check, in_order
from sandbook.testing._kit import Kit
from sandbook.testing._perform import Outcome, judge
from sandbook.testing._report import Entry
from sandbook.testing._subject import Subject

BARE = "tests.providers.bare:INFO"
Test = Callable[[Path, pytest.TempPathFactory], None]


def _subject(folder: Path, provider: str = BARE, **values: bool) -> Subject:
    settings = Settings(values=values, state=folder / "state", cache=folder / "cache")
    return Subject(provider=provider, settings=settings)


def _installed(number: str, **arguments: object) -> Test:
    tests: dict[str, Test] = {}
    conformance.install(tests, provider=BARE, **arguments)  # type: ignore[arg-type]  # by name
    return next(t for name, t in tests.items() if name.startswith(f"test_{number}_"))


def _numbered(number: str) -> Check:
    return next(one for one in in_order() if one.number == number)


def test_a_test_is_named_after_its_rule() -> None:
    tests: dict[str, object] = {}
    conformance.install(tests, provider=BARE)
    assert len(tests) == len(CHECKS)
    assert "test_c31_a_program_that_interrupts_itself_gives_130" in tests


def test_a_provider_that_is_not_whole_is_checked_by_groups() -> None:
    tests: dict[str, object] = {}
    conformance.install(tests, provider=BARE, groups="AK")
    assert {name[len("test_")] for name in tests} == {"a", "k"}
    with pytest.raises(ValueError, match="'Z'"):
        conformance.install({}, provider=BARE, groups="AZ")


def test_every_check_of_the_list_is_there() -> None:
    there = {one.number.rstrip("bcdefgh") for one in CHECKS.values()}
    ranges = {"A": (1, 8), "B": (9, 21), "C": (22, 38), "D": (39, 53), "E": (54, 64)}
    more = {"F": (65, 83), "H": (96, 115), "I": (107, 115)}
    wanted = {
        f"{letter}{number:02}"
        for letter, (first, last) in {**ranges, **more}.items()
        for number in range(first, last + 1)
    }
    assert wanted - there == set()


def test_a_check_is_skipped_only_for_what_is_not_declared(tmp_path: Path) -> None:
    check = dataclasses.replace(_numbered("C25"), needs=frozenset({"pause"}))
    outcome = judge(check, _subject(tmp_path), folder=tmp_path)
    told = Outcome(result="skipped", reason="not declared: pause", lacking=("pause",))
    assert outcome == told


def test_what_works_and_is_not_declared_is_a_warning(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check = dataclasses.replace(_numbered("C38"), needs=frozenset({"exec.pause"}))
    outcome = judge(check, _subject(tmp_path), folder=tmp_path)
    assert outcome.undeclared == ("exec.pause",)
    told = "not declared, but it works: exec.pause"
    assert (outcome.result, outcome.reason) == ("skipped", told)
    with (
        pytest.warns(conformance.Undeclared, match=told),
        pytest.raises(pytest.skip.Exception),
    ):
        conformance.tell_pytest(outcome, None)
    assert tmp_path_factory.getbasetemp().exists()


def test_a_deviation_from_no_check_is_refused() -> None:
    with pytest.raises(ValueError, match="Z99"):
        conformance.install({}, provider=BARE, deviations={"Z99": "because"})


def test_a_deviation_that_passes_is_out_of_date(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    test = _installed("a02", deviations={"A02": "it is old"})
    with pytest.raises(pytest.fail.Exception, match="it is old"):
        test(tmp_path, tmp_path_factory)


def test_a_deviation_that_fails_is_reported_as_one() -> None:
    outcome = Outcome(result="failed", reason="AssertionError", seconds=0.5)
    with pytest.raises(pytest.xfail.Exception, match="the vendor's agent"):
        conformance.tell_pytest(outcome, "the vendor's agent")
    entry = Entry.of(_numbered("C31"), outcome, deviation="the vendor's agent")
    assert (entry.result, entry.reason) == ("deviates", "the vendor's agent")


def test_a_report_is_made_of_what_the_tests_left(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    results = tmp_path / "results"
    _installed("c27", results=results)(tmp_path, tmp_path_factory)
    why = conformance.Why("it isolates nothing", "its name")
    limits = {"isolation none promises nothing here": why}
    skipped = _installed("w01", results=results, limits=limits)
    with pytest.raises(pytest.skip.Exception):
        skipped(tmp_path, tmp_path_factory)
    conformance.report(results, tmp_path / "PAGE.md")
    page = (tmp_path / "PAGE.md").read_text("utf-8")
    assert "| bare | 1 | 1 | 0 | 0 | 0 |\n" in page
    assert "| C27 | exit codes are exact | passed |\n" in page
    rule = "files of this computer are hidden"
    reason = "isolation none promises nothing here"
    assert f"| W01 | {rule} | does not apply: {reason} |\n" in page
    assert f"| {reason} | it isolates nothing | its name | W01 |\n" in page
    told = json.loads((tmp_path / "PAGE-bare.json").read_text("utf-8"))
    assert told["v"] == 1
    assert [row["result"] for row in told["checks"]] == ["passed", "skipped"]


def test_a_number_stands_for_one_check() -> None:
    async def nothing(kit: Kit) -> None:
        del kit

    with pytest.raises(ValueError, match="C31"):
        check("C31")(nothing)
    with pytest.raises(ValueError, match="31"):
        check("31")
