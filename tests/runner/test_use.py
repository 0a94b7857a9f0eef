"""`use`: one runbook as a step of another, from its inputs to its outputs."""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path

import pytest

from sandbook.errors import Problem, RunbookError
from sandbook.installation import Installation
from sandbook.loader import load_runbook
from sandbook.plan import make_plan
from tests.runner.conftest import Ran, Runs
from tests.runner.test_ending import Client

HELLO = """
    inputs: {who: {default: world}, times: {type: integer, default: 1}}
    steps:
      - id: hi
        command: echo "Hello, ${{ inputs.who }} x${{ inputs.times }}"
    outputs: {said: "${{ steps.hi.text }}", times: "${{ inputs.times }}"}
"""


def write_file(run: Runs, name: str, text: str) -> None:
    path = run.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("runbook: 1\n" + textwrap.dedent(text).lstrip("\n"))


def _problems(run: Runs, text: str) -> tuple[Problem, ...]:
    with pytest.raises(RunbookError) as caught:
        run(text)
    return tuple(p for p in caught.value.problems if p.severity == "error")


@pytest.mark.language("§6 use", "§6 use: outputs")
def test_its_outputs_are_typed_and_its_inputs_bound(run: Runs) -> None:
    write_file(run, "lib/hello.yaml", HELLO)
    ran = run("""
        inputs: {n: {type: integer, default: 3}}
        steps:
          - id: lib
            use: lib/hello.yaml
            with: {who: "$(touch x) 'y'", times: "${{ inputs.n }}"}
          - check: steps.lib.outputs.said == "Hello, $(touch x) 'y' x3"
          - check: steps.lib.outputs.times == 3
          - command: test ! -e x
        outputs: {all: "${{ steps.lib.outputs }}"}
    """)
    assert ran.code == 0, ran.report.cause
    assert ran.step("steps[0].use.steps[0]").status == "passed"
    assert ran.report.outputs["all"] == {"said": "Hello, $(touch x) 'y' x3", "times": 3}
    assert ran.names().count("sandbox.created") == 1


@pytest.mark.language("§6 use", "§6 use: env")
def test_it_sees_its_own_names_only_and_the_env_of_the_step(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        name: The library
        env: {OWN: own, BOTH: own}
        steps:
          - command: printf '%s-' "$OUTER" "$OWN" "$BOTH" "${FILE-none}"
            expect: {stdout: {equals: "outer-own-own-none-"}}
          - check: run.name == "The library" and run.id != ""
          - {id: same, command: echo inner}
        """,
    )
    ran = run("""
        env: {FILE: file}
        steps:
          - {id: same, command: echo outer}
          - use: lib.yaml
            env: {OUTER: outer, BOTH: outer}
          - check: steps.same.text == "outer"
    """)
    assert ran.code == 0, ran.report.cause


def test_a_failure_inside_is_told_with_its_place_and_fails_the_step(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        steps:
          - {name: Break it, command: exit 7}
          - command: echo never
        finally: [{command: echo inner}]
        """,
    )
    ran = run("""
        steps:
          - use: lib.yaml
          - command: echo never
        finally: [{command: echo outer}]
    """)
    assert ran.code == 1
    assert ran.step("steps[0]").cause == "Break it: exit code 7"
    assert ran.report.failed_step == "steps[0].use.steps[0]"
    assert ran.report.cause == "exit code 7"
    assert (ran.step("steps[0].use.steps[0]").at or "").endswith("lib.yaml:3:5")
    assert ran.report.totals.failed == 1
    assert ran.step("steps[0].use.finally[0]").status == "passed"
    assert ran.step("finally[0]").status == "passed"


@pytest.mark.language("§6 use: finally and artifacts")
def test_its_finally_and_its_artifacts_belong_to_the_step(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        artifacts: [made.txt]
        steps: [{command: echo made > made.txt}]
        finally:
          - check: run.status == "passed"
        """,
    )
    ran = run("steps: [{use: lib.yaml}]")
    assert ran.code == 0, ran.report.cause
    assert (ran.folder / "artifacts" / "made.txt").read_text() == "made\n"
    last = ran.step("steps[0]").last
    assert last is not None
    assert last.artifacts == ("made.txt",)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("finally: [{name: Tidy, command: exit 2}]", "Tidy: exit code 2"),
        ("artifacts: [missing.txt]", "artifact not collected"),
        ("outputs: {x: '${{ 1 / 0 }}'}", "output 'x'"),
        ("timeout: 500ms", "own timeout of 0.5 s"),
    ],
)
def test_what_fails_at_its_end_fails_the_step(run: Runs, text: str, cause: str) -> None:
    slow = "sleep 60" if "timeout" in text else "true"
    write_file(run, "lib.yaml", f"steps: [{{command: '{slow}'}}]\n{text}\n")
    ran = run("steps: [{use: lib.yaml}, {command: echo never}]")
    assert ran.code == 1
    assert cause in (ran.step("steps[0]").cause or "")
    assert ran.step("steps[1]").status == "pending"
    assert ran.report.status == "failed"


@pytest.mark.language("§6 use: own sandbox")
def test_a_used_runbook_with_sandbox_options_has_its_own(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        sandbox: {env: {WHERE: inner}}
        steps:
          - command: test ! -e outer && echo "$WHERE"
            expect: {text: {equals: inner}}
          - check: sandbox.name == "main"
        """,
    )
    ran = run("""
        steps:
          - command: touch outer
          - use: lib.yaml
          - for_each: [1, 2]
            use: lib.yaml
          - command: test -e outer
    """)
    assert ran.code == 0, ran.report.cause
    names = [e.fields["name"] for e in ran.events if e.name == "sandbox.created"]
    assert names == [
        "main",
        "steps[1].use.main",
        "steps[2].each[0].use.main",
        "steps[2].each[1].use.main",
    ]
    assert ran.names().count("sandbox.ended") == 4
    ends = [i for i, name in enumerate(ran.names()) if name == "sandbox.ended"]
    assert ends[0] < len(ran.names()) - 4
    assert run.sandboxes() == []


@pytest.mark.language("§6 use: own sandbox")
def test_sandboxes_of_one_name_do_not_collide(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        steps:
          - {id: made, create: {as: db}}
          - {in: db, command: "test ! -e f && echo inner > f"}
          - check: steps.made.name == "db"
          - teardown: db
        """,
    )
    ran = run("""
        steps:
          - create: {as: db}
          - {in: db, command: echo outer > f}
          - use: lib.yaml
          - in: db
            command: cat f
            expect: {text: {equals: outer}}
    """)
    assert ran.code == 0, ran.report.cause
    assert run.sandboxes() == []


def test_a_retry_is_a_fresh_run_of_it(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        sandbox: {isolation: process}
        artifacts: [f]
        steps:
          - command: test ! -e f && echo x > f
          - use: shaky.yaml
        """,
    )
    write_file(run, "shaky.yaml", "steps: [{check: 1 == 2}]\n")
    ran = run("""
        steps:
          - use: lib.yaml
            retry: {times: 1, wait: 1ms}
    """)
    assert ran.code == 1
    names = [e.fields["name"] for e in ran.events if e.name == "sandbox.created"]
    assert names == ["steps[0].use.main", "steps[0].use~2.main"]
    first = ran.step("steps[0].use.steps[0]")
    assert [a.status for a in first.attempts] == ["passed", "passed"]
    cause = ran.step("steps[0]").cause or ""
    assert (
        cause
        == "use shaky.yaml: check 1 == 2: the check does not hold: 1 == 2 is false"
    )
    assert run.sandboxes() == []


def test_its_background_commands_end_with_it(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        steps:
          - id: server
            command: echo $$ > pid; exec sleep 60
            background: true
            ready: {command: test -s pid}
        """,
    )
    ran = run("""
        steps:
          - use: lib.yaml
          - command: until ! kill -0 "$(cat pid)" 2>/dev/null; do sleep 0.02; done
            timeout: 20s
    """)
    assert ran.code == 0, ran.report.cause


def test_a_background_command_that_died_fails_the_step(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        steps:
          - command: sleep 0.1; exit 3
            background: true
          - command: sleep 1
        """,
    )
    ran = run("steps: [{use: lib.yaml}, {command: echo never}]")
    assert ran.code == 1
    assert "ended by itself with code 3" in (ran.step("steps[0]").cause or "")
    assert ran.step("steps[1]").status == "pending"


def test_its_timeout_ends_it_after_its_finally(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        steps: [{command: sleep 60}]
        finally: [{id: end, command: echo cleaned}]
        """,
    )
    ran = run("steps: [{use: lib.yaml, timeout: 500ms}]")
    assert ran.code == 1
    assert ran.step("steps[0]").status == "timed_out"
    assert ran.step("steps[0].use.steps[0]").status == "cancelled"
    assert ran.step("steps[0].use.finally[0]").status == "passed"


def test_several_run_at_once_and_the_first_failure_cancels_the_others(
    run: Runs,
) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        sandbox: {isolation: process}
        inputs: {code: {type: integer}}
        steps:
          - command: test ${{ inputs.code }} -eq 1 && exit 1 || sleep 60
        finally: [{command: echo cleaned}]
        """,
    )
    ran = run("""
        steps:
          - parallel:
              - {use: lib.yaml, with: {code: 0}}
              - {use: lib.yaml, with: {code: 1}}
    """)
    assert ran.code == 1
    assert ran.step("steps[0].parallel[0]").status == "cancelled"
    assert ran.report.failed_step == "steps[0].parallel[1].use.steps[0]"
    assert run.sandboxes() == []


def test_a_file_input_is_meant_from_where_it_is_written(run: Runs) -> None:
    (run.folder / "data.txt").write_text("here")
    write_file(
        run,
        "lib/put.yaml",
        """
        inputs: {what: {type: file}}
        steps:
          - {copy: "${{ inputs.what }}", to: copied}
        """,
    )
    ran = run("""
        steps:
          - {use: lib/put.yaml, with: {what: data.txt}}
          - {command: cat copied, expect: {stdout: {equals: here}}}
    """)
    assert ran.code == 0, ran.report.cause


@pytest.mark.language("§6 use: secrets")
def test_a_secret_reaches_it_only_where_both_files_list_it(run: Runs) -> None:
    lib = """
        secrets: [TOKEN]
        steps:
          - command: test "$TOKEN" = s3cret-value && echo "$TOKEN"
            env: {TOKEN: "${{ secrets.TOKEN }}"}
    """
    write_file(run, "lib.yaml", lib)
    (problem,) = _problems(run, "steps: [{use: lib.yaml}]")
    assert problem.code == "SB504"
    ran = run(
        "secrets: [TOKEN]\nsteps: [{use: lib.yaml}]\n",
        secrets={"TOKEN": "s3cret-value"},
    )
    assert ran.code == 0, ran.report.cause
    assert "s3cret-value" not in (ran.folder / "journal.jsonl").read_text()


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ("{port: 80}", ""),
        ("{port: '80'}", ""),
        ("{port: 80, level: 3, on: true, ratio: 1.5}", ""),
        ("{port: eighty}", "the input 'port' must be a whole number, not 'eighty'"),
        ("{port: 1.5}", "the input 'port' must be a whole number, not '1.5'"),
        ("{port: 99999}", "the input 'port' must be at most 65535, not 99999"),
        ("{port: [1]}", "must be a text, a number or a boolean, not a list"),
        ("{port: 1, on: 2}", "the input 'on' must be true or false, not '2'"),
        ("{port: 1, level: 9}", "the input 'level' must be one of 3, 4, not '9'"),
        ("{prot: 1, port: 1}", "'lib.yaml' has no input 'prot'"),
        ("{}", "the input 'port' (where it listens) must be given"),
    ],
)
def test_with_is_held_against_the_inputs_before_anything_runs(
    run: Runs, given: str, wrong: str
) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        inputs:
          port: {type: integer, max: 65535, description: where it listens}
          level: {type: choice, options: ["3", "4"], default: "3"}
          on: {type: boolean, default: false}
          ratio: {type: number, default: 1}
        steps: [{check: inputs.port == 80}]
        """,
    )
    text = f"steps:\n  - use: lib.yaml\n    with: {given}\n"
    if not wrong:
        assert run(text).code == 0
        return
    (problem,) = _problems(run, text)
    assert (problem.code, problem.at.line) == ("SB503", 4 if given != "{}" else 3)
    assert wrong in problem.message


def test_a_computed_value_that_does_not_fit_fails_the_step(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        "inputs: {n: {type: integer}}\nsteps: [{check: true == true}]\n",
    )
    ran = run("""
        steps:
          - {id: word, command: echo word}
          - {use: lib.yaml, with: {n: "${{ steps.word.text }}"}}
    """)
    assert ran.code == 1
    cause = ran.step("steps[1]").cause or ""
    assert "input 'n': must be a whole number, not 'word'" in cause


@pytest.mark.parametrize(
    ("files", "code", "message"),
    [
        ({}, "SB501", "the runbook 'lib.yaml' does not exist"),
        ({"lib.yaml/x": ""}, "SB501", "the runbook 'lib.yaml' is a folder"),
        (
            {"lib.yaml": "steps: [{use: book.yaml}]"},
            "SB502",
            "runbooks would use each other for ever: book.yaml → lib.yaml → book.yaml",
        ),
        (
            {"lib.yaml": "steps: [{command: x, nmae: y}]"},
            "SB201",
            "there is no key 'nmae'",
        ),
        (
            {"lib.yaml": "steps: [{command: x}, {teardown: }]"},
            "SB505",
            "would end the sandbox that this step only lends",
        ),
    ],
)
@pytest.mark.language("§6 use: cycles")
def test_a_file_that_cannot_be_used_is_refused_at_its_place(
    run: Runs, files: dict[str, str], code: str, message: str
) -> None:
    for name, text in files.items():
        write_file(run, name, f"{text}\n")
    (problem,) = _problems(run, "steps: [{use: lib.yaml}]")
    assert problem.code == code
    assert message in problem.message
    theirs = code in ("SB502", "SB201")
    assert problem.at.path.endswith("lib.yaml" if theirs else "book.yaml")


def test_a_file_outside_the_project_is_refused_also_behind_a_link(
    run: Runs, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("runbook: 1\nsteps: [{command: x}]\n")
    (run.folder / "link.yaml").symlink_to(outside)
    for written in ("../outside.yaml", "link.yaml", str(outside)):
        (problem,) = _problems(run, f"steps: [{{use: {written}}}]")
        assert problem.code == "SB501"
        assert "is outside the project" in problem.message


def test_a_few_small_files_cannot_make_a_runbook_without_end(run: Runs) -> None:
    write_file(run, "f0.yaml", "steps: [{command: x}]\n")
    for level in range(1, 9):
        uses = ", ".join([f"{{use: f{level - 1}.yaml}}"] * 10)
        write_file(run, f"f{level}.yaml", f"steps: [{uses}]\n")
    problems = _problems(run, "steps: [{use: f8.yaml}]")
    assert {problem.code for problem in problems} == {"SB502"}
    for level in range(20):
        write_file(run, f"d{level}.yaml", f"steps: [{{use: d{level + 1}.yaml}}]\n")
    write_file(run, "d20.yaml", "steps: [{command: x}]\n")
    (problem,) = _problems(run, "steps: [{use: d0.yaml}]")
    assert "more than 16 runbooks" in problem.message


def test_problems_of_both_files_are_told_at_once(run: Runs) -> None:
    write_file(run, "lib.yaml", "steps: [{comand: x}]\n")
    problems = _problems(run, "steps: [{use: lib.yaml}, {use: lib.yaml}, {comand: x}]")
    assert [Path(problem.at.path).name for problem in problems] == [
        "book.yaml",
        "lib.yaml",
    ]


def test_the_plan_goes_down_into_what_is_used(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        sandbox: {network: false}
        steps: [{command: [cat], stdin: x}]
        """,
    )
    write_file(run, "guest.yaml", "steps: [{command: [cat], stdin: x}]\n")
    path = run.write("steps: [{use: lib.yaml}, {use: guest.yaml}]\n")
    with_local = Installation(
        environ=run.environ, project=run.folder, providers=("local",)
    )
    specs = {name: verb.spec for name, verb in with_local.verbs.items()}
    plan = make_plan(load_runbook(path, specs), with_local.verbs, with_local.chain)
    assert [step.path for step in plan.steps] == [
        "steps[0]",
        "steps[0].use.steps[0]",
        "steps[1]",
        "steps[1].use.steps[0]",
    ]
    assert list(plan.sandboxes) == ["main", "steps[0].use.main"]
    assert "net.off" in plan.sandboxes["steps[0].use.main"].need
    assert "exec.stdin" in plan.sandboxes["main"].need
    assert [plan.sandbox_of(step) for step in plan.steps] == [
        "main",
        "steps[0].use.main",
        "main",
        "main",
    ]


def test_a_signal_runs_its_finally_and_that_of_the_outer_one(run: Runs) -> None:
    write_file(
        run,
        "lib.yaml",
        """
        sandbox: {isolation: process}
        steps:
          - {id: first, command: echo begun}
          - command: sleep 60
        finally:
          - {check: run.status == "cancelled"}
          - {command: echo inner}
        """,
    )
    with Client(
        run,
        """
        steps:
          - command: echo outer
          - use: lib.yaml
        finally:
          - command: echo cleaned
        """,
    ) as client:
        client.until(lambda ran: _is(ran, "steps[1].use.steps[0]", "passed"))
        client.process.send_signal(signal.SIGINT)
        assert client.end() == 130
        ran = client.ran()
        assert ran is not None
        assert ran.step("steps[1].use.finally[0]").status == "passed"
        assert ran.step("steps[1].use.finally[1]").status == "passed"
        assert ran.step("finally[0]").status == "passed"
        assert run.sandboxes() == []


def _is(ran: Ran, path: str, status: str) -> bool:
    report = ran.report.step(path)
    return report is not None and report.status == status
