"""§1, and the example that the language begins with."""

from __future__ import annotations

import pytest

from tests.cli import conftest as command_line
from tests.cli.calls import Cli
from tests.language.books import STEPS, VERBS, places, problems
from tests.runner import conftest as runner
from tests.runner.conftest import Runs
from tests.sandbook import reading

run = runner.run
cli = command_line.cli

HELLO = """\
runbook: 1
name: Hello
inputs: {who: {default: world}}
steps:
  - id: hi
    command: echo "Hello, ${{ inputs.who }}!"
    expect: {stdout: Hello}
"""


@pytest.mark.language("example hello")
def test_the_example_greets_whom_it_is_told_to(cli: Cli) -> None:
    book = cli.folder / "hello.yaml"
    book.write_text(HELLO)
    for given, greeted in (([], "world"), (["-i", "who=you all"], "you all")):
        called = cli("run", "hello.yaml", *given)
        assert called.code == 0, called.err
        assert f"│ Hello, {greeted}!\n" in called.out


@pytest.mark.language("§1 runbook")
@pytest.mark.parametrize(
    ("first", "wrong"),
    [
        ("runbook: 1\n", []),
        ("", ["SB202 1:1"]),
        ("runbook: 2\n", ["SB212 1:10"]),
        ("runbook: 1.0\n", ["SB212 1:10"]),
    ],
)
def test_the_version_is_1_and_must_be_there(first: str, wrong: list[str]) -> None:
    found = reading.problems_of(first + STEPS, VERBS)
    assert [" ".join(one.split(" ", 2)[:2]) for one in found] == wrong


@pytest.mark.language("§1 name, description")
def test_the_name_holds_expressions_and_is_that_of_the_file_otherwise(
    run: Runs,
) -> None:
    named = run(f"name: For ${{{{ inputs.who }}}}: all\n{TO_YOU}")
    assert named.report.name == "For you: all"
    described = run(f"description: 'Of #1: a'\n{TO_YOU}")
    assert described.report.name == "book"
    assert places("description: ${{ inputs.a }}\n" + TO_YOU)[0].startswith("SB305 2:")


TO_YOU = "inputs: {who: {default: you}}\nsteps: [{check: inputs.who == 'you'}]\n"


@pytest.mark.language("§1 env", "§4 env", "§3 env.X", "§3 inputs.X")
def test_the_environment_of_a_step_is_its_own_over_creates_over_the_shared_one(
    run: Runs,
) -> None:
    ran = run("""
        inputs: {count: {type: integer, default: 3}}
        env: {A: "top ${{ inputs.count + 1 }}", B: top, C: top}
        sandbox: {env: {B: box, C: box, D: box}}
        steps:
          - env: {C: step, E: "${{ env.A }}"}
            command: printf '%s|' "$A" "$B" "$C" "$D" "$E" "${{ env.C }}"
            expect: {text: {equals: top 4|box|step|box|top 4|step|}}
    """)
    assert ran.code == 0, ran.report.cause
    assert places("steps: [{check: env.HOME == 'x'}]\n") == ["SB302 2:21"]


@pytest.mark.language("§1 sandbox")
def test_what_sandbox_says_holds_for_every_create(run: Runs) -> None:
    ran = run("""
        sandbox: {metadata: {made: by us}, env: {SHARED: "1"}}
        steps:
          - create: {as: one}
          - create: {as: two, env: {SHARED: "2"}}
          - {in: one, command: test "$SHARED" = 1}
          - {in: two, command: test "$SHARED" = 2}
    """)
    assert ran.code == 0, ran.report.cause
    for key in ("as: box", "reuse: {a: b}"):
        assert places(f"sandbox: {{{key}}}\n{STEPS}") == ["SB201 2:11"]


@pytest.mark.language("§1 steps")
def test_there_is_at_least_one_step() -> None:
    assert places("name: x\n") == ["SB202 2:1"]
    assert len(places("steps: []\n")) == 1
    assert places(STEPS) == []


@pytest.mark.language("§2 none", "§4 timeout")
def test_none_is_no_limit_where_a_limit_may_be_none() -> None:
    assert places("timeout: none\nsteps: [{command: x, timeout: none}]\n") == []
    assert places("sandbox: {timeout: none}\n" + STEPS) == ["SB205 2:20"]


NAMES = {
    "id": "steps: [{command: x, id: NAME}]\n",
    "input": "inputs: {NAME: {default: x}}\n" + STEPS,
    "secret": "secrets: [NAME]\n" + STEPS,
    "saved value": "steps: [{command: x, save: {NAME: x}}]\n",
    "sandbox": "steps: [{create: {as: NAME}}]\n",
}


@pytest.mark.language("§1 names")
@pytest.mark.parametrize("text", NAMES.values(), ids=NAMES.keys())
def test_a_name_is_letters_digits_and_underscores(text: str) -> None:
    for good in ("a", "_a1", "A_b"):
        assert problems(text.replace("NAME", good)) == []
    for bad in ("my-step", "1a", "a.b", "a b"):
        [problem] = problems(text.replace("NAME", f"'{bad}'"))
        assert problem.startswith("SB208 2:"), problem
        assert repr(bad) in problem


@pytest.mark.language("§1 names: SANDBOOK")
@pytest.mark.parametrize("where", ["top", "step", "create"])
def test_no_variable_begins_with_sandbook(where: str) -> None:
    texts = {
        "top": "env: {SANDBOOK_A: x}\n" + STEPS,
        "step": "steps: [{command: x, env: {SANDBOOK_A: x}}]\n",
        "create": "steps: [{create: {env: {SANDBOOK_A: x}}}]\n",
    }
    [problem] = problems(texts[where])
    assert problem.startswith("SB216 2:")
    assert problems(texts[where].replace("SANDBOOK", "BOOK")) == []
