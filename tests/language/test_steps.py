"""§4: the keys of every step, and its result."""

from __future__ import annotations

import pytest

from tests.language.books import places
from tests.runner import conftest as runner
from tests.runner.conftest import Ran, Runs

run = runner.run


@pytest.mark.language("§4 cwd")
def test_the_working_folder_of_a_step_must_exist(run: Runs) -> None:
    ran = run("""
        steps:
          - command: mkdir -p a/b
          - {cwd: a, command: touch here}
          - {cwd: a/b, check: {file: ../here}}
          - {id: gone, cwd: nowhere, command: echo ran, allow_failure: true}
          - check: steps.gone.status == "failed" and not steps.gone.ok
          - check: steps.gone.stdout is defined == false
    """)
    assert ran.code == 0, ran.report.cause
    assert "nowhere" in (ran.step("steps[3]").cause or "")


@pytest.mark.language("§4 name", "§4 id")
def test_a_name_is_for_people_and_an_id_for_expressions(run: Runs) -> None:
    ran = run("""
        steps:
          - {id: first, name: "The first: of all", command: echo 1}
          - command: echo ${{ steps.first.json }}
    """)
    assert ran.step("steps[0]").label == "The first: of all"
    assert ran.step("steps[1]").label == "echo ${{ steps.first.json }}"
    assert places("steps: [{command: x, id: a}, {command: y, id: a}]\n") == [
        "SB211 2:47"
    ]


@pytest.mark.language("§4 retry: map")
def test_a_wait_is_multiplied_up_to_its_limit(run: Runs) -> None:
    ran = run("""
        steps:
          - command: exit 1
            retry: {times: 3, wait: 200ms, backoff: 3, max_wait: 500ms}
    """)
    waits = _waits(ran)
    assert len(waits) == 3
    # A wait is at least that long; how much longer depends on the machine.
    assert waits[0] >= 0.2
    assert waits[1] >= 0.5
    assert waits[2] >= 0.5


def _waits(ran: Ran) -> list[float]:
    """Seconds from the end of each try to the start of the next."""
    named = [e for e in ran.events if e.name in ("step.started", "step.finished")]
    return [
        (named[index + 1].at - named[index].at).total_seconds()
        for index in range(1, len(named) - 1, 2)
    ]


@pytest.mark.language("§4 retry")
def test_a_number_is_so_many_further_tries(run: Runs) -> None:
    ran = run("""
        steps:
          - id: never
            command: exit 1
            retry: 0
            allow_failure: true
          - id: late
            command: test -e flag || { touch flag; exit 1; }
            retry: 2
          - check: steps.never.tries == 1 and steps.late.tries == 2
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§4 retry: map")
def test_a_try_is_made_again_after_the_failures_that_are_named(run: Runs) -> None:
    ran = run("""
        steps:
          - id: expected
            command: echo x >> log
            expect: {stdout: never}
            retry: {times: 1, wait: 1ms, on: [expect]}
            allow_failure: true
          - id: late
            command: sleep 300
            timeout: 300ms
            retry: {times: 1, wait: 1ms, on: [timeout]}
            allow_failure: true
          - id: code
            command: exit 1
            retry: {times: 1, wait: 1ms, on: [expect, timeout, error]}
            allow_failure: true
          - check: steps.expected.tries == 2 and steps.late.tries == 2
          - check: steps.code.tries == 1
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§4 save", "§5 values")
def test_a_saved_value_is_the_first_group_or_the_whole_match(run: Runs) -> None:
    ran = run("""
        steps:
          - id: one
            command: printf 'v 3.10\\nport 80\\n'
            save: {version: '^v (.+)$', port: '80$'}
            expect: {values: {version: "3.10", port: {matches: '^\\d+$'}}}
          - check: steps.one.values.version ~ steps.one.values.port == "3.1080"
          - id: none
            command: echo x
            save: {v: y}
            allow_failure: true
          - check: not steps.none.ok
    """)
    assert ran.code == 0, ran.report.cause
    assert places("steps: [{check: true, save: {a: b}}]\n")[0].startswith("SB213 2:")


@pytest.mark.language("§4 resume")
def test_resume_takes_rerun_and_nothing_else() -> None:
    assert places("steps: [{command: x, resume: rerun}]\n") == []
    assert places("steps: [{command: x, resume: again}]\n") == ["SB204 2:30"]


@pytest.mark.language("§4 results", "§4 results: each")
def test_every_result_tells_how_its_step_went(run: Runs) -> None:
    ran = run("""
        steps:
          - {id: good, command: sleep 0.2, save: {a: '^'}}
          - check: steps.good.status == "passed" and steps.good.ok
          - check: steps.good.duration >= 0.2 and steps.good.tries == 1
          - check: steps.good.values.a == ""
          - {id: bad, command: exit 1, allow_failure: true}
          - check: steps.bad.status == "failed" and not steps.bad.ok
          - {id: left, if: false, command: echo}
          - check: steps.left.status == "skipped"
          - check: steps.left.stdout is defined == false
          - {id: each, for_each: [1, 2], command: echo '${{ item }}'}
          - check: steps.each.each[1].text == "2" and steps.each.ok
          - check: steps.each.each[0].status == "passed"
    """)
    assert ran.code == 0, ran.report.cause
    found = places(
        "steps: [{id: a, for_each: [1], command: x}, {check: steps.a.stdout == ''}]\n"
    )
    assert found[0].startswith("SB303 2:")


@pytest.mark.language("§4 limit")
def test_a_limit_of_one_is_one_after_the_other(run: Runs) -> None:
    ran = run("""
        steps:
          - for_each: [1, 2, 3]
            command: test ! -e busy; touch busy; sleep 0.1; rm busy
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§4 one verb", "§4 for_each: list")
@pytest.mark.parametrize("verb", ["create: {as: a}", "teardown: main"])
def test_a_sandbox_is_neither_made_nor_ended_for_each(verb: str) -> None:
    text = f"steps: [{{{verb}, for_each: [1]}}]\n"
    column = text.index("for_each") + 1
    assert places(text) == [f"SB213 2:{column}"]
    assert places(text.replace(", for_each: [1]", "")) == []
