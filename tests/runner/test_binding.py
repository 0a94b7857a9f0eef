"""Any text survives every binding place unchanged, or is refused with the remedy."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.runner.conftest import Runs
from tests.sandbook.test_shell_text import HOSTILE

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=40,
)
FILE_NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0/*?"),
    min_size=1,
    max_size=50,
).filter(lambda name: name not in (".", "..") and not name.startswith("~"))
AT_ONCE = 40
"""So many texts are bound by one run; a run costs more than all of them."""


def _each(form: str, *, between: str = " ") -> str:
    return between.join(
        form.replace("?", f"${{{{ inputs.t{one} }}}}") for one in range(AT_ONCE)
    )


# What stands around a value is text, so that no program takes it for an option, and no
# shell drops the line ends behind it.
def _book() -> str:
    script = f"""\
          # {_each("?")}
          printf '%s\\0' {_each("x?x")} {_each('"x?x"')} {_each("'x?x'")}
          printf '%s\\0' {_each('"$(printf %s. x?x)"')}
          cat <<END
          {_each("x?x", between="|")}
          END
"""
    texts = _each('"x?x"', between=", ")
    env = ", ".join(f'T{n}: "x${{{{ inputs.t{n} }}}}x"' for n in range(AT_ONCE))
    shown = " ".join(f'"$T{n}"' for n in range(AT_ONCE))
    joined = _each("x?x", between="|")
    inputs = ", ".join(f"t{n}: {{}}" for n in range(AT_ONCE))
    return f"""\
    inputs: {{{inputs}}}
    steps:
      - command: |
{script}
      - shell: sh
        command: |
{script}
      - command: [printf, '%s\\0', {texts}]
      - env: {{{env}}}
        command: printf '%s\\0' {shown}
      - command: cat
        stdin: "{joined}"
      - write: f
        content: "{joined}"
      - command: cat f
      - for_each: [{texts}]
        limit: 4
        command: [printf, "%s", "${{{{ item }}}}"]
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
    max_examples=6,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.large_base_example,
        HealthCheck.data_too_large,
        HealthCheck.too_slow,
    ],
)
@given(texts=st.lists(TEXTS, min_size=AT_ONCE, max_size=AT_ONCE))
@example(texts=[*HOSTILE.values(), *[""] * AT_ONCE][:AT_ONCE])
@example(texts=[chr(one) * 3 for one in range(1, AT_ONCE + 1)])
@example(texts=["ä€😀" * 3000, *["\n"] * (AT_ONCE - 1)])
@pytest.mark.language("§3 bound: bare", "§3 bound: a list")
def test_any_text_arrives_unchanged_at_every_place(run: Runs, texts: list[str]) -> None:
    ran = run(_book(), inputs={f"t{n}": text for n, text in enumerate(texts)})
    assert ran.code == 0, ran.report.cause
    marked = [f"x{text}x" for text in texts]
    joined = "|".join(marked)
    once = "".join(f"{text}\0" for text in marked)
    dotted = "".join(f"{text}.\0" for text in marked)
    for shell in (0, 1):
        found = ran.results(f"steps[{shell}]")["stdout"]
        assert found == once * 3 + dotted + joined + "\n", shell
    assert ran.results("steps[2]")["stdout"] == once
    assert ran.results("steps[3]")["stdout"] == once
    assert ran.results("steps[4]")["stdout"] == joined
    assert ran.results("steps[6]")["stdout"] == joined
    each = [ran.results(f"steps[7].each[{n}]")["stdout"] for n in range(AT_ONCE)]
    assert each == marked


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
