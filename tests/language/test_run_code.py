"""The rows of `run_code`, each in a real interpreter of a local sandbox."""

from __future__ import annotations

import pytest

from tests.runner import conftest as runner
from tests.runner.conftest import Runs

run = runner.run

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(
            """
            - id: one
              run_code: |
                import sys
                print("out"); print("err", file=sys.stderr)
                {"a": [1, None], "b": (True, "x")}
            - check: {step: one, text: {equals: "{'a': [1, None], 'b': (True, 'x')}"}}
            - check: steps.one.stdout == 'out\\n' and steps.one.stderr == 'err\\n'
            - check: {step: one, output: {contains: [out, err]}}
            - check: {step: one, json: {"a[0]": 1, "b[1]": x}}
            - check: steps.one.error is none and steps.one.results | length == 0
            - {id: text, run_code: "'a text has its quotes'"}
            - check: {step: text, text: {equals: "'a text has its quotes'"}}
            - check: steps.text.json == 'a text has its quotes'
            - {id: nothing, run_code: x = 1}
            - check: steps.nothing.text == '' and steps.nothing.json is defined == false
            - {id: odd, run_code: "object()"}
            - check: steps.odd.json is defined == false
            """,
            marks=pytest.mark.language("§6 run_code"),
            id="fields",
        ),
        pytest.param(
            f"""
            - id: plot
              run_code: |
                import base64
                from IPython.display import HTML, Image, display
                display(Image(base64.b64decode("{PNG}")))
                HTML("<b>bold</b>")
            - check: steps.plot.results[0].type == 'image/png'
            - check: steps.plot.results[1].type == 'text/html'
            - copy: ${{{{ steps.plot.results[1].path }}}}
              to: page.html
              expect: {{file: {{path: page.html, equals: <b>bold</b>}}}}
            """,
            marks=pytest.mark.language("§6 run_code"),
            id="results",
        ),
        pytest.param(
            """
            - {run_code: x = 1, language: python}
            - {run_code: x, expect: {text: {equals: "1"}}}
            """,
            marks=pytest.mark.language("§6 run_code language"),
            id="language",
        ),
        pytest.param(
            """
            - {run_code: x = 1}
            - {run_code: x, context: main, expect: {text: {equals: "1"}}}
            - {run_code: x, context: other, expect: {error: NameError}}
            """,
            marks=pytest.mark.language("§6 run_code context"),
            id="context",
        ),
        pytest.param(
            """
            - run_code: |
                kinds = [type(v).__name__ for v in (n, f, t, b, nothing, many, named)]
              with:
                n: 3
                f: 0.5
                t: "'); exit() #"
                b: true
                nothing: null
                many: [1, "2"]
                named: {a: {b: 1}}
            - run_code: kinds
              expect:
                json: {"[0]": int, "[1]": float, "[2]": str, "[3]": bool,
                  "[4]": NoneType, "[5]": list, "[6]": dict}
            - {id: back, run_code: t}
            - check: ${{ steps.back.json == "'); exit() #" }}
            """,
            marks=pytest.mark.language("§6 run_code with"),
            id="with",
        ),
        pytest.param(
            """
            - {run_code: 1/0, expect: {error: "ZeroDivisionError: division"}}
            - {run_code: 1/0, expect: {error: any}}
            - {run_code: "1", expect: {error: any}}
            - {run_code: 1/0, expect: {error: {matches: "^Zero.*by zero$"}}}
            """,
            marks=pytest.mark.language("§5 error"),
            id="error",
        ),
        pytest.param(
            """
            - id: one
              run_code: x = list(range(4))
              save: {total: sum(x), all: x}
              expect: {values: {total: 6}}
            - check: steps.one.values.all[3] == 3
            """,
            marks=pytest.mark.language("§6 run_code"),
            id="save",
        ),
        pytest.param(
            """
            - run_code: |
                x = 42
                import time; time.sleep(60)
              timeout: 2s
              allow_failure: true
            - {run_code: x, expect: {text: {equals: "42"}}}
            """,
            marks=pytest.mark.language("§6 run_code"),
            id="timeout",
        ),
        pytest.param(
            """
            - command: mkdir sub
            - run_code: |
                import os
                os.environ["A"], os.path.basename(os.getcwd())
              env: {A: one}
              cwd: sub
              expect: {text: {equals: "('one', 'sub')"}}
            - command: test -d sub
            """,
            marks=pytest.mark.language("§7 sandbox paths"),
            id="env and cwd",
        ),
    ],
)
def test_a_row_holds(run: Runs, steps: str) -> None:
    ran = run(f"steps:{steps.rstrip()}\n")
    assert ran.code == 0, ran.report.cause


def test_an_exception_names_its_line_in_the_file(run: Runs) -> None:
    ran = run(
        """
        steps:
          - run_code: |
              x = 1

              df.head(x)
        """
    )
    assert ran.code == 1
    assert ran.report.cause is not None
    assert ran.report.cause.startswith("NameError: name 'df' is not defined (line 3, ")
    assert ran.report.cause.endswith("book.yaml:6)")
    shown = b"".join(data for _, _, data in ran.output).decode()
    assert "df.head(x)" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("save", ["object()", "nothing_of_this_name", "float('nan')"])
def test_a_saved_value_that_does_not_fit_json_fails_by_name(
    run: Runs, save: str
) -> None:
    ran = run(f"steps: [{{run_code: x = 1, save: {{good: x, bad: {save}}}}}]")
    assert ran.code == 1
    assert "`save` of bad: " in (ran.report.cause or "")


def test_code_that_does_not_parse_is_told_with_its_line(run: Runs) -> None:
    ran = run("steps:\n  - run_code: |\n      x = 1\n      y = = 2\n")
    assert ran.code == 1
    cause = ran.report.cause or ""
    assert cause.startswith("SyntaxError: ")
    assert cause.endswith("book.yaml:5)")


def test_an_interpreter_that_dies_is_told_in_words(run: Runs) -> None:
    ran = run(
        """
        steps:
          - {run_code: import os; os._exit(3), allow_failure: true}
          - {run_code: 1 + 1, expect: {text: {equals: "2"}}}
        """
    )
    assert ran.code == 0, ran.report.cause
    last = ran.step("steps[0]").last
    assert last is not None
    assert "exit code 3" in (last.cause or "")
    assert "the variables of the context 'main' are lost" in (last.cause or "")


def test_the_interpreter_is_started_beside_earlier_steps(run: Runs) -> None:
    # The driver of the language is a program of the sandbox like any other.
    ran = run(
        """
        steps:
          - command: |
              until grep -aqs 'main.py.[c]ode' /proc/*/cmdline; do sleep 0.05; done
            timeout: 40s
          - {run_code: 1 + 1, expect: {text: {equals: "2"}}}
        """
    )
    assert ran.code == 0, ran.report.cause


def test_a_run_without_code_starts_no_interpreter(run: Runs) -> None:
    ran = run(
        """
        steps:
          - command: |
              sleep 1
              if grep -as 'main.py.[c]ode' /proc/*/cmdline; then exit 1; fi
        """
    )
    assert ran.code == 0, ran.report.cause
