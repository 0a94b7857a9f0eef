"""JUnit XML: one suite for each runbook, one test case for each step and item.

There is no standard; this writes what GitLab and Jenkins read, in the form of the
schema that most tools share. https://github.com/windyroad/JUnit-Schema,
https://docs.gitlab.com/ci/testing/unit_test_reports
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from xml.etree import ElementTree as ET

from sandbook.api import RunEnd
from sandbook.console import verdict
from sandbook.report import Report
from sandbook.reporters._cases import Case, cases_of, shown_path
from sandbook.reporters._output import last_lines, streams_of

_REPEATED = 20
"""Lines of output in a failure: some services show nothing else."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, not even as a reference."""

_COUNTED = {"failed": "failures", "error": "errors", "skipped": "skipped"}
_TAGS = {"failed": "failure", "error": "error", "skipped": "skipped"}


def render(ends: Sequence[RunEnd], environ: Mapping[str, str]) -> str:
    """The text of the file."""
    suites = [_suite(end, environ) for end in ends]
    root = ET.Element("testsuites", {"name": "sandbook", **_sums(suites)})
    root.extend(suites)
    ET.indent(root)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        + ET.tostring(root, encoding="unicode")
        + "\n"
    )


def _sums(suites: Sequence[ET.Element]) -> dict[str, str]:
    keys = ("tests", *_COUNTED.values())
    sums = {key: str(sum(int(each.get(key, 0)) for each in suites)) for key in keys}
    return {
        **sums,
        "time": _seconds(sum(float(each.get("time", 0)) for each in suites)),
    }


def _suite(end: RunEnd, environ: Mapping[str, str]) -> ET.Element:
    report = end.report
    file = shown_path(end.file, environ)
    cases = (_refused(end, file),) if report is None else cases_of(report, environ)
    counted = Counter[str](case.verdict for case in cases)
    suite = ET.Element(
        "testsuite",
        {
            "name": _xml(report.name if report and report.name else file),
            "tests": str(len(cases)),
            **{key: str(counted[each]) for each, key in _COUNTED.items()},
            "time": _seconds(report.seconds if report else 0.0),
            "timestamp": _instant(report.started_at if report else datetime.now(UTC)),
            # Required by the schema; which computer it was is nobody's business.
            "hostname": "localhost",
            "file": _xml(file),
        },
    )
    if report is not None:
        _add_properties(suite, report)
    suite.extend(_case(case, report, class_name(file)) for case in cases)
    if report is not None:
        _text(suite, "system-out", verdict(report) + "\n")
    return suite


def _refused(end: RunEnd, file: str) -> Case:
    return Case(
        name="the run itself",
        section="steps",
        file=file,
        line=None,
        verdict="error",
        status="refused",
        cause=end.cause or f"exit code {end.exit}",
    )


def class_name(file: str) -> str:
    """`ci/smoke.yaml` gives `ci.smoke`: readers make a tree of it."""
    if file.startswith("<"):
        return file.strip("<>")
    parts = PurePath(file).with_suffix("").parts
    # Dots within a name would make a level of their own.
    named = (part.strip("/\\").replace(".", "_") for part in parts if part != "..")
    return ".".join(part for part in named if part)


def _add_properties(suite: ET.Element, report: Report) -> None:
    properties = ET.SubElement(suite, "properties")
    for name, value in _facts(report):
        ET.SubElement(properties, "property", {"name": name, "value": _xml(value)})


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    yield "run", report.run
    yield "status", report.status
    if report.exit is not None:
        yield "exit", str(report.exit)
    for box in report.sandboxes:
        yield f"sandbox.{box.name}", box.id
        yield f"provider.{box.name}", f"{box.provider} ({box.isolation})"
    yield "sandbook", str(report.versions.get("sandbook", ""))


def _case(case: Case, report: Report | None, suite: str) -> ET.Element:
    step = case.step
    inside = "" if case.section == "steps" else f".{case.section}"
    attributes = {
        "classname": _xml(suite + inside),
        "name": _xml(case.name),
        "time": _seconds((step.seconds if step else None) or 0.0),
        **({"file": _xml(case.file)} if case.file else {}),
        **({"line": str(case.line)} if case.line is not None else {}),
    }
    element = ET.Element("testcase", attributes)
    _add_verdict(element, case, report)
    if report is not None and step is not None:
        for tag, text in zip(
            ("system-out", "system-err"), streams_of(report, step), strict=True
        ):
            _text(element, tag, text)
    return element


def _add_verdict(element: ET.Element, case: Case, report: Report | None) -> None:
    if case.verdict == "passed":
        return
    message = case.cause.partition("\n")[0]
    about = {"message": _xml(message), "type": case.status}
    told = ET.SubElement(element, _TAGS[case.verdict], about)
    if case.verdict != "skipped":
        told.text = _xml("\n".join(_explained(case, report)))


def _explained(case: Case, report: Report | None) -> Iterator[str]:
    yield case.cause
    if case.line is not None:
        yield f"at {case.file}:{case.line}"
    if report is None:
        return
    if case.step is not None:
        lines = last_lines(report, case.step, _REPEATED)
        yield from ("", *lines) if lines else ()
    yield f"\nsee every step with its output: sandbook show {report.run} --output"


def _text(parent: ET.Element, tag: str, text: str) -> None:
    if text:
        ET.SubElement(parent, tag).text = _xml(text)


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _instant(at: datetime) -> str:
    # The schema has no time zone; readers take it for UTC.
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
