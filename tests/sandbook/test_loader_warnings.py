"""What runs, but hardly as it was meant, is told; what is meant is left alone."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sandbook.reading import problems_of
from tests.sandbook.verbs import VERBS

INPUTS = "inputs: {x: {default: a}, n: {type: integer, default: 1}}\n"


def of_shell(text: str, *, more: str = "") -> list[str]:
    """`CODE line:column` of the warnings of one shell text, counted from its start."""
    lines = "".join(f"      {line}\n" for line in text.splitlines())
    steps = f"steps:\n  - command: |\n{lines}{more}"
    found = problems_of(f"runbook: 1\n{INPUTS}{steps}", VERBS)
    return [_moved(one) for one in found if not one.startswith("SB406")]


def _moved(problem: str) -> str:
    code, place, _ = problem.split(" ", 2)
    line, column = map(int, place.split(":"))
    return f"{code} {line - 4}:{column - 6}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('eval "echo ${{ inputs.x }}"', "SB401 1:6"),
        ("eval ${{ inputs.x }}", "SB401 1:6"),
        ('bash -c "echo ${{ inputs.x }}"', "SB401 1:9"),
        ("sh -ec 'echo ${{ inputs.x }}'", "SB401 1:8"),
        ('sudo -u me bash -lc "a ${{ inputs.x }}"', "SB401 1:21"),
        ('docker exec app sh -c "a ${{ inputs.x }}"', "SB401 1:23"),
        ('A=1 bash -c "a ${{ inputs.x }}"', "SB401 1:13"),
        ('x=$(bash -c "a ${{ inputs.x }}")', "SB401 1:13"),
        ('if bash -c "a ${{ inputs.x }}"; then b; fi', "SB401 1:12"),
        ("ssh host ls ${{ inputs.x }}", "SB401 1:13"),
        ("ssh -p 22 -o A=b me@host 'ls ${{ inputs.x }}'", "SB401 1:26"),
        ("python3 -c 'print(\"${{ inputs.x }}\")'", "SB401 1:12"),
        ("bash <<EOF\nls ${{ inputs.x }}\nEOF", "SB401 1:1"),
        ("ssh host <<EOF\nls ${{ inputs.x }}\nEOF", "SB401 1:1"),
        ("cd app && make\nmake install", "SB402 1:1"),
        ("a\nb && c &&\n  d\ne", "SB402 2:1"),
        ("a && b; c", "SB402 1:1"),
        ("a && b # why\n# more\nc", "SB402 1:1"),
        ("export A=$(b)\nc", "SB403 1:8"),
        ('f() {\n  local x="$(b)"\n}\nf', "SB403 2:9"),
        ("declare -r A=`b`\nc", "SB403 1:12"),
        ("cd app", "SB405 1:1"),
        ("export A=b\nexport C=d", "SB405 1:1"),
        ("# enter\ncd app\n", "SB405 2:1"),
    ],
)
def test_a_habit_that_hides_something_is_told_where_it_stands(
    text: str, told: str
) -> None:
    assert of_shell(text) == [told]


@pytest.mark.parametrize(
    "text",
    [
        "echo ${{ inputs.x }}",
        "bash -c 'echo \"$1\"' - ${{ inputs.x }}",
        "bash script.sh ${{ inputs.x }}",
        'bash -c "sleep ${{ inputs.n }}"',
        "[[ ${{ inputs.x }} == a ]]",
        "[ ${{ inputs.x }} -eq 1 ]",
        "ssh ${{ inputs.x }} ls",
        "echo eval ${{ inputs.x }}",
        'echo bash -c "${{ inputs.x }}"',
        "echo 'eval' \"bash -c\" ${{ inputs.x }}",
        "cat <<EOF\nls ${{ inputs.x }}\nEOF",
        "# eval ${{ inputs.x }}\nmake",
        "make && make install",
        "cd app\nmake && make install",
        "[ -d app ] && rm -r app\nmake",
        "test -f a && rm a\nmake",
        "[[ -f a && -f b ]]\nmake",
        "command -v a && b\nmake",
        "a || b\nc",
        "a && b || c\nd",
        "if a && b; then c; fi\nd",
        "while a && b; do c; done\nd",
        "a && b &\nc",
        "! a && b\nc",
        "echo 'a && b'\nc",
        'echo "a && b"\nc',
        "cat <<'EOF'\na && b\nEOF\nc",
        "set +e\na && b\nc",
        "A=$(b)\nexport A\nc",
        "export A=b\nmake",
        "local_x=$(a)\nb",
        "export A=$((1 + 2))\nmake",
        "cd app\nmake",
        "cd app && make",
        "(cd app && make)\nb",
        "make | tee log",
        "case $x in\n  a) b && c;;\nesac\nd",
        "for a in b c; do\n  d\ndone",
        "f() { cd a; b; }\nf",
        "a <<A <<B\nx && y\nA\nz && y\nB\nb",
        'echo "$(a "b && c")"\nd',
        "echo ${a:-b && c}\nd",
        "diff <(a) <(b) && c\nd",
    ],
)
def test_what_is_meant_is_left_alone(text: str) -> None:
    assert of_shell(text) == []


def test_a_pipe_is_told_only_where_sh_reads_it() -> None:
    assert of_shell("a | b", more="    shell: sh\n") == ["SB404 1:1"]
    assert of_shell("set -o pipefail\na | b", more="    shell: sh\n") == []
    assert of_shell("echo 'a | b' || c", more="    shell: sh\n") == []
    assert of_shell("a | b", more="    shell: bash\n") == []


def of(lines: str) -> list[str]:
    """The problems of a runbook without its first line."""
    return problems_of(f"runbook: 1\n{lines}", VERBS)


def test_a_list_is_looked_at_as_a_text_is() -> None:
    step = f"{INPUTS}steps:\n  - command: [bash, -c, 'a ${{{{ inputs.x }}}}']\n"
    assert [one for one in of(step) if "406" not in one] == [
        "SB401 4:25 a value in what 'bash' gets is read as code once more"
    ]


@pytest.mark.parametrize(
    "use",
    [
        "name: ${{ inputs.x }}\nsteps: [{command: a}]\n",
        "env: {A: '${{ inputs.x }}'}\nsteps: [{command: a}]\n",
        "sandbox: {env: {A: '${{ inputs.x }}'}}\nsteps: [{command: a}]\n",
        "steps: [{command: a}]\noutputs: {b: '${{ inputs.x }}'}\n",
        "steps: [{command: a}]\nartifacts: ['${{ inputs.x }}']\n",
        "steps: [{command: a, name: '${{ inputs.x }}'}]\n",
        "steps: [{command: a, if: inputs.x == 'b'}]\n",
        "steps: [{command: a, for_each: '${{ inputs.x }}'}]\n",
        "steps: [{command: a, expect: {stdout: '${{ inputs.x }}'}}]\n",
        "steps: [{command: a, cwd: '${{ inputs.x }}'}]\n",
        "steps: [{command: a, if: \"'x' in inputs\"}]\n",
        "steps: [{parallel: [{command: 'a ${{ inputs.x }}'}]}]\n",
        "steps: [{command: a}]\nfinally: [{command: 'a ${{ inputs.x }}'}]\n",
    ],
)
def test_an_input_is_used_wherever_it_may_stand(use: str) -> None:
    assert of(f"inputs: {{x: {{default: a}}}}\n{use}") == []


def test_what_nothing_uses_is_told_at_its_name() -> None:
    found = of("inputs: {x: {default: a}}\nsecrets: [T]\nsteps: [{command: a}]\n")
    assert found == [
        "SB406 2:10 nothing uses the input 'x'",
        "SB406 3:11 nothing uses the secret 'T'",
    ]


def test_nothing_is_called_unused_while_something_cannot_be_read() -> None:
    found = of("inputs: {x: {default: a}}\nsteps: [{comand: 'a ${{ inputs.x }}'}]\n")
    assert found == ["SB201 3:10 there is no verb 'comand'"]


@pytest.mark.parametrize(
    ("retry", "told"),
    [
        ("{times: 0}", True),
        ("{times: 1, on: [error]}", True),
        ("{times: 1, on: [expect]}", True),
        ("{times: 1, on: [expect, exit]}", False),
        ("{times: 1}", False),
        ("0", False),
    ],
)
def test_a_retry_that_never_comes_is_told(retry: str, *, told: bool) -> None:
    found = of(f"steps: [{{command: a, retry: {retry}}}]\n")
    assert [one[:5] for one in found] == ["SB407"] * told


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            (
                *("<<", "$(", "${", "[[", "]]", "a", "eval", "if", "fi", "case"),
                *("esac", "EOF", "${{ inputs.x }}", "export A=", "\t"),
                *"()&|;<>\"'`$\\{}[] \n#=",
            )
        ),
        max_size=40,
    )
)
def test_any_text_is_looked_at_without_a_fault(parts: list[str]) -> None:
    text = "".join(parts).replace("\n", "\n      ")
    found = problems_of(
        f"runbook: 1\n{INPUTS}steps:\n  - command: |2\n      {text}\n      end\n", VERBS
    )
    assert all(one.startswith("SB") for one in found)


@pytest.mark.parametrize(
    "text",
    ["export a=$(b); " * 20_000, "sh " * 100_000, "a && " * 60_000 + "b", "$(" * 9_000],
    ids=["exports", "shells", "lists", "nested"],
)
def test_a_long_text_does_not_take_minutes(text: str) -> None:
    began = perf_counter()
    of_shell(text)
    assert perf_counter() - began < 30
