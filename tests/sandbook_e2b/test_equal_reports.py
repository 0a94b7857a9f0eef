"""A runbook has one report, wherever it ran, but for what is permitted to differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sandbook.api import JSON
from sandbook.testing.reports import PERMITTED, normalise_report, permitted_table
from tests.sandbook_e2b.calls import ROOT, Cli

README = ROOT / "plugins" / "README.md"
SECRETS = {"LICENCE_KEY": "ABCD-1234-EFGH"}
ELSEWHERE = {"environment": "no sandbox of the tests reaches a package index"}
MISSING = {"sales": "the server's python3 has no IPython beside it, as E2B's has"}
"""Red as yet, and red when it is not any more."""


def _books() -> Iterator[object]:
    for path in sorted((ROOT / "runbooks").glob("*.yaml")):
        marks: list[pytest.MarkDecorator] = []
        if path.stem in ELSEWHERE:
            marks.append(pytest.mark.skip(reason=ELSEWHERE[path.stem]))
        if path.stem in MISSING:
            marks.append(pytest.mark.xfail(reason=MISSING[path.stem], strict=True))
        yield pytest.param(path, marks=marks, id=path.stem)


@pytest.mark.parametrize("path", list(_books()))
def test_an_example_has_the_same_report_at_e2b(cli: Cli, path: Path) -> None:
    cli.environ.update(SECRETS)
    reports: dict[str, Mapping[str, JSON]] = {}
    for provider in ("local", "e2b"):
        ran = cli("run", str(path), "--provider", provider)
        assert ran.code == 0, ran.out + ran.err
        assert ran.report is not None
        assert {box.provider for box in ran.report.sandboxes} == {provider}
        reports[provider] = ran.report.to_json()
    assert reports["local"] != reports["e2b"]
    assert normalise_report(reports["e2b"]) == normalise_report(reports["local"])


def test_what_is_not_permitted_to_differ_is_seen(cli: Cli) -> None:
    ran = cli("run", str(ROOT / "runbooks" / "two_sandboxes.yaml"))
    assert ran.report is not None
    report = ran.report.to_json()
    normal = normalise_report(report)
    seen = [
        path for path, other in _changed(report) if normalise_report(other) != normal
    ]
    for needed in ("status", "exit", "steps[].attempts[].results.stdout", "cause"):
        assert needed in seen, seen
    unseen = {path for path, _ in _changed(report)} - set(seen)
    assert unseen == {
        path for path in unseen if any(each.fits(path) for each in PERMITTED)
    }


def _changed(report: Mapping[str, JSON]) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    """The report once for each of its values, with that one changed."""
    text = json.dumps(report)
    for path, keys in _leaves(report, "", ()):
        other = json.loads(text)
        place = other
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = ["another"]
        yield path, other


def _leaves(
    value: JSON, path: str, keys: tuple[str | int, ...]
) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}".lstrip("."), (*keys, key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[]", (*keys, number))
    else:
        yield path, keys


def test_the_list_of_what_may_differ_is_in_the_docs() -> None:
    assert permitted_table() in README.read_text(encoding="utf-8")
