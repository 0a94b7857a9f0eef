"""§5: each subject and each matcher, with what holds and what does not."""

from __future__ import annotations

import pytest

from tests.runner import conftest as runner
from tests.runner.conftest import Runs

run = runner.run
row = pytest.mark

OUTPUT = "printf 'one 12\\ntwo\\n'; echo err >&2"
DATA = """echo '{"a": {"b": [1, "x"]}, "n": 3.5, "t": true}'"""
FOLDER = "mkdir -p d; printf '12\\n' > d/f"

# A command, what holds of it, and what does not.
SUBJECTS = [
    pytest.param("exit 3", "exit: 3", "exit: 0", marks=row.language("§5 exit")),
    pytest.param("exit 3", "exit: any", "exit: 4", marks=row.language("§5 exit")),
    pytest.param(
        OUTPUT,
        "stdout: two",
        "stdout: err",
        marks=row.language("§5 stdout stderr output text"),
    ),
    pytest.param(
        OUTPUT,
        "stderr: err",
        "stderr: two",
        marks=row.language("§5 stdout stderr output text"),
    ),
    pytest.param(
        OUTPUT,
        "output: {contains: [two, err]}",
        "output: three",
        marks=row.language("§5 stdout stderr output text"),
    ),
    pytest.param(
        OUTPUT,
        'text: {equals: "one 12\\ntwo"}',
        'stdout: {equals: "one 12\\ntwo"}',
        marks=row.language("§5 equals", "§5 stdout stderr output text"),
    ),
    pytest.param(
        OUTPUT,
        "stdout: {contains: [one, two]}",
        "stdout: {contains: [one, three]}",
        marks=row.language("§5 contains, not_contains"),
    ),
    pytest.param(
        OUTPUT,
        "stdout: {not_contains: [x, three]}",
        "stdout: {not_contains: [x, two]}",
        marks=row.language("§5 contains, not_contains"),
    ),
    pytest.param(
        OUTPUT,
        "stdout: {matches: '^t.o$'}",
        "stdout: {matches: '^wo$'}",
        marks=row.language("§5 matches"),
    ),
    pytest.param(
        "echo ' 12 '",
        "stdout: {more_than: 11.5, less_than: 13}",
        "stdout: {more_than: 12}",
        marks=row.language("§5 more_than, less_than"),
    ),
    pytest.param(
        "echo 12",
        "text: {one_of: [a, 12]}",
        "text: {one_of: [1, 2]}",
        marks=row.language("§5 one_of"),
    ),
    pytest.param(
        OUTPUT,
        "stdout: {contains: one, not_contains: x}",
        "stdout: {contains: one, not_contains: two}",
        marks=row.language("§5 several matchers"),
    ),
    pytest.param(
        DATA,
        "json: {'a.b[0]': 1, 'a.b[1]': x, n: {more_than: 3}, t: true}",
        "json: {'a.b[0]': '1'}",
        marks=row.language("§5 json"),
    ),
    pytest.param(
        DATA, "json: {n: 3.5}", "json: {'a.c': 1}", marks=row.language("§5 json")
    ),
    pytest.param(
        "echo no", "stdout: no", "json: {a: 1}", marks=row.language("§5 json")
    ),
    pytest.param(FOLDER, "file: d/f", "file: d/g", marks=row.language("§5 file")),
    pytest.param(
        FOLDER,
        "file: [d, {path: d/f, size: 3, contains: 12}, {path: x, exists: false}]",
        "file: [d, {path: d/f, size: 4}]",
        marks=row.language("§5 file"),
    ),
    pytest.param(
        FOLDER,
        "file: {path: d/f, more_than: 11}",
        "file: {path: d/f, exists: false}",
        marks=row.language("§5 file"),
    ),
]


@pytest.mark.parametrize(("command", "holds", "fails"), SUBJECTS)
def test_an_expectation_holds_or_fails_its_step(
    run: Runs, command: str, holds: str, fails: str
) -> None:
    ran = run("steps:\n" + "".join(_step(command, one) for one in (holds, fails)))
    first, second = (ran.step(f"steps[{index}]") for index in (0, 1))
    assert first.status == "passed", first.cause
    assert second.status == "failed"
    assert second.cause


def _step(command: str, expect: str) -> str:
    return f"  - command: |\n      {command}\n    expect: {{{expect}}}\n"


@pytest.mark.language("§5 exit")
def test_expectations_add_to_the_check_for_zero_and_exit_replaces_it(run: Runs) -> None:
    ran = run("""
        steps:
          - {id: added, command: echo out; exit 1, expect: {stdout: out},
             allow_failure: true}
          - {id: replaced, command: exit 1, expect: {exit: 1}}
          - check: not steps.added.ok and steps.replaced.ok
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§5 values")
def test_a_saved_value_is_expected_by_its_name(run: Runs) -> None:
    ran = run("""
        steps:
          - command: echo port 80
            save: {port: 'port (\\d+)'}
            expect: {values: {port: "80"}}
          - command: echo port 80
            save: {port: 'port (\\d+)'}
            expect: {values: {port: "81"}}
    """)
    assert ran.step("steps[0]").status == "passed"
    assert "port" in (ran.step("steps[1]").cause or "")


@pytest.mark.language("§5 file")
def test_files_are_looked_at_by_every_verb_that_may_expect_them(run: Runs) -> None:
    run.write("steps: [{command: touch i}]", "inner.yaml")
    ran = run("""
        steps:
          - {write: f, content: abc, expect: {file: {path: f, size: 3}}}
          - {fetch: f, to: g, expect: {file: f}}
          - {parallel: [{command: touch h}], expect: {file: h}}
          - {use: inner.yaml, expect: {file: i}}
          - {use: inner.yaml, expect: {file: j}}
    """)
    assert [step.status for step in ran.report.steps] == [*["passed"] * 4, "failed"]
    assert "no file 'j'" in (ran.report.steps[-1].cause or "")
