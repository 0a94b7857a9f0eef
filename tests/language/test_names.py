"""§3: what each name is while a run goes on."""

from __future__ import annotations

import json
import re

import pytest

from tests.runner import conftest as runner
from tests.runner.conftest import Runs

run = runner.run


@pytest.mark.language("§3 inputs.X")
def test_an_input_has_its_type(run: Runs) -> None:
    ran = run("""
        inputs:
          text: {default: 3.10}
          whole: {type: integer, default: 3}
          share: {type: number, default: 0.5}
          loud: {type: boolean, default: true}
          level: {type: choice, options: [low, 3.10], default: 3.10}
        steps:
          - check: inputs.text == "3.10" and inputs.level == "3.10"
          - check: inputs.whole + 1 == 4 and inputs.share * 2 == 1
          - check: inputs.loud
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§3 steps.ID.FIELD")
def test_a_result_is_that_of_a_step_above_wherever_it_stands(run: Runs) -> None:
    ran = run("""
        setup: [{id: early, command: echo 1}]
        steps:
          - parallel:
              - {id: left, command: echo 2}
              - {id: right, command: echo 3}
          - check: steps.early.json + steps.left.json + steps.right.json == 6
          - id: object
            command: echo '{"a":{"b":[5]}}'
          - check: steps.object.json.a.b[0] == 5
          - check: steps.object.json.c.d | default("none") == "none"
          - {id: lost, check: steps.object.json.c == 1, allow_failure: true}
          - check: not steps.lost.ok
        finally:
          - check: steps.object.json.a.b[0] == 5
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§3 item", "§4 for_each: map", "§4 for_each: expression")
def test_an_item_is_one_of_the_list_or_the_map(run: Runs) -> None:
    ran = run("""
        steps:
          - id: map
            for_each: {b: 2, a: [x]}
            command: printf '%s %s' ${{ item.key }} ${{ item.value }}
          - check: steps.map.each[0].stdout == "b 2"
          - check: steps.map.each[1].stdout == 'a ["x"]'
          - id: list
            command: echo '[{"n":1},{"n":2}]'
          - id: computed
            for_each: ${{ steps.list.json }}
            command: echo ${{ item.n * 10 }}
          - check: steps.computed.each | length == 2
          - check: steps.computed.each[1].json == 20
          - id: some
            for_each: [a, b]
            if: item == "b"
            command: echo ${{ item }}
          - check: steps.some.each[0].status == "skipped"
          - check: steps.some.each[1].text == "b"
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§3 run")
def test_run_is_the_run_as_it_is_now(run: Runs) -> None:
    ran = run("""
        name: A run
        steps:
          - id: good
            command: |
              printf '["%s", "%s", "%s", "%s"]' ${{ run.id }} "${{ run.name }}" \
                ${{ run.started }} ${{ run.status }}
          - check: not run.failed
          - command: false
        finally:
          - check: run.failed and run.status == "failed"
    """)
    assert ran.code == 1
    assert ran.step("finally[0]").status == "passed"
    name, title, started, status = json.loads(str(ran.results("steps[0]")["stdout"]))
    assert (name, title, status) == (ran.folder.name, "A run", "passed")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", started)


@pytest.mark.language("§3 run")
def test_run_tells_in_finally_that_its_time_was_up(run: Runs) -> None:
    ran = run("""
        timeout: 1s
        steps: [{command: sleep 300}]
        finally: [{check: run.status == "timed_out" and run.failed}]
    """)
    assert ran.code == 4
    assert ran.step("finally[0]").status == "passed"


@pytest.mark.language("§3 sandbox")
def test_sandbox_is_that_of_the_step(run: Runs) -> None:
    ran = run("""
        steps:
          - {id: one, create: {as: one}}
          - {id: two, create: {as: two}}
          - in: two
            check: sandbox.name == "two" and sandbox.id == steps.two.id
          - in: one
            check: sandbox.id != steps.two.id and sandbox.provider == "local"
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§3 bound: a list")
def test_a_list_does_not_become_several_words_or_arguments(run: Runs) -> None:
    ran = run("""
        inputs: {list: {default: '["a b", "*"]'}}
        steps:
          - command: printf '<%s>' ${{ inputs.list | fromjson }}
            expect: {stdout: {equals: '<["a b", "*"]>'}}
          - command: [printf, <%s>, "${{ inputs.list | fromjson }}"]
            expect: {stdout: {equals: '<["a b", "*"]>'}}
    """)
    assert ran.code == 0, ran.report.cause
