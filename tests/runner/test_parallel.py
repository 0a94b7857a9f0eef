"""`parallel`: what runs at once, what a failure ends, and what is seen afterwards."""

from __future__ import annotations

import signal
from collections.abc import Iterable

import pytest

from sandbook.errors import RunbookError
from sandbook.events import Event
from tests.runner.conftest import Ran, Runs
from tests.runner.test_ending import Client
from tests.runner.test_use import write_file

WAIT = "until test -e {}; do sleep 0.02; done"


def _at_once(events: Iterable[Event], below: str) -> int:
    """The most steps below a path that ran at one time."""
    running, most = set[str](), 0
    for event in events:
        path = str(event.fields.get("step", ""))
        if not path.startswith(f"{below}."):
            continue
        if event.name == "step.started":
            running.add(path)
        elif event.name == "step.finished":
            running.discard(path)
        most = max(most, len(running))
    return most


def _begun(ran: Ran) -> list[str]:
    return [str(e.fields["step"]) for e in ran.events if e.name == "step.started"]


@pytest.mark.language("§6 parallel")
def test_the_steps_run_at_once_in_one_sandbox(run: Runs) -> None:
    # Each waits for the other's file: one after the other would never end.
    ran = run(f"""
        steps:
          - parallel:
              - command: touch a; {WAIT.format("b")}
                timeout: 20s
              - command: touch b; {WAIT.format("a")}
                timeout: 20s
    """)
    assert ran.code == 0, ran.report.cause
    assert ran.names().count("sandbox.created") == 1


@pytest.mark.language("§6 parallel")
def test_ids_inside_are_ordinary_ids_for_the_steps_below(run: Runs) -> None:
    ran = run("""
        steps:
          - id: both
            parallel:
              - {id: one, command: echo 1}
              - {id: two, command: echo 2}
          - check: steps.one.text ~ steps.two.text == "12" and steps.both.ok
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§6 parallel fail_fast")
def test_the_first_failure_cancels_the_others_and_is_the_cause(run: Runs) -> None:
    ran = run(f"""
        steps:
          - parallel:
              - {{id: slow, command: touch begun; sleep 60}}
              - name: The bad one
                command: {WAIT.format("begun")}; exit 3
          - command: echo never
        finally:
          - check: steps.slow.status == "failed"
    """)
    assert ran.code == 1
    assert ran.step("steps[0].parallel[0]").status == "cancelled"
    assert ran.step("steps[0]").cause == "The bad one: exit code 3"
    assert ran.report.failed_step == "steps[0].parallel[1]"
    assert (ran.report.totals.failed, ran.report.totals.cancelled) == (1, 1)
    assert ran.step("steps[1]").status == "pending"
    assert ran.step("finally[0]").status == "passed", ran.step("finally[0]").cause


@pytest.mark.language("§6 parallel fail_fast")
def test_without_fail_fast_all_of_them_end_and_each_failure_is_told(run: Runs) -> None:
    ran = run("""
        steps:
          - fail_fast: false
            parallel:
              - {name: A, command: exit 3}
              - {name: B, command: sleep 0.2; echo done}
              - {name: C, command: sleep 0.1; exit 4}
    """)
    assert ran.code == 1
    assert ran.step("steps[0].parallel[1]").status == "passed"
    cause = "2 of 3 steps failed: A: exit code 3; C: exit code 4"
    assert ran.step("steps[0]").cause == cause


def test_a_step_that_had_not_begun_is_cancelled_with_the_reason(run: Runs) -> None:
    ran = run("""
        steps:
          - limit: 1
            fail_fast: false
            parallel:
              - command: exit 1
              - command: echo second
          - command: echo never
    """)
    assert ran.step("steps[0].parallel[1]").status == "passed"
    ran = run("""
        steps:
          - limit: 2
            parallel:
              - command: exit 1
              - command: sleep 60
              - {id: third, command: echo third}
        finally:
          - check: steps.third.status == "failed"
    """)
    third = ran.step("steps[0].parallel[2]")
    assert third.status == "cancelled"
    assert third.cause == "another step failed before it began"
    assert ran.step("finally[0]").status == "passed"


def test_a_failure_that_is_allowed_inside_does_not_count(run: Runs) -> None:
    ran = run("""
        steps:
          - parallel:
              - {command: exit 1, allow_failure: true}
              - {id: other, command: sleep 0.2; echo still}
          - check: steps.other.text == "still"
    """)
    assert ran.code == 0, ran.report.cause
    assert ran.report.totals.allowed == 1


def test_a_parallel_whose_failure_is_allowed_pardons_what_is_inside(run: Runs) -> None:
    ran = run("""
        steps:
          - allow_failure: true
            parallel:
              - command: exit 1
    """)
    assert ran.code == 0
    assert ran.report.status == "passed"
    assert (ran.report.totals.allowed, ran.report.totals.failed) == (1, 0)


def test_a_parallel_inside_a_parallel_has_paths_of_its_own(run: Runs) -> None:
    ran = run("""
        steps:
          - parallel:
              - parallel:
                  - {id: deep, command: echo deep}
              - command: echo flat
          - check: steps.deep.text == "deep"
    """)
    assert ran.code == 0, ran.report.cause
    assert ran.step("steps[0].parallel[0].parallel[0]").status == "passed"


def test_if_skips_all_of_it(run: Runs) -> None:
    ran = run("""
        steps:
          - if: 1 == 2
            parallel: [{command: exit 1}]
    """)
    assert ran.code == 0
    assert _begun(ran) == []


def test_each_item_of_a_loop_has_results_of_its_own(run: Runs) -> None:
    ran = run("""
        steps:
          - for_each: [a, b]
            parallel:
              - {id: said, command: "echo ${{ item }}"}
              - parallel:
                  - command: echo never ${{ item }}
                    if: item == 'c'
          - check: 1 == 1
    """)
    assert ran.code == 0, ran.report.cause
    outputs = [
        ran.results(f"steps[0].each[{index}].parallel[0]")["stdout"] for index in (0, 1)
    ]
    assert outputs == ["a\n", "b\n"]


def test_ids_inside_a_loop_are_seen_in_their_item_only(run: Runs) -> None:
    ran = run("""
        steps:
          - for_each: [a, b]
            parallel:
              - id: said
                command: echo ${{ item }}
    """)
    assert ran.code == 0, ran.report.cause
    with pytest.raises(RunbookError, match="has a result for each item of the loop"):
        run("""
            steps:
              - for_each: [a, b]
                parallel:
                  - {id: said, command: echo}
              - check: steps.said.ok
        """)


def test_a_second_try_runs_all_of_it_again_with_new_keys(run: Runs) -> None:
    ran = run("""
        steps:
          - retry: {times: 2, wait: 1ms}
            parallel:
              - command: echo x >> tries; test "$(wc -l < tries)" -ge 2
              - command: echo other
    """)
    assert ran.code == 0, ran.report.cause
    keys = [str(e.fields["key"]) for e in ran.events if e.name == "step.started"]
    assert len(set(keys)) == len(keys) == 6
    assert [a.number for a in ran.step("steps[0].parallel[0]").attempts] == [1, 2]
    assert ran.report.totals.failed == 0


def test_retry_sees_the_kind_of_failure_inside(run: Runs) -> None:
    ran = run("""
        steps:
          - retry: {times: 2, wait: 1ms, on: [timeout]}
            parallel: [{command: exit 1}]
    """)
    assert len(ran.step("steps[0]").attempts) == 1


def test_its_timeout_ends_all_of_them(run: Runs) -> None:
    ran = run("""
        steps:
          - timeout: 500ms
            parallel:
              - command: sleep 60
              - command: sleep 60
    """)
    assert ran.code == 1
    assert ran.step("steps[0]").status == "timed_out"
    assert ran.step("steps[0].parallel[1]").status == "cancelled"
    assert ran.report.failed_step == "steps[0]"


def test_steps_inside_have_the_sandbox_env_and_cwd_of_the_step_around(
    run: Runs,
) -> None:
    ran = run("""
        steps:
          - create: {as: one}
          - create: {as: two}
          - {in: two, command: mkdir -p d/e}
          - in: two
            cwd: d
            env: {A: outer, B: outer}
            parallel:
              - command: printf '%s %s %s' "$A" "$B" "$(basename "$PWD")"
                env: {B: inner}
                expect: {stdout: {equals: outer inner d}}
              - command: basename "$PWD"
                cwd: e
                expect: {text: {equals: e}}
              - {in: one, command: test ! -e d}
    """)
    assert ran.code == 0, ran.report.cause
    started = {
        e.fields["step"]: e.fields["sandbox"]
        for e in ran.events
        if e.name == "step.started"
    }
    assert started["steps[3].parallel[0]"] == "two"
    assert started["steps[3].parallel[2]"] == "one"


def test_sandboxes_are_created_and_torn_down_at_once(run: Runs) -> None:
    ran = run("""
        steps:
          - parallel:
              - create: {as: one}
              - create: {as: two}
          - parallel:
              - {in: one, command: echo 1 > f}
              - {in: two, command: test ! -e f}
          - parallel:
              - teardown: one
              - teardown: two
    """)
    assert ran.code == 0, ran.report.cause
    assert ran.names().count("sandbox.ended") == 2
    assert run.sandboxes() == []


def test_a_create_that_runs_again_ends_the_sandbox_of_the_first_try(run: Runs) -> None:
    ran = run("""
        steps:
          - retry: {times: 1, wait: 1ms}
            parallel:
              - create: {as: one}
              - check: 1 == 2
                retry: {times: 3, wait: 200ms}
    """)
    assert ran.code == 1
    assert ran.names().count("sandbox.created") == ran.names().count("sandbox.ended")
    assert run.sandboxes() == []


def test_a_background_command_started_inside_lives_on(run: Runs) -> None:
    ran = run("""
        steps:
          - parallel:
              - id: server
                command: echo listening; touch up; sleep 60
                background: true
              - command: echo other
          - command: until test -e up; do sleep 0.02; done
            timeout: 20s
          - check: {step: server, output: listening, within: 20s}
    """)
    assert ran.code == 0, ran.report.cause


def test_a_failure_does_not_lose_a_sandbox_that_is_being_made(run: Runs) -> None:
    ran = run("""
        steps:
          - parallel:
              - check: 1 == 2
                retry: {times: 1, wait: 30ms}
              - command: sleep 60
              - command: sleep 60
        finally:
          - command: echo cleaned
    """)
    assert ran.code == 1
    names = ran.names()
    assert names.count("sandbox.creating") == 1
    assert names.count("sandbox.created") == names.count("sandbox.ended") == 1
    assert ran.step("finally[0]").status == "passed"
    assert run.sandboxes() == []


def test_in_finally_nothing_makes_a_sandbox_that_was_never_made(run: Runs) -> None:
    write_file(run, "lib.yaml", "steps: [{parallel: [{command: echo}]}]\n")
    ran = run("""
        steps: [{check: 1 == 2}]
        finally:
          - {id: checked, check: run.failed}
          - parallel:
              - {id: tidy, command: echo never}
              - check: steps.checked.ok
          - use: lib.yaml
    """)
    assert ran.code == 1
    assert ran.step("finally[1].parallel[0]").status == "skipped"
    assert ran.step("finally[1].parallel[1]").status == "passed"
    assert ran.step("finally[2]").status == "skipped"
    assert "sandbox.created" not in ran.names()


def test_without_a_provider_the_run_is_refused_as_it_is_outside(run: Runs) -> None:
    ran = run("""
        sandbox: {isolation: microvm}
        steps:
          - parallel:
              - command: echo one
              - command: echo two
    """)
    assert ran.code == 3
    assert ran.report.status == "refused"


@pytest.mark.parametrize("limit", ["5", "${{ inputs.width }}"])
@pytest.mark.language("§6 parallel limit")
def test_fifty_steps_keep_their_order_and_the_limit(run: Runs, limit: str) -> None:
    steps = "\n".join(f"              - check: {i} == {i}" for i in range(40))
    commands = "\n".join("              - command: sleep 0.05" for _ in range(10))
    ran = run(
        "        inputs: {width: {type: integer, default: 5}}\n        steps:\n"
        f"          - limit: {limit}\n            parallel:\n{commands}\n{steps}\n"
    )
    assert ran.code == 0, ran.report.cause
    begun = [path for path in _begun(ran) if "." in path]
    assert begun == [f"steps[0].parallel[{index}]" for index in range(50)]
    assert _at_once(ran.events, "steps[0]") == 5
    assert ran.report.totals.passed == 50


def test_a_signal_ends_what_runs_at_once_and_finally_still_runs(run: Runs) -> None:
    with Client(
        run,
        """
        steps:
          - parallel:
              - command: touch a; sleep 60
              - command: touch b; sleep 60
              - command: until test -e a -a -e b; do sleep 0.02; done; echo begun
        finally:
          - parallel:
              - command: echo cleaned
              - command: test -e a
        """,
    ) as client:
        client.until(lambda ran: _is(ran, "steps[0].parallel[2]", "passed"))
        client.process.send_signal(signal.SIGINT)
        assert client.end() == 130
        ran = client.ran()
        assert ran is not None
        assert ran.step("steps[0]").status == "cancelled"
        assert ran.step("steps[0].parallel[0]").status == "cancelled"
        assert ran.step("finally[0].parallel[1]").status == "passed"
        assert run.sandboxes() == []


def _is(ran: Ran, path: str, status: str) -> bool:
    report = ran.report.step(path)
    return report is not None and report.status == status
