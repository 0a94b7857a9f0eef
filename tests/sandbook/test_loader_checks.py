"""What `check` can know is told; what only a run can know is left to it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sandbook.api import VerbSpec
from sandbook.problems import suggest
from sandbook.verbs import sandbook_verbs
from tests.sandbook.reading import problems_of

VERBS: Mapping[str, VerbSpec] = {one.spec.name: one.spec for one in sandbook_verbs()}
INPUTS = "inputs: {x: {default: a}, n: {type: integer, default: 1}}\n"
BOOLEAN = "inputs: {x: {type: boolean, default: true}}\n"


def of(lines: str) -> list[str]:
    """The errors of a runbook without its first line; codes and messages."""
    found = problems_of(f"runbook: 1\n{lines}", VERBS)
    return [
        f"{one.split(' ')[0]} {one.split(' ', 2)[2]}"
        for one in found
        if not one.startswith("SB4")
    ]


def of_steps(*steps: str) -> list[str]:
    """The errors of steps, each written as a map in braces."""
    return of("steps:\n" + "".join(f"  - {{{step}}}\n" for step in steps))


@pytest.mark.parametrize(
    "steps",
    [
        ["command: a, background: true, ready: {port: 80}"],
        ["command: a, background: '${{ run.failed }}', ready: {port: 1}"],
        ["command: a, background: true, ready: {http: 'https://x/', within: 0s}"],
        ["command: a, background: true, ready: {http: 'http://${{ run.id }}'}"],
        ["command: a, background: true, ready: {http: '${{ run.name }}'}"],
        ["command: a, for_each: [1], limit: 2"],
        ["parallel: [{command: a}, {command: b}], limit: 1"],
        ["command: a, retry: {times: 1, wait: 0s}"],
        ["command: a, timeout: none"],
        ["command: a, timeout: 1ms"],
        ["command: a, save: {v: '(?P<x>a)'}, expect: {values: {v: a}}"],
        ["id: a, command: a, save: {v: x}", "check: {step: a, values: {v: a}}"],
        ["id: a, command: a", "check: {step: a, exit: 0, file: b, within: 1s}"],
        ["id: a, write: a, content: b", "check: {step: a, file: b}"],
        ["parallel: [{id: a, command: a}]", "check: {step: a, exit: 0}"],
        ["check: {http: 'http://localhost:1', status: 200, headers: {A: b}, file: c}"],
        ["check: {http: 'http://localhost:1'}"],
        ["check: {file: a}"],
        ["write: a, base64: 'aGVs\n\n bG8='"],
        ["write: a, base64: '${{ run.id }}'"],
        ["copy: ."],
        ["copy: a/../b"],
        ["copy: '${{ run.id }}'"],
        ["fetch: /etc/hosts, to: a/b"],
        ["create: {metadata: {sandbook: b}, reuse: {app: a}, if_missing: fail}"],
        ["create: {network: [pypi.org, '*.example.org', 10.0.0.1, xn--a.b]}"],
        ["create: {network: ['${{ run.id }}']}"],
        ["create: {resources: {cpus: 0.5, pids: 1}, env_from: [A, b_1]}"],
    ],
    ids=lambda steps: steps[-1][:60],
)
def test_what_can_be_meant_is_not_refused(steps: list[str]) -> None:
    assert of_steps(*steps) == []


@pytest.mark.parametrize(
    "condition",
    [
        "true",
        "inputs.x",
        "inputs.x and not run.failed",
        "steps.a.ok",
        "steps.a.stdout == 'x'",
        "steps.a.json.done",
        "steps.a.exit | default(false)",
        "inputs.x if run.failed else false",
        "'a' in steps.a.stdout",
        "steps.a.json is defined",
        "(run.failed)",
        "item",
    ],
)
def test_a_condition_that_may_be_true_or_false_is_left_alone(condition: str) -> None:
    step = f'  - {{command: a, for_each: [1], if: "{condition}"}}\n'
    text = f"{BOOLEAN}steps:\n  - {{id: a, command: a}}\n{step}"
    assert of(text) == []


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("1", "a number"),
        ("'yes'", "a text"),
        ("none", "null"),
        ("[true]", "a list"),
        ("{'a': true}", "a map"),
        ("inputs.x", "a text"),
        ("inputs.n", "a number"),
        ("inputs.n + 1", "a number"),
        ("-inputs.n", "a number"),
        ("inputs.x ~ 'a'", "a text"),
        ("inputs.x | length", "a number"),
        ("inputs.x | upper", "a text"),
        ("run.failed and inputs.x", "a text"),
        ("not inputs.n", "a number"),
        ("inputs.x if run.failed else true", "a text"),
        ("run.status", "a text"),
        ("run.id", "a text"),
        ("sandbox.name", "a text"),
    ],
)
def test_a_condition_that_never_is_either_is_refused(condition: str, kind: str) -> None:
    told = f"SB206 a condition must be true or false, and this is {kind}"
    text = f'{INPUTS}steps:\n  - {{command: a, if: "{condition}"}}\n'
    assert of(text) == [told]


def test_the_place_of_a_wrong_condition_is_the_part_that_is_wrong() -> None:
    text = f"runbook: 1\n{INPUTS}steps:\n  - check: run.failed and not inputs.n\n"
    found = [one for one in problems_of(text, VERBS) if "SB206" in one]
    assert [one.split(" ")[1] for one in found] == ["4:31"]


TWO = ("create: {as: db}", "create: {as: web}")


@pytest.mark.parametrize(
    "steps",
    [
        [*TWO, "command: a, in: db", "teardown: db", "command: b, in: web"],
        [*TWO, "teardown: web", "teardown: db"],
        ["command: a", "teardown: "],
        ["create: {as: db}", "command: a", "teardown: "],
        ["create: {as: db}", "teardown: db"],
        ["command: a", "teardown: ", "check: run.failed == false"],
        ["id: a, command: a", "teardown: ", "check: {step: a, exit: 0}"],
        ["parallel: [{create: {as: db}}, {create: {as: web}}]", "command: a, in: db"],
        [*TWO, "parallel: [{command: a, in: db}, {teardown: web}]"],
        [*TWO, "parallel: [{command: a}], in: db"],
    ],
    ids=lambda steps: steps[-1][:60],
)
def test_a_sandbox_may_be_used_while_it_lives(steps: list[str]) -> None:
    assert of_steps(*steps) == []


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (["command: a", "teardown: ", "command: b"], "'main' was torn down in line 4"),
        (["teardown: ", "teardown: "], "'main' was torn down in line 3"),
        (
            [*TWO, "parallel: [{teardown: db}]", "command: a, in: db"],
            "'db' was torn down in line 5",
        ),
        (
            [*TWO, "parallel: [{command: a, in: db}, {teardown: db}]"],
            "'db' is torn down by a step that runs at the same time",
        ),
        (
            ["parallel: [{create: {as: db}}, {command: a, in: db}]"],
            "'db' is created below this step",
        ),
        (["teardown: db"], "'db' does not exist"),
        (["command: a", "create: {as: db}"], "'db' is created below this step"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_sandbox_is_not_used_before_or_after(steps: list[str], told: str) -> None:
    assert of_steps(*steps) == [f"SB214 the sandbox {told}"]


def test_artifacts_may_be_in_a_sandbox_that_was_torn_down() -> None:
    steps = "steps:\n  - create: {as: db}\n  - teardown: db\n"
    assert of(f"{steps}artifacts: [{{path: a, in: db}}]\n") == []


def test_setup_does_not_wait_for_a_create_below_it() -> None:
    setup = "setup:\n  - {command: a}\n  - {command: b, in: db}\n"
    assert of(f"{setup}steps:\n  - create: {{as: db}}\n  - command: c\n") == []


def test_nothing_is_said_of_a_check_of_a_step_that_cannot_be_read() -> None:
    found = of_steps("id: a, comand: x", "check: {step: a, exit: 0}")
    assert found == ["SB201 there is no verb 'comand'"]


@pytest.mark.parametrize(
    "place",
    [
        "expect: {json: {env: '${{ secrets.T }}'}}",
        "expect: {json: {secret: {equals: '${{ secrets.T }}'}}}",
        "expect: {file: {path: a, contains: '${{ secrets.T }}'}}",
    ],
)
def test_a_key_that_is_only_called_so_holds_no_secret(place: str) -> None:
    text = f"secrets: [T]\nsteps:\n  - {{command: a, {place}}}\n"
    assert of(text) == ["SB306 the secret 'T' cannot stand here"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("run", "command"), ("uses", "use"), ("assert", "check"), ("comand", "command")],
)
def test_words_of_other_tools_lead_to_ours(written: str, meant: str) -> None:
    assert suggest(written, VERBS) == f"did you mean {meant!r}?"
