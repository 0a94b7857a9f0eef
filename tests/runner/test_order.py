"""Which steps run, in what order, and what their failure means."""

from __future__ import annotations

import pytest

from tests.runner.conftest import Runs


@pytest.mark.language("§1 steps")
def test_steps_run_from_top_to_bottom_in_one_sandbox(run: Runs) -> None:
    ran = run("""
        steps:
          - command: echo one >> log
          - command: echo two >> log
          - command: cat log
            expect: {stdout: {equals: "one\\ntwo\\n"}}
    """)
    assert ran.code == 0
    assert ran.names().count("sandbox.created") == 1


def test_the_first_failure_stops_the_steps_after_it(run: Runs) -> None:
    ran = run("""
        steps:
          - command: exit 3
          - command: echo never
    """)
    assert ran.code == 1
    assert ran.step("steps[0]").status == "failed"
    assert "exit code 3" in (ran.step("steps[0]").cause or "")
    assert ran.step("steps[1]").status == "pending"


@pytest.mark.language("§1 finally")
def test_every_finally_step_runs_also_after_one_of_them_failed(run: Runs) -> None:
    ran = run("""
        steps:
          - command: exit 1
        finally:
          - command: exit 2
          - command: echo still
    """)
    assert ran.code == 1
    assert ran.step("finally[0]").status == "failed"
    assert ran.step("finally[1]").status == "passed"


def test_finally_fails_a_run_whose_steps_passed(run: Runs) -> None:
    ran = run("""
        steps:
          - command: true
        finally:
          - command: exit 2
    """)
    assert ran.code == 1


@pytest.mark.language("§1 finally")
def test_finally_is_skipped_where_its_sandbox_was_never_made(run: Runs) -> None:
    ran = run("""
        steps:
          - check: 1 == 2
        finally:
          - command: echo never
    """)
    assert ran.code == 1
    assert ran.step("finally[0]").status == "skipped"
    assert "sandbox.created" not in ran.names()


@pytest.mark.language("§4 if")
def test_a_step_whose_condition_is_false_is_skipped_and_no_failure(run: Runs) -> None:
    ran = run("""
        inputs: {deploy: {type: boolean, default: false}}
        steps:
          - id: maybe
            if: inputs.deploy
            command: exit 1
          - check: steps.maybe.status == "skipped"
    """)
    assert ran.code == 0
    assert ran.step("steps[0]").status == "skipped"


@pytest.mark.language("§4 allow_failure")
def test_a_failure_that_is_allowed_is_shown_and_does_not_count(run: Runs) -> None:
    ran = run("""
        steps:
          - id: shaky
            command: exit 7
            allow_failure: true
          - check: steps.shaky.exit == 7 and not steps.shaky.ok
    """)
    assert ran.code == 0
    assert ran.report.totals.allowed == 1


@pytest.mark.language("§4 retry")
def test_retry_gives_further_tries_with_new_keys_and_the_last_result(run: Runs) -> None:
    ran = run("""
        steps:
          - id: third
            command: echo x >> tries; test "$(wc -l < tries)" -eq 3
            retry: {times: 5, wait: 10ms}
          - check: steps.third.tries == 3
    """)
    assert ran.code == 0
    keys = [e.fields["key"] for e in ran.events if e.name == "step.started"]
    assert len(set(keys)) == len(keys) == 4


@pytest.mark.language("§4 retry")
def test_retry_ends_with_the_failure_of_the_last_try(run: Runs) -> None:
    ran = run("""
        steps:
          - command: exit 9
            retry: {times: 1, wait: 1ms}
    """)
    assert ran.code == 1
    assert [a.code for a in ran.step("steps[0]").attempts] == [9, 9]


@pytest.mark.language("§4 retry: map")
def test_retry_leaves_failures_alone_that_it_does_not_name(run: Runs) -> None:
    ran = run("""
        steps:
          - command: exit 9
            retry: {times: 3, wait: 1ms, on: [timeout]}
    """)
    assert len(ran.step("steps[0]").attempts) == 1


@pytest.mark.language("§4 for_each: list", "§4 results: each", "§3 item")
def test_for_each_runs_an_item_after_the_other_and_keeps_their_order(run: Runs) -> None:
    ran = run("""
        steps:
          - id: all
            for_each: [a, "b c", "$(touch x)"]
            command: printf %s ${{ item }}
          - check: steps.all.each[1].stdout == "b c"
          - check: steps.all.each[2].stdout == "$(touch x)"
    """)
    assert ran.code == 0, ran.report.cause
    assert [c.path for c in ran.step("steps[0]").children] == [
        "steps[0].each[0]",
        "steps[0].each[1]",
        "steps[0].each[2]",
    ]


@pytest.mark.language("§4 name")
def test_env_and_name_of_a_repeated_step_may_use_its_item(run: Runs) -> None:
    ran = run("""
        steps:
          - id: all
            name: Number ${{ item }}
            for_each: [one, two]
            env: {MINE: "${{ item }}"}
            command: printf %s "$MINE"
          - check: steps.all.each[0].stdout == "one"
          - check: steps.all.each[1].stdout == "two"
    """)
    assert ran.code == 0, ran.report.cause
    assert ran.step("steps[0]").label == "Number ${{ item }}"
    labels = [child.label for child in ran.step("steps[0]").children]
    assert labels == ["Number one", "Number two"]


def test_a_repeated_step_inside_another_has_its_own_item(run: Runs) -> None:
    ran = run("""
        steps:
          - for_each: [a, b]
            parallel:
              - id: inner
                for_each: ["${{ item }}1", "${{ item }}2"]
                env: {MINE: "${{ item }}"}
                command: printf %s "$MINE"
              - command: printf %s ${{ item }}
    """)
    assert ran.code == 0, ran.report.cause
    shown = sorted(data for _, _, data in ran.output)
    assert shown == [b"a", b"a1", b"a2", b"b", b"b1", b"b2"]


@pytest.mark.language("§4 for_each: first failure")
def test_the_first_item_that_fails_stops_the_rest(run: Runs) -> None:
    ran = run("""
        steps:
          - for_each: [0, 1, 0]
            command: exit ${{ item }}
    """)
    assert ran.code == 1
    assert len(ran.step("steps[0]").children) == 2


@pytest.mark.language("§4 for_each: empty")
def test_for_each_over_nothing_is_a_skip(run: Runs) -> None:
    ran = run("""
        steps:
          - for_each: []
            command: exit 1
    """)
    assert ran.code == 0
    assert ran.step("steps[0]").status == "skipped"


@pytest.mark.language("§4 limit")
def test_items_run_side_by_side_up_to_the_limit(run: Runs) -> None:
    # Each item waits for the other's file: one after the other would never end.
    ran = run("""
        steps:
          - for_each: [a, b]
            limit: 2
            timeout: 20s
            command: |
              touch ${{ item }}
              until test -e a && test -e b; do sleep 0.02; done
    """)
    assert ran.code == 0


@pytest.mark.language("§4 in")
def test_two_sandboxes_are_strangers(run: Runs) -> None:
    ran = run("""
        steps:
          - create: {as: one}
          - create: {as: two}
          - in: one
            command: echo here > file
          - in: two
            command: test ! -e file
    """)
    assert ran.code == 0
    assert ran.names().count("sandbox.ended") == 2


@pytest.mark.language("§6 teardown")
def test_teardown_ends_a_sandbox_before_the_run_does(run: Runs) -> None:
    ran = run("""
        steps:
          - command: echo hi
          - teardown:
    """)
    assert ran.code == 0
    names = ran.names()
    assert names.index("sandbox.ended") < len(names) - 1 - names[::-1].index(
        "step.finished"
    )


def test_nothing_is_left_after_a_run(run: Runs) -> None:
    ran = run("""
        steps:
          - command: sleep 300 &
    """)
    assert ran.code == 0
    assert run.sandboxes() == []


def test_keep_leaves_the_sandbox_alive(run: Runs) -> None:
    ran = run("steps: [{command: 'true'}]", keep=True)
    assert ran.code == 0
    assert len(run.sandboxes()) == 1
    assert ran.report.sandboxes[0].ended_at is None
    run.end_all()


@pytest.mark.parametrize(
    ("expect", "holds"),
    [
        ("{stdout: ell}", True),
        ("{stdout: nope}", False),
        ("{text: {equals: hello}}", True),
        ("{stdout: {equals: hello}}", False),
        ("{stdout: {matches: '^h.*o$'}}", True),
        ("{stdout: {not_contains: ell}}", False),
        ("{stdout: {contains: [he, lo]}}", True),
        ("{stdout: {one_of: [a, b]}}", False),
        ("{exit: 0}", True),
        ("{exit: 1}", False),
        ("{stderr: {equals: ''}}", True),
    ],
)
@pytest.mark.language("§4 expect", "§5 stdout stderr output text")
def test_expectations_judge_what_a_command_gave(
    run: Runs, expect: str, *, holds: bool
) -> None:
    ran = run(f"""
        steps:
          - command: echo hello
            expect: {expect}
    """)
    assert (ran.code == 0) is holds


@pytest.mark.language("§5 exit")
def test_expecting_an_exit_code_replaces_the_check_for_zero(run: Runs) -> None:
    ran = run("""
        steps:
          - command: exit 4
            expect: {exit: 4}
          - command: exit 5
            expect: {exit: any}
    """)
    assert ran.code == 0


@pytest.mark.language("§4 save")
def test_saved_values_are_the_first_group_of_a_match(run: Runs) -> None:
    ran = run("""
        steps:
          - id: version
            command: echo "tool 3.10 ready"
            save: {number: 'tool (\\S+)'}
          - check: steps.version.values.number == "3.10"
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§4 save")
def test_a_value_that_matches_nothing_fails_the_step(run: Runs) -> None:
    ran = run("""
        steps:
          - command: echo nothing
            save: {number: 'tool (\\S+)'}
    """)
    assert ran.code == 1
    assert "found no match" in (ran.step("steps[0]").cause or "")
