"""Names that can be known beforehand must exist, and stand where they may."""

from __future__ import annotations

import pytest

from tests.sandbook.reading import problems_of
from tests.sandbook.verbs import VERBS

TOP = """\
runbook: 1
inputs: {who: {default: x}, count: {type: integer, default: 1}}
secrets: [TOKEN]
env: {SHARED: a}
steps:
  - id: a
    command: echo
    save: {v: '(.*)'}
  - id: loop
    for_each: [1]
    command: echo
"""


def of(lines: str) -> list[str]:
    """The problems of these steps, behind those of `TOP`; codes and messages only."""
    found = problems_of(TOP + lines, VERBS)
    # What `TOP` declares is not used by every test.
    found = [one for one in found if not one.startswith("SB406")]
    return [f"{one.split(' ')[0]} {one.split(' ', 2)[2]}" for one in found]


def of_text(source: str) -> list[str]:
    """The problems of one expression in a step."""
    return of(f"  - write: x\n    content: a ${{{{ {source} }}}}\n")


@pytest.mark.parametrize(
    "source",
    [
        "inputs.who",
        "inputs['who']",
        "inputs",
        "env.SHARED",
        "run.id ~ run.name ~ run.started ~ run.status",
        "run.failed",
        "sandbox.name ~ sandbox.id ~ sandbox.provider",
        "steps.a.stdout",
        "steps.a.status ~ steps.a.ok ~ steps.a.duration ~ steps.a.tries",
        "steps.a.json.anything[0].at.all",
        "steps.a.values.v",
        "steps.a",
        "steps.loop.each[0].stdout",
        "steps.loop.each | length",
        "steps.a.json.x | default('d')",
        "steps['a']['exit']",
    ],
)
@pytest.mark.language("§3 known beforehand", "§3 steps.ID.FIELD")
def test_names_that_exist_may_be_used(source: str) -> None:
    assert of_text(source) == []


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("inputs.whoo", "SB302 there is no input 'whoo'"),
        ("inputs.whoo | default('x')", "SB302 there is no input 'whoo'"),
        ("inputs.whoo is defined", "SB302 there is no input 'whoo'"),
        ("env.HOME", "SB302 there is no 'HOME' in `env`"),
        ("run.exit", "SB302 there is no 'exit' in `run`"),
        ("sandbox.region", "SB302 there is no 'region' in `sandbox`"),
        ("steps.b.exit", "SB302 there is no step 'b'"),
        ("steps.a.exot", "SB303 the result has no field 'exot'"),
        ("steps.a.exit + steps.a.exot", "SB303 the result has no field 'exot'"),
        ("steps.a.values.w", "SB302 that step saves no value 'w'"),
        (
            "steps.loop.stdout",
            "SB303 the result of a step with `for_each` has no field 'stdout'",
        ),
        ("steps.loop.each[0].exot", "SB303 the result has no field 'exot'"),
        ("steps", "SB302 `steps` needs the id of a step, written as it is"),
        (
            "steps[inputs.who].x",
            "SB302 `steps` needs the id of a step, written as it is",
        ),
        ("steps.a.json[inputs.x]", "SB302 there is no input 'x'"),
        ("item", "SB302 'item' cannot be used here"),
        ("who", "SB302 there is no name 'who'"),
        ("[x for x in y]", "SB301 expected token ',', got 'for'"),
        (
            "secrets.TOKEN | upper",
            "SB306 a secret stands alone, without operators and filters",
        ),
        ("secrets.OTHER", "SB302 there is no secret 'OTHER'"),
    ],
)
@pytest.mark.language(
    "§3 known beforehand", "§3 steps.ID.FIELD", "§3 secrets.X", "§3 inputs.X"
)
def test_names_that_do_not_exist_are_told(source: str, told: str) -> None:
    assert of_text(source) == [told]


def test_the_place_is_that_of_the_wrong_word() -> None:
    text = f"{TOP}  - write: x\n    content: a ${{{{ inputs.who ~ steps.a.exot }}}}\n"
    assert problems_of(text, VERBS) == ["SB303 13:41 the result has no field 'exot'"]


@pytest.mark.parametrize(
    "lines",
    [
        "  - command: x\n    env: {A: '${{ secrets.TOKEN }}'}\n",
        "  - command: x\n    stdin: 'a ${{ secrets.TOKEN }}'\n",
        "  - write: x\n    content: ${{ secrets.TOKEN }}\n",
        "  - run_code: x\n    with: {a: ['${{ secrets.TOKEN }}']}\n",
        "  - pty: x\n    script: [{secret: '${{ secrets.TOKEN }}'}]\n",
    ],
)
@pytest.mark.language("§3 places of secrets")
def test_a_secret_may_stand_where_it_is_bound(lines: str) -> None:
    assert of(lines) == []


@pytest.mark.parametrize(
    "lines",
    [
        "  - command: [x, '${{ secrets.TOKEN }}']\n",
        "  - command: x\n    name: ${{ secrets.TOKEN }}\n",
        "  - command: x\n    cwd: ${{ secrets.TOKEN }}\n",
        "  - command: x\n    if: secrets.TOKEN\n",
        "  - command: x\n    expect: {stdout: '${{ secrets.TOKEN }}'}\n",
        "  - write: ${{ secrets.TOKEN }}\n    content: x\n",
        "  - pty: x\n    script: [{enter: '${{ secrets.TOKEN }}'}]\n",
        "outputs: {a: '${{ secrets.TOKEN }}'}\n",
    ],
)
@pytest.mark.language("§3 places of secrets")
def test_a_secret_may_stand_nowhere_else(lines: str) -> None:
    assert of(lines) == ["SB306 the secret 'TOKEN' cannot stand here"]


@pytest.mark.language("§3 places of secrets")
def test_a_secret_in_a_shell_text_is_refused() -> None:
    assert of("  - command: x ${{ secrets.TOKEN }}\n") == [
        "SB306 a secret cannot stand in a shell text"
    ]


@pytest.mark.language("§3 steps.ID.FIELD")
def test_a_result_can_be_used_only_below_its_step() -> None:
    lines = "  - command: echo ${{ steps.b.exit }}\n  - id: b\n    command: y\n"
    assert of(lines) == ["SB304 the step 'b' has no result yet when this is needed"]


def test_a_step_cannot_use_its_own_result() -> None:
    lines = "  - id: b\n    command: y\n    expect: {stdout: '${{ steps.b.exit }}'}\n"
    told = "SB304 a step cannot use its own result, which is not there yet"
    assert of(lines) == [told]


@pytest.mark.language("§3 steps.ID.FIELD: not of a sibling")
def test_siblings_in_parallel_do_not_see_each_other_and_steps_below_see_all() -> None:
    lines = (
        "  - parallel:\n      - {id: p, command: x}\n"
        "      - {id: q, command: 'y ${{ steps.p.exit }}'}\n"
        "  - command: z ${{ steps.p.exit }} ${{ steps.q.exit }}\n"
    )
    assert of(lines) == ["SB304 the step 'p' has no result yet when this is needed"]


def test_steps_in_order_inside_another_see_those_above() -> None:
    lines = (
        "  - watch: x\n    during:\n      - {id: p, command: x}\n"
        "      - {id: q, command: 'y ${{ steps.p.exit }}'}\n"
        "  - command: z ${{ steps.p.exit }}\n"
    )
    assert of(lines) == []


@pytest.mark.language("§3 early places")
def test_finally_sees_every_step_and_setup_only_inputs() -> None:
    assert of("finally: [{command: 'x ${{ steps.a.exit }}'}]\n") == []
    assert of("setup: [{command: 'x ${{ inputs.who }} ${{ env.SHARED }}'}]\n") == [
        "SB302 'env' cannot be used here"
    ]


@pytest.mark.language("§3 item")
def test_item_exists_in_a_loop_and_in_what_is_inside_it() -> None:
    loop = "    for_each: [1]\n"
    assert of(f"  - command: x ${{{{ item }}}}\n    if: item != '2'\n{loop}") == []
    assert of(f"  - parallel: [{{command: 'x ${{{{ item.key }}}}'}}]\n{loop}") == []
    assert of("  - command: x\n    for_each: ${{ item }}\n") == [
        "SB302 'item' cannot be used here"
    ]


@pytest.mark.language("§3 env.X")
def test_the_environment_of_a_step_is_its_own_and_the_shared_one() -> None:
    lines = "  - command: x ${{ env.OWN }}\n    env: {OWN: '${{ env.SHARED }}'}\n"
    assert of(lines) == []
    assert of(lines + "  - command: y ${{ env.OWN }}\n") == [
        "SB302 there is no 'OWN' in `env`"
    ]


@pytest.mark.language("§3 early places")
def test_shared_environment_and_sandbox_use_inputs_only() -> None:
    text = TOP.replace(
        "{SHARED: a}", "{SHARED: '${{ inputs.who }} ${{ steps.a.exit }}'}"
    )
    assert problems_of(text, VERBS) == ["SB302 4:38 'steps' cannot be used here"]
    assert of("sandbox: {provider: '${{ inputs.who }}'}\n") == []
    assert of("sandbox: {provider: '${{ env.SHARED }}'}\n") == [
        "SB302 'env' cannot be used here"
    ]


@pytest.mark.language("§4 id", "§8 place: the second one")
def test_equal_ids_are_told_at_the_second() -> None:
    text = TOP + "  - id: a\n    command: x\nfinally: [{id: a, command: y}]\n"
    told = "the id 'a' is taken by the step in line 6"
    assert problems_of(text, VERBS) == [f"SB211 12:9 {told}", f"SB211 14:16 {told}"]


def test_nothing_is_said_about_uses_of_a_step_that_cannot_be_read() -> None:
    lines = "  - id: b\n    rum: x\n  - command: echo ${{ steps.b.exit }}\n"
    assert of(lines) == ["SB201 there is no verb 'rum'"]


TWO = "  - create: {as: one}\n  - create: {as: two}\n"


@pytest.mark.language("§4 in")
def test_with_several_sandboxes_each_step_says_which() -> None:
    told = "SB214 the file has several sandboxes, and this step does not say which"
    text = f"runbook: 1\nsteps:\n{TWO}  - command: x\n  - command: y\n    in: two\n"
    assert [one.split(" ", 2)[2] for one in problems_of(text, VERBS)] == [told[6:]]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (f"{TWO}  - command: x\n    in: tow\n", "the sandbox 'tow' does not exist"),
        (
            "  - command: x\n    in: one\n" + TWO,
            "the sandbox 'one' is created below this step",
        ),
        ("  - create:\n  - create:\n", "there is already a sandbox 'main'"),
        ("  - command: x\n    in: other\n", "the sandbox 'other' does not exist"),
    ],
)
def test_a_step_runs_in_a_sandbox_that_exists_by_then(lines: str, told: str) -> None:
    assert told in problems_of(f"runbook: 1\nsteps:\n{lines}", VERBS)[0]


@pytest.mark.parametrize(
    "lines",
    [
        "  - command: x\n    in: main\n",
        "  - create:\n  - command: x\n  - teardown:\n",
        "  - create: {as: db}\n  - command: x\n",
        f"{TWO}  - command: x\n    in: one\n  - teardown: two\n",
        f"{TWO}  - check: run.failed\n",
        f"{TWO}  - parallel: [{{command: x}}, {{command: y, in: two}}]\n    in: one\n",
    ],
)
def test_a_step_in_a_sandbox_that_is_known_is_fine(lines: str) -> None:
    assert problems_of(f"runbook: 1\nsteps:\n{lines}", VERBS) == []


@pytest.mark.parametrize(
    "step", ["{create: }", "{command: x, background: true}", "{teardown: }"]
)
@pytest.mark.language("§1 setup")
def test_setup_starts_nothing_that_lives_on(step: str) -> None:
    found = problems_of(
        f"runbook: 1\nsetup: [{step}]\nsteps: [{{command: x}}]\n", VERBS
    )
    assert len(found) == 1
    assert found[0].startswith("SB213 2:")
