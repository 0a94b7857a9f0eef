"""`timeout`, `limit`, `retry` and `allow_failure` as expressions, of each item."""

from __future__ import annotations

import pytest

from sandbook.errors import RunbookError
from tests.runner.conftest import Runs


def test_a_timeout_is_that_of_the_item(run: Runs) -> None:
    ran = run("""
        steps:
          - for_each: {short: 300ms, long: 20s}
            limit: 2
            allow_failure: true
            timeout: ${{ item.value }}
            command: sleep 1
    """)
    assert ran.code == 0, ran.report.cause
    assert ran.step("steps[0].each[0]").status == "timed_out"
    assert ran.step("steps[0].each[1]").status == "passed"


@pytest.mark.parametrize("written", ["${{ inputs.n }}s", "${{ inputs.text }}", "none"])
def test_a_timeout_may_be_put_together_or_none(run: Runs, written: str) -> None:
    ran = run(f"""
        inputs: {{n: {{type: integer, default: 9}}, text: {{default: none}}}}
        steps:
          - {{command: echo, timeout: "{written}"}}
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.parametrize(
    ("key", "value", "needs"),
    [
        ("timeout", "${{ inputs.n }}", "`timeout` needs a duration, as 30s"),
        ("timeout", "${{ inputs.text }}", "`timeout` needs a duration, as 30s"),
        ("timeout", "${{ inputs.n }}", "and this is 0"),
        ("retry", "${{ inputs.text }}", "`retry` needs a whole number of at least 0"),
        ("retry", "{times: 1, wait: '${{ inputs.n }}'}", "`retry.wait` needs"),
        ("retry", "{times: 1, backoff: '${{ inputs.n }}'}", "`retry.backoff` needs"),
        ("allow_failure", "${{ inputs.text }}", "`allow_failure` needs true or false"),
        ("allow_failure", "${{ inputs.n + 1 }}", "needs true or false"),
    ],
)
def test_a_value_that_does_not_fit_fails_the_step_with_its_place(
    run: Runs, key: str, value: str, needs: str
) -> None:
    ran = run(f"""
        inputs:
          n: {{type: integer, default: 0}}
          text: {{default: soon}}
        steps:
          - command: echo never
            {key}: {value}
    """)
    cause = ran.step("steps[0]").cause or ""
    assert ran.code == 1
    assert needs in cause
    assert "book.yaml:7:" in cause
    assert "sandbox.created" not in ran.names()


def test_a_limit_that_is_no_number_fails_the_loop(run: Runs) -> None:
    ran = run("""
        inputs: {n: {type: integer, default: 0}}
        steps:
          - for_each: [1]
            limit: ${{ inputs.n }}
            command: echo never
    """)
    cause = ran.step("steps[0]").cause or ""
    assert "`limit` needs a whole number of at least 1, and this is 0" in cause


def test_items_run_at_once_up_to_a_limit_that_is_computed(run: Runs) -> None:
    ran = run("""
        inputs: {n: {type: integer, default: 2}}
        steps:
          - for_each: [a, b]
            limit: ${{ inputs.n }}
            timeout: 20s
            command: |
              touch ${{ item }}
              until test -e a && test -e b; do sleep 0.02; done
    """)
    assert ran.code == 0, ran.report.cause


def test_retry_takes_its_numbers_from_expressions(run: Runs) -> None:
    ran = run("""
        inputs: {n: {type: integer, default: 2}, pause: {default: 1ms}}
        steps:
          - command: exit 1
            allow_failure: true
            retry: ${{ inputs.n }}
            if: 1 == 2
          - command: exit 1
            allow_failure: ${{ inputs.n == 2 }}
            retry:
              times: ${{ inputs.n }}
              wait: ${{ inputs.pause }}
              max_wait: ${{ inputs.pause }}
              backoff: ${{ inputs.n }}
              jitter: ${{ inputs.n > 1 }}
    """)
    assert ran.code == 0, ran.report.cause
    assert len(ran.step("steps[1]").attempts) == 3


def test_an_item_whose_failure_is_allowed_does_not_stop_the_others(run: Runs) -> None:
    ran = run("""
        steps:
          - id: all
            for_each: [1, 0, 2]
            allow_failure: ${{ item == "1" }}
            command: exit ${{ item }}
    """)
    assert ran.code == 1
    assert [c.status for c in ran.step("steps[0]").children] == [
        "failed",
        "passed",
        "failed",
    ]
    assert ran.report.failed_step == "steps[0].each[2]"


def test_the_runs_own_timeout_may_be_an_input(run: Runs) -> None:
    ran = run(
        """
        inputs: {most: {}}
        timeout: ${{ inputs.most }}
        steps: [{command: sleep 60}]
    """,
        inputs={"most": "1s"},
    )
    assert ran.code == 4
    ran = run(
        """
        inputs: {most: {}}
        timeout: ${{ inputs.most }}
        steps: [{command: sleep 60}]
    """,
        inputs={"most": "soon"},
    )
    assert ran.code == 1
    assert "`timeout` needs a duration, as 30s" in (ran.report.cause or "")


@pytest.mark.parametrize("key", ["timeout", "limit", "retry", "allow_failure"])
def test_a_name_that_does_not_exist_is_told_before_anything_runs(
    run: Runs, key: str
) -> None:
    with pytest.raises(RunbookError, match="there is no input 'nope'"):
        run(f"""
            steps:
              - for_each: [1]
                command: echo
                {key}: ${{{{ inputs.nope }}}}
        """)
