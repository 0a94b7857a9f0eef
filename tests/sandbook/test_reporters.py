"""Reports of any run are well formed, and a run that is not green has a red test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbook.api import JSON, RunEnd
from sandbook.errors import UsageError
from sandbook.events import Event
from sandbook.registry import Plugin, Registry
from sandbook.report import fold
from sandbook.reporters import sandbook_reporters
from tests.sandbook.told_runs import Teller, failed_run, passed_run, unhurried

REPORTERS = {reporter.name: reporter for reporter in sandbook_reporters()}
STATUSES = ("passed", "failed", "timed_out", "lost", "cancelled", "skipped", "odd")
ENDS = {"passed": 0, "failed": 1, "timed_out": 4, "cancelled": 130, "refused": 3}
ANY_TEXT = st.text(st.characters(codec=None), max_size=40)


def rendered(name: str, events: list[Event] | Iterator[Event]) -> str:
    """The text of a reporter for these events."""
    report = fold(events)
    end = RunEnd(file=report.file, exit=report.exit, report=report)
    return REPORTERS[name].render([end], environ={})


def parsed(text: str) -> ET.Element:
    """What a real parser makes of it."""
    return ET.fromstring(text.encode())  # noqa: S314 (our own text)


@st.composite
def runs(draw: st.DrawFn) -> list[Event]:
    """A run of some steps, with texts that a step or an author may give."""
    tell = Teller()
    planned: dict[str, JSON] = {f"steps[{n}]": "1" for n in range(3)}
    events = [tell("run.started", name=draw(ANY_TEXT), step_hashes=planned)]
    for path in draw(st.lists(st.sampled_from([*planned, "steps[1].each[0]"]))):
        given: dict[str, JSON] = {
            "status": draw(st.sampled_from(STATUSES)),
            "cause": draw(ANY_TEXT),
            "label": draw(ANY_TEXT),
            "location": draw(ANY_TEXT),
            "allowed": draw(st.booleans()),
            "results": {"stdout": draw(ANY_TEXT), "stderr": draw(ANY_TEXT)},
        }
        events += tell.step(path, **given)
    if draw(st.booleans()):
        status = draw(st.sampled_from(list(ENDS)))
        events.append(tell("run.finished", status=status, exit=ENDS[status]))
    return events


@unhurried
@given(runs())
def test_junit_of_any_run_is_xml_whose_numbers_are_right(events: list[Event]) -> None:
    root = parsed(rendered("junit", events))
    (suite,) = root
    tests = list(suite.iter("testcase"))
    assert suite.get("tests") == root.get("tests") == str(len(tests))
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped",) * 2):
        assert suite.get(key) == root.get(key) == str(len(list(suite.iter(tag))))
    assert len({test.get("name") for test in tests}) == len(tests)


@unhurried
@given(runs())
def test_junit_is_red_exactly_when_the_run_is_not_green(events: list[Event]) -> None:
    root = parsed(rendered("junit", events))
    red = [*root.iter("failure"), *root.iter("error")]
    is_green = fold(events).exit == 0
    # A step that failed is red in whatever run somebody tells of it.
    assert is_green or red


@unhurried
@given(runs())
def test_annotations_of_any_run_are_one_command_a_line(events: list[Event]) -> None:
    text = rendered("github", events)
    for line in text.split("\n")[:-1]:
        assert line.startswith(("::error ", "::warning "))
        shown = line.replace("\t", " ")  # it moves nothing but the words behind it
        assert shown.isprintable() or any(ord(char) > 0x7F for char in shown)


@unhurried
@given(runs())
def test_a_summary_of_any_run_can_be_written(events: list[Event]) -> None:
    page = rendered("markdown", events)
    assert page.startswith("### ")
    assert page.encode(errors="backslashreplace").count(b"\n") == page.count("\n")


@pytest.mark.parametrize("name", list(REPORTERS))
def test_every_reporter_tells_a_green_and_a_red_run(name: str) -> None:
    assert rendered(name, failed_run()) != rendered(name, passed_run())


def test_a_step_that_was_tried_again_and_passed_is_green() -> None:
    tell = Teller()
    events = [
        tell("run.started", step_hashes={"steps[0]": "1"}),
        *tell.step("steps[0]", status="failed", cause="no", retry_in=1.0),
        *tell.step("steps[0]", attempt=2),
        tell("run.finished"),
    ]
    root = parsed(rendered("junit", events))
    assert (root.get("tests"), root.get("failures")) == ("1", "0")


def test_a_step_that_fails_around_steps_that_passed_is_a_test() -> None:
    tell = Teller()
    events = [
        tell("run.started", step_hashes={"steps[0]": "1"}),
        tell("step.started", step="steps[0]"),
        *tell.step("steps[0].use.steps[0]"),
        tell("step.finished", step="steps[0]", status="failed", cause="no output"),
        tell("run.finished", status="failed", exit=1),
    ]
    root = parsed(rendered("junit", events))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")


def test_two_plugins_may_not_offer_the_same_reporter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "twin_reporters.py").write_text(
        "from sandbook.reporters import sandbook_reporters\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    targets = ("sandbook.reporters", "twin_reporters")
    hooks = [Plugin(name=target, target=target) for target in targets]
    registry = Registry(providers=(), hooks=hooks)
    with pytest.raises(UsageError, match="two plugins offer the reporter 'junit'"):
        registry.reporters()
