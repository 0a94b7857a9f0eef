"""Any text survives every binding place unchanged, or is refused with the remedy."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.runner.conftest import Runs

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=300,
)
FILE_NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/*?"),
    min_size=1,
    max_size=50,
).filter(lambda name: name not in (".", "..") and not name.startswith("~"))
BOOK = """\
    inputs: {a: {}, b: {}, c: {}}
    steps:
      - id: shell
        command: printf '%s\\n' x${{ inputs.a }}x "${{ inputs.b }}" '${{ inputs.c }}'
      - id: argv
        command:
          [printf, '%s\\n', "x${{ inputs.a }}x", "${{ inputs.b }}", "${{ inputs.c }}"]
      - id: env
        env: {A: "x${{ inputs.a }}x", B: "${{ inputs.b }}", C: "${{ inputs.c }}"}
        command: printf '%s\\n' "$A" "$B" "$C"
      - id: stdin
        command: cat
        stdin: "x${{ inputs.a }}x\\n${{ inputs.b }}\\n${{ inputs.c }}\\n"
      - write: f
        content: "x${{ inputs.a }}x\\n${{ inputs.b }}\\n${{ inputs.c }}\\n"
      - id: write
        command: cat f
"""
NAMES = """\
    inputs: {name: {}}
    steps:
      - write: ${{ inputs.name }}/in
        content: found
      - id: cwd
        cwd: ${{ inputs.name }}
        command: cat in
        expect: {stdout: found}
      - command: "true"
        expect: {file: "${{ inputs.name }}/in"}
"""


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(a=TEXTS, b=TEXTS, c=TEXTS)
def test_any_text_arrives_unchanged_at_every_place(
    run: Runs, a: str, b: str, c: str
) -> None:
    ran = run(BOOK, inputs={"a": a, "b": b, "c": c})
    assert ran.code == 0
    for index in (0, 1, 2, 3, 5):
        assert ran.results(f"steps[{index}]")["stdout"] == f"x{a}x\n{b}\n{c}\n", index


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=FILE_NAMES)
def test_a_folder_of_any_name_can_be_written_worked_in_and_looked_for(
    run: Runs, name: str
) -> None:
    assert run(NAMES, inputs={"name": name}).code == 0


def test_values_of_other_types_are_bound_as_the_language_writes_them(run: Runs) -> None:
    ran = run("""
        inputs: {n: {type: number, default: 1.5}, b: {type: boolean, default: true}}
        steps:
          - for_each: [1, [a b, {c: null}]]
            command: [printf, <%s>, '${{ item }}', '${{ inputs.n }}', '${{ inputs.b }}']
          - for_each: [1, [a b, {c: null}]]
            command: printf '<%s>' ${{ item }} ${{ inputs.n }} ${{ inputs.b }}
    """)
    assert ran.code == 0
    for step in (0, 1):
        first, second = (
            ran.results(f"steps[{step}].each[{index}]")["stdout"] for index in (0, 1)
        )
        assert first == "<1><1.5><true>"
        assert second == '<["a b", {"c": null}]><1.5><true>'


@pytest.mark.parametrize("command", ["echo %s", "[echo, %s]"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("${{ inputs.json | fromjson }}", "NUL"),
        ("${{ inputs.none | fromjson }}", "null"),
        ("${{ inputs.long }}", "over 128 KiB"),
    ],
)
@pytest.mark.language("§3 refused: 128 KiB", "§3 refused: NUL")
def test_what_no_program_can_be_given_fails_the_step_with_the_remedy(
    run: Runs, command: str, value: str, words: str
) -> None:
    book = f"""
        inputs: {{json: {{}}, none: {{}}, long: {{}}}}
        steps:
          - command: {command % value}
    """
    given = {"json": '"a\\u0000b"', "none": "null", "long": "x" * 128 * 1024}
    ran = run(book, inputs=given)
    failed = ran.step("steps[0]").last
    assert ran.code == 1
    assert failed is not None
    assert words in str(failed)


def test_ten_megabytes_reach_stdin(run: Runs) -> None:
    ran = run(
        f"""
        inputs: {{v: {{}}}}
        steps:
          - command: wc -c
            stdin: {"${{ inputs.v }}" * 10}
            expect: {{text: "10000000"}}
        """,
        inputs={"v": "x" * 1_000_000},
    )
    assert ran.code == 0


def test_a_lone_surrogate_is_refused_and_no_fault(run: Runs) -> None:
    for step in (
        "command: cat\n            stdin: ",
        "write: f\n            content: ",
    ):
        ran = run(
            f"""
        inputs: {{v: {{}}}}
        steps:
          - {step}${{{{ inputs.v | fromjson }}}}
        """,
            inputs={"v": '"\\ud800"'},
        )
        assert ran.code == 1
