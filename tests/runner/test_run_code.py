"""`run_code`: cells, their variables, their failures, what of them is kept and shown.

The interpreters are plain processes of the provider of tests: each can be told to die,
to ignore an interrupt, to be slow to come. Those of `local` have tests of their own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli import conftest as command_line
from tests.cli.calls import Called, Cli, bare_plugin

cli = command_line.cli

INTERPRETERS = """
    from tests.providers.bare_code import code_of
    from tests.providers.bare_sandbox import BareSandbox

    class Box(BareSandbox):
        async def code(self, request):
            return await code_of(self.ref, self.workdir, request)

    class Provider(Base):
        def open(self, record):
            return Box(self._store, record, _capabilities(self._settings))
"""


@pytest.fixture
def cells(cli: Cli) -> Cli:
    """Calls commands where the provider of tests runs Python."""
    bare_plugin(cli, INTERPRETERS, extra=frozenset({"code.python", "code.rich"}))
    return cli


def run(cells: Cli, text: str, *argv: str, **env: str) -> Called:
    """Run a runbook there."""
    return cells("run", cells.book(text), "--provider", "bare", *argv, env=env)


def steps(cells: Cli) -> list[dict[str, Any]]:
    """The last tries of the steps at the top, as the report has them."""
    report = json.loads((cells.newest() / "report.json").read_text())
    return [{**step, **step["attempts"][-1]} for step in report["steps"]]


@pytest.mark.language("§6 run_code with")
def test_variables_stay_and_values_come_in_by_their_names(cells: Cli) -> None:
    told = run(
        cells,
        """
        inputs: {who: {default: "'); import os; os.abort() #"}}
        steps:
          - run_code: seen = [who, n, flag, nothing]
            with: {who: "${{ inputs.who }}", n: 3, flag: true, nothing: null}
          - run_code: seen == [who, 3, True, None] and who
            id: last
          - check: steps.last.json == inputs.who
        """,
    )
    assert told.code == 0, told.out + told.err


@pytest.mark.language("§6 run_code")
def test_the_fields_of_a_cell(cells: Cli) -> None:
    told = run(
        cells,
        """
        steps:
          - id: one
            run_code: |
              import sys
              print("to out")
              print("to err", file=sys.stderr)
              {"a": [1, None], "é": "x"}
          - check: steps.one.stdout == "to out\\n" and steps.one.stderr == "to err\\n"
          - check: steps.one.output == "to out\\nto err\\n"
          - check: steps.one.text == "{'a':" ~ " [1, None], 'é':" ~ " 'x'}"
          - check: steps.one.json.a[0] == 1 and steps.one.json.a[1] is none
          - check: steps.one.results | length == 0 and steps.one.error is none
          - {id: none, run_code: x = 1}
          - check: steps.none.text == "" and steps.none.json is defined == false
          - {id: odd, run_code: "object"}
          - check: steps.odd.json is defined == false
        """,
    )
    assert told.code == 0, told.out + told.err


def test_the_last_value_is_shown_as_in_a_notebook_and_is_no_output(
    cells: Cli,
) -> None:
    told = run(
        cells,
        """
        steps:
          - run_code: |
              print("printed")
              6 * 7
            expect: {stdout: {equals: "printed\\n"}, text: {equals: "42"}}
          - run_code: x = 1
        """,
    )
    assert told.code == 0, told.out
    shown = [line.strip() for line in told.out.splitlines() if "│" in line]
    assert shown == ["│ printed", "│ 42"]


def test_a_value_that_is_not_json_is_told_as_that(cells: Cli) -> None:
    book = "steps: [{run_code: 'print(7); object', expect: {json: {a: 1}}}]"
    told = run(cells, book)
    assert told.code == 1
    assert "the last value has no JSON form: \"<class 'object'>\"" in told.out


def test_save_takes_expressions_of_the_language(cells: Cli) -> None:
    told = run(
        cells,
        """
        steps:
          - id: one
            run_code: x = list(range(4))
            save: {total: sum(x), all: x}
            expect: {values: {total: 6, all: {equals: [0, 1, 2, 3]}}}
          - check: steps.one.values.total + 1 == 7
        """,
    )
    assert told.code == 0, told.out + told.err


def test_a_saved_value_that_does_not_fit_json_fails_by_name(cells: Cli) -> None:
    book = "steps: [{run_code: x = 1, save: {good: x, bad: object()}}]"
    told = run(cells, book)
    assert told.code == 1
    assert "`save` of 'bad' gave no value that fits JSON" in told.out


def test_an_exception_is_told_with_its_line_in_the_file(cells: Cli) -> None:
    book = """
        steps:
          - run_code: |
              x = 1

              df.head(x)
    """
    told = run(cells, book)
    assert told.code == 1
    cause = "NameError: name 'df' is not defined (line 3, book.yaml:6)"
    assert f"cause    {cause}" in told.out
    # The traceback is shown, and is no output of the code.
    assert 'File "<cell>", line 3' in told.out
    (step,) = steps(cells)
    assert step["results"]["stderr"] == ""
    error = step["results"]["error"]
    assert (error["name"], error["message"]) == (
        "NameError",
        "name 'df' is not defined",
    )
    assert "line 3" in error["traceback"]


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("- run_code: 1/0", "(line 1, book.yaml:3)"),
        ('- run_code: "1/0"', "(line 1, book.yaml:3)"),
        ("- run_code: |\n                1/0", "(line 1, book.yaml:4)"),
        ("- run_code: >\n                1/0", "(line 1)"),
        ("- id: x\n              run_code: 1/0", "(line 1, book.yaml:4)"),
    ],
    ids=["plain", "quoted", "block", "folded", "below another key"],
)
def test_lines_of_code_are_those_of_the_file(cells: Cli, code: str, place: str) -> None:
    told = run(cells, f"\n        steps:\n            {code}\n")
    assert f"ZeroDivisionError: division by zero {place}" in told.out


@pytest.mark.language("§5 error")
def test_an_expected_exception_is_no_failure(cells: Cli) -> None:
    told = run(
        cells,
        """
        steps:
          - {run_code: 1/0, expect: {error: "ZeroDivisionError: division"}}
          - {run_code: 1/0, expect: {error: any}}
          - {run_code: "1", expect: {error: any}}
          - {id: odd, run_code: "raise OSError('x' * 9)", expect: {error: any}}
          - check: steps.odd.error.message == "xxxxxxxxx"
        """,
    )
    assert told.code == 0, told.out + told.err


@pytest.mark.parametrize(
    ("code", "expected", "words"),
    [
        ("1/0", "ValueError", "error should contain 'ValueError'"),
        ("1", "ValueError", "an exception was expected and none came"),
    ],
)
def test_another_exception_than_expected_is_a_failure(
    cells: Cli, code: str, expected: str, words: str
) -> None:
    book = f"steps: [{{run_code: {code}, expect: {{error: {expected}}}}}]"
    told = run(cells, book)
    assert told.code == 1
    assert words in told.out


@pytest.mark.language("§6 run_code")
def test_at_the_timeout_the_code_is_interrupted_and_the_variables_stay(
    cells: Cli,
) -> None:
    told = run(
        cells,
        """
        steps:
          - run_code: x = 42
          - run_code: import time; time.sleep(600)
            timeout: 1s
            allow_failure: true
          - {run_code: x, expect: {text: {equals: "42"}}}
        """,
    )
    assert told.code == 0, told.out + told.err
    assert "after 1 s: the code was interrupted, the variables are kept" in told.out
    assert steps(cells)[1]["status"] == "timed_out"


def test_code_that_ignores_an_interrupt_loses_its_variables_and_says_so(
    cells: Cli,
) -> None:
    told = run(
        cells,
        """
        steps:
          - run_code: |
              x = 42
              import signal, time
              signal.signal(signal.SIGINT, signal.SIG_IGN)
          - run_code: "while True: time.sleep(1)"
            timeout: 1s
            allow_failure: true
          - {run_code: x, expect: {error: NameError}}
        """,
    )
    assert told.code == 0, told.out + told.err
    lost = "could not be interrupted: the variables of the context 'main' are lost"
    assert lost in told.out


def test_an_interpreter_that_dies_is_told_and_the_next_cell_has_a_new_one(
    cells: Cli,
) -> None:
    told = run(
        cells,
        """
        steps:
          - {run_code: import os; os._exit(3), allow_failure: true}
          - {run_code: 1 + 1, expect: {text: {equals: "2"}}}
        """,
    )
    assert told.code == 0, told.out + told.err
    assert "the interpreter is gone: it ended by itself" in told.out
    assert "the variables of the context 'main' are lost" in told.out


@pytest.mark.language("§6 run_code context")
def test_a_context_has_variables_of_its_own(cells: Cli) -> None:
    told = run(
        cells,
        """
        steps:
          - {run_code: x = 1}
          - {run_code: x, context: other, expect: {error: NameError}}
          - {run_code: x, expect: {text: {equals: "1"}}}
        """,
    )
    assert told.code == 0, told.out + told.err


def test_cells_of_one_context_wait_for_each_other(cells: Cli) -> None:
    told = run(
        cells,
        """
        steps:
          - run_code: import time; seen = []
          - parallel:
              - run_code: |
                  seen.append("a"); time.sleep(0.3); seen.append("a")
              - run_code: |
                  seen.append("b"); time.sleep(0.3); seen.append("b")
              - run_code: |
                  seen.append("c"); time.sleep(0.3); seen.append("c")
          - run_code: sorted(seen) == list("aabbcc") and seen[::2] == seen[1::2]
            expect: {text: {equals: "True"}}
        """,
    )
    assert told.code == 0, told.out + told.err


def test_two_contexts_run_at_once(cells: Cli) -> None:
    wait = "while not os.path.exists({!r}): time.sleep(0.02)"
    told = run(
        cells,
        f"""
        timeout: 40s
        steps:
          - parallel:
              - run_code: |
                  import os, time
                  open("one", "w").close()
                  {wait.format("two")}
              - context: other
                run_code: |
                  import os, time
                  open("two", "w").close()
                  {wait.format("one")}
        """,
    )
    assert told.code == 0, told.out + told.err


def test_a_step_that_waits_too_long_for_its_context_has_timed_out(cells: Cli) -> None:
    told = run(
        cells,
        """
        steps:
          - parallel:
              - {run_code: import time; time.sleep(3)}
              - {run_code: x = 1, timeout: 500ms, allow_failure: true}
        """,
    )
    assert told.code == 0, told.out + told.err
    assert "the interpreter was not ready and free in 0.5 s" in told.out


@pytest.mark.language("§6 run_code")
def test_rich_results_become_files_under_the_name_of_the_step(cells: Cli) -> None:
    book = """
        steps:
          - id: plot
            run_code: |
              display({"image/png": b"\\x89PNG", "text/plain": "<Figure>"})
              display({"text/html": "<b>t</b>", "text/plain": "t"})
              display({"application/vnd.acme+json": "{}"})
              display({"text/plain": "nothing more"})
              display({"application/x-odd": b"?"})
              7
          - for_each: [a, b]
            run_code: 'display({"image/svg+xml": item})'
            with: {item: "${{ item }}"}
          - check: steps.plot.results[1].type == 'text/html'
          - copy: ${{ steps.plot.results[0].path }}
            to: back.png
            expect: {file: {path: back.png, size: 4}}
    """
    told = run(cells, book)
    assert told.code == 0, told.out + told.err
    folder = cells.newest() / "artifacts"
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == {
        "plot/1.png",
        "plot/2.html",
        "plot/3.json",
        "plot/4.bin",
        "steps-1.each-0/1.svg",
        "steps-1.each-1/1.svg",
    }
    assert (folder / "plot/1.png").read_bytes() == b"\x89PNG"
    first = steps(cells)[0]
    assert first["artifacts"][0] == "plot/1.png"
    kinds = [result["type"] for result in first["results"]["results"]]
    assert kinds[2:] == ["application/vnd.acme+json", "application/x-odd"]
    assert Path(first["results"]["results"][0]["path"]) == folder / "plot/1.png"


def test_a_further_try_replaces_the_results_of_the_one_before(cells: Cli) -> None:
    book = """
        steps:
          - id: plot
            run_code: |
              n = globals().get("n", 0) + 1
              display({"text/html": str(n)}); assert n == 3
            retry: {times: 2, wait: 0s}
    """
    told = run(cells, book)
    assert told.code == 0, told.out + told.err
    folder = cells.newest() / "artifacts" / "plot"
    assert [path.name for path in folder.iterdir()] == ["1.html"]
    assert (folder / "1.html").read_text() == "3"


def test_a_flood_of_results_is_bounded_and_said(cells: Cli) -> None:
    book = """
        steps:
          - {id: many, run_code: "for n in range(1200): display({'text/html': 'x'})"}
          - check: steps.many.results | length == 1000
    """
    told = run(cells, book)
    assert told.code == 0, told.out + told.err
    assert told.out.count("it showed too much") == 1


def test_a_secret_of_a_cell_is_masked_in_everything(cells: Cli) -> None:
    token = "tok-5f3c9a1e77"  # noqa: S105 (of nobody)
    book = """
        secrets: [TOKEN]
        steps:
          - run_code: |
              print(token)
              display({"text/html": f"<b>{token}</b>"})
              token
            with: {token: "${{ secrets.TOKEN }}"}
            save: {kept: token}
          - {run_code: raise OSError(token), allow_failure: true}
    """
    told = run(cells, book, "--report", "junit=r.xml", TOKEN=token)
    assert told.code == 0, told.out + told.err
    assert "***" in told.out
    files = [*cells.newest().rglob("*"), cells.folder / "r.xml"]
    texts = [told.out.encode(), told.err.encode()]
    texts += [path.read_bytes() for path in files if path.is_file()]
    assert not [text for text in texts if token.encode() in text]


def test_env_and_cwd_are_those_of_the_first_cell(cells: Cli) -> None:
    told = run(
        cells,
        """
        env: {ALL: file}
        steps:
          - command: mkdir sub
          - run_code: |
              import os
              os.environ["ALL"], os.environ["MINE"], os.path.basename(os.getcwd())
            env: {MINE: step}
            cwd: sub
            expect: {text: {equals: "('file', 'step', 'sub')"}}
          - run_code: os.environ["MINE"]
            expect: {text: "'step'"}
          - {run_code: "1", env: {MINE: step}, cwd: sub}
          - run_code: import os; os.environ["MINE"]
            context: other
            env: {MINE: two}
            expect: {text: "'two'"}
        """,
    )
    assert told.code == 0, told.out + told.err


@pytest.mark.parametrize(
    ("key", "words"),
    [("env: {MINE: other}", "`env` of 'MINE'"), ("cwd: sub", "`cwd` 'sub'")],
)
def test_a_later_cell_that_asks_for_another_env_or_cwd_is_refused(
    cells: Cli, key: str, words: str
) -> None:
    book = f"""
        steps:
          - command: mkdir sub
          - run_code: x = 1
          - run_code: x
            {key}
    """
    told = run(cells, book)
    assert told.code == 1
    assert f"{words} is not that of the first step" in told.out
    assert "give this step a `context` of its own" in told.out


def test_the_interpreter_is_started_beside_earlier_steps(cells: Cli) -> None:
    book = """
        steps:
          - command: until grep -q python-main interpreters.log; do sleep 0.02; done
            timeout: 40s
          - {run_code: 1 + 1, expect: {text: {equals: "2"}}}
          - command: cat interpreters.log
            expect: {stdout: {equals: "python-main\\n"}}
    """
    told = run(cells, book)
    assert told.code == 0, told.out + told.err


def test_an_interpreter_that_no_step_uses_is_not_started(cells: Cli) -> None:
    told = run(cells, "steps: [{command: sleep 1; test ! -e interpreters.log}]")
    assert told.code == 0, told.out + told.err


def test_a_context_with_an_env_of_its_own_is_started_by_its_step(cells: Cli) -> None:
    book = """
        steps:
          - {id: made, command: sleep 1; test ! -e interpreters.log; echo five}
          - run_code: import os; os.environ["FROM"]
            env: {FROM: "${{ steps.made.text }}"}
            expect: {text: "'five'"}
    """
    told = run(cells, book)
    assert told.code == 0, told.out + told.err


def test_an_interpreter_that_cannot_start_is_told_by_the_step_that_needs_it(
    cells: Cli,
) -> None:
    book = """
        env: {BREAK: main}
        steps:
          - command: sleep 0.5
          - {run_code: "1", context: other}
          - run_code: "1"
    """
    told = run(cells, book)
    assert told.code == 1
    first, second, third = steps(cells)
    assert (first["status"], second["status"]) == ("passed", "passed")
    assert "no interpreter today" in third["cause"]


def test_variables_of_setup_are_not_kept(cells: Cli) -> None:
    told = run(
        cells,
        """
        setup:
          - {run_code: x = 1}
          - {run_code: x, expect: {text: "1"}}
        steps:
          - {run_code: x, expect: {error: NameError}}
        """,
    )
    assert told.code == 0, told.out + told.err


def test_output_is_shown_while_the_code_runs(cells: Cli) -> None:
    book = """
        steps:
          - run_code: |
              import os, time
              print("now")
              while not os.path.exists("go"): time.sleep(0.02)
    """
    process = cells.start("run", cells.book(book), "--provider", "bare")
    assert process.stdout
    seen = b""
    while b"now" not in seen:
        line = process.stdout.readline()
        assert line
        seen += line
    (home,) = (cells.state / "bare").glob("*/home")
    assert process.poll() is None
    (home / "go").touch()
    process.communicate(timeout=40)
    assert process.returncode == 0


def test_what_a_resumed_run_would_join_is_recorded(cells: Cli) -> None:
    assert run(cells, "steps: [{run_code: x = 1}]").code == 0
    assert steps(cells)[0]["attached"] == ["code", "python-main"]


@pytest.mark.language("§6 run_code language")
def test_a_language_that_nobody_runs_is_refused_with_those_there_are(
    cells: Cli,
) -> None:
    told = run(cells, "steps: [{run_code: x, language: pyhton}]")
    assert told.code == 2
    assert "no provider that is set up here runs code in 'pyhton'" in told.err
    assert "did you mean 'python'?" in told.err
    assert "bare runs python" in told.err
    assert not list((cells.state / "runs").glob("*"))
