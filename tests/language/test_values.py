"""§2: what is refused, and §3: where expressions may stand."""

from __future__ import annotations

import pytest

from tests.language.books import STEPS, VERBS, places, problems
from tests.sandbook.reading import told


@pytest.mark.language("§2 booleans")
@pytest.mark.parametrize("written", ["true", "false"])
def test_true_and_false_are_booleans(written: str) -> None:
    assert places(f"steps: [{{command: x, allow_failure: {written}}}]\n") == []


@pytest.mark.language("§2 booleans")
@pytest.mark.parametrize("written", ["yes", "on", "True", "TRUE", "1", "'true'x"])
def test_nothing_else_is_a_boolean(written: str) -> None:
    [place] = places(f"steps:\n  - command: x\n    allow_failure: {written}\n")
    assert place.endswith(" 4:20") or place.startswith("SB101 4:")


@pytest.mark.language("§2 refused: duplicate keys")
def test_a_key_stands_once_in_its_map() -> None:
    assert places("env: {A: a, B: b, A: c}\n" + STEPS) == ["SB103 2:19"]
    assert places(f"name: a\n{STEPS}name: b\n") == ["SB103 4:1"]


@pytest.mark.language("§2 refused: unknown keys", "§8 place: unknown key")
def test_an_unknown_key_is_told_at_the_key_with_the_nearest_name() -> None:
    [problem] = problems("steps:\n  - command: x\n    tiemout: 5s\n")
    assert problem == "SB201 4:5 there is no key 'tiemout' in a 'command' step"
    shown = told("runbook: 1\nsteps: [{command: x, tiemout: 5s}]\n", VERBS)
    assert "did you mean 'timeout'?" in shown
    assert places("stepps: 1\n" + STEPS) == ["SB201 2:1"]


@pytest.mark.language("§2 refused: tabs")
def test_a_tab_is_no_white_space() -> None:
    assert places("env: {A: a}\nname:\tx\n" + STEPS)[0].startswith("SB102 3:")
    assert places("steps:\n\t- command: x\n")[0].startswith("SB102 3:")
    assert places("name: a\tb\n" + STEPS) == []


@pytest.mark.language("§2 refused: tags")
def test_a_tag_is_refused() -> None:
    [place] = places("env: {A: !!str a}\n" + STEPS)
    assert place.endswith(" 2:10")
    [place] = places("env: {A: !x a}\n" + STEPS)
    assert place.endswith(" 2:10")


ALLOWED = {
    "name": "name: a ${{ inputs.a }}\n" + STEPS,
    "env": "env: {A: '${{ inputs.a }}'}\n" + STEPS,
    "step name": "steps: [{command: x, name: '${{ inputs.a }}'}]\n",
    "list": "steps: [{command: [x, '${{ inputs.a }}']}]\n",
    "shell text": "steps: [{command: 'x ${{ inputs.a }}'}]\n",
    "stdin": "steps: [{command: x, stdin: '${{ inputs.a }}'}]\n",
    "expect": "steps: [{command: x, expect: {stdout: '${{ inputs.a }}'}}]\n",
    "cwd": "steps: [{command: x, cwd: '${{ inputs.a }}'}]\n",
    "timeout": "steps: [{command: x, timeout: '${{ inputs.a }}'}]\n",
    "path": "steps: [{write: '${{ inputs.a }}', content: x}]\n",
    "artifacts": STEPS + "artifacts: ['${{ inputs.a }}']\n",
    "outputs": STEPS + "outputs: {a: '${{ inputs.a }}'}\n",
}
MISPLACED = {
    "key": "env: {'${{ inputs.a }}': x}\n" + STEPS,
    "id": "steps: [{command: x, id: '${{ inputs.a }}'}]\n",
    "as": "steps: [{create: {as: '${{ inputs.a }}'}}]\n",
    "in": "steps: [{command: x, in: '${{ inputs.a }}'}]\n",
    "use": "steps: [{use: '${{ inputs.a }}'}]\n",
    "teardown": "steps: [{command: x}, {teardown: '${{ inputs.a }}'}]\n",
    "inputs": "inputs: {b: {default: '${{ inputs.a }}'}}\n" + STEPS,
    "secrets": "secrets: ['${{ inputs.a }}']\n" + STEPS,
    "description": "description: ${{ inputs.a }}\n" + STEPS,
}
INPUT = "inputs: {a: {default: x}}\n"


@pytest.mark.language("§3 allowed in values")
@pytest.mark.parametrize("text", ALLOWED.values(), ids=ALLOWED.keys())
def test_an_expression_may_be_a_value(text: str) -> None:
    assert problems(INPUT + text) == []


@pytest.mark.language("§3 not allowed")
@pytest.mark.parametrize("text", MISPLACED.values(), ids=MISPLACED.keys())
def test_an_expression_is_no_name(text: str) -> None:
    text = text if text.startswith("inputs") else INPUT + text
    assert problems(text)
    assert problems(text.replace("${{ inputs.a }}", "main")) == [] or "use:" in text


@pytest.mark.language("§8 place: wrong type")
def test_a_wrong_type_is_told_at_the_value() -> None:
    assert places("steps:\n  - command: x\n    retry: many\n") == ["SB203 4:12"]
    assert places("inputs: [a]\n" + STEPS) == ["SB203 2:9"]


@pytest.mark.language("§8 place: the second one", "§4 one verb")
def test_of_two_verbs_the_second_is_told() -> None:
    [place] = places("steps:\n  - command: x\n    env: {A: b}\n    write: y\n")
    assert place.endswith(" 5:5")
    assert len(places("steps:\n  - name: nothing\n")) == 1


@pytest.mark.language("§8 place: expression")
def test_what_is_wrong_in_an_expression_is_told_at_its_line() -> None:
    text = "steps:\n  - command: |\n      one\n      two ${{ inputs.b }}\n"
    [place] = places(text)
    assert place.startswith("SB302 5:")


@pytest.mark.language("§8 place: missing key")
def test_a_missing_key_is_told_at_the_last_line_of_its_map() -> None:
    text = "steps:\n  - write: x\n    mode: 0600\n    cwd: a\n  - command: y\n"
    [place] = places(text)
    assert place.startswith("SB202 5:")
