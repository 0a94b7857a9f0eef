"""`sandbook run`: what is told, what is kept, and the exit codes one by one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.calls import COMMAND, ROOT, Cli, bare_plugin, stable

HELLO = """
    name: Hello
    inputs: {who: {default: world}}
    steps:
      - id: hi
        name: Greet
        command: echo "Hello, ${{ inputs.who }}!"
        expect: {stdout: Hello}
"""

TOLD = """\
Hello  book.yaml
run RUN, 1 step

→ [1/1] Greet
✓ sandbox main is ready: local, process
  │ Hello, world!
✓ [1/1] Greet  Ns

✓ Hello passed after Ns: 1 step
  sandbox  main on local (process), ended
  quota    local: 1 session, Ns; 1 session this month
"""


def valid(report: dict[str, Any]) -> dict[str, Any]:
    """The report, after its schema was asked."""
    schema = json.loads((ROOT / "schemas" / "report.schema.json").read_text())
    jsonschema.validate(report, schema)
    return report


@pytest.mark.language("§8 code 0")
def test_a_run_is_told_line_by_line(cli: Cli) -> None:
    called = cli("run", cli.book(HELLO))
    assert (called.code, stable(called.out), called.err) == (0, TOLD, "")


def test_quiet_tells_the_verdict_only(cli: Cli) -> None:
    called = cli("run", cli.book(HELLO), "-q")
    assert called.code == 0
    verdict = TOLD.partition("✓ [1/1] Greet  Ns\n\n")[2]
    assert stable(called.out) == verdict


def test_quiet_tells_what_a_failed_step_printed(cli: Cli) -> None:
    book = cli.book("steps: [{command: 'echo that is why; exit 3'}]")
    called = cli("run", book, "-q")
    assert called.code == 1
    assert "│ that is why" in called.out
    assert "→" not in called.out


def test_verbose_tells_the_plan_and_where_the_run_is_kept(cli: Cli) -> None:
    called = cli("run", cli.book(HELLO), "-v")
    assert called.code == 0
    assert 'inputs     who = "world"' in called.err
    assert "main: local (process)" in called.err
    assert str(cli.newest()) in called.err
    assert stable(called.out) == TOLD


def test_the_report_is_kept_beside_the_journal(cli: Cli) -> None:
    assert cli("run", cli.book(HELLO)).code == 0
    file = cli.newest() / "report.json"
    report = valid(json.loads(file.read_text()))
    assert (report["status"], report["exit"]) == ("passed", 0)
    assert file.stat().st_mode & 0o777 == 0o600


def test_json_prints_the_report_and_tells_the_run_on_stderr(cli: Cli) -> None:
    called = cli("run", cli.book(HELLO), "--json")
    assert called.code == 0
    assert valid(called.json())["status"] == "passed"
    assert stable(called.err) == TOLD


def test_a_runbook_may_come_from_stdin(cli: Cli) -> None:
    book = b"runbook: 1\nname: Piped\nsteps: [{command: echo in}]\n"
    called = cli("run", "-", stdin=book)
    assert called.code == 0
    assert "│ in" in called.out
    assert "✓ Piped passed" in called.out


def test_inputs_are_given_by_name(cli: Cli) -> None:
    called = cli("run", cli.book(HELLO), "-i", "who=you = $(me)")
    assert called.code == 0
    assert "│ Hello, you = $(me)!" in called.out


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((), "input 'n': must be given"),
        (("-i", "n=many"), "input 'n': must be a whole number, not 'many'"),
        (("-i", "n=1", "-i", "m=1"), "there is no input 'm'"),
    ],
)
def test_wrong_inputs_are_told_before_anything_starts(
    cli: Cli, given: tuple[str, ...], words: str
) -> None:
    book = cli.book("inputs: {n: {type: integer}}\nsteps: [{command: 'true'}]")
    called = cli("run", book, *given)
    assert (called.code, called.out) == (2, "")
    assert called.err.startswith(f"error: {words}")
    assert not (cli.state / "runs").exists() or not any((cli.state / "runs").iterdir())


@pytest.mark.language("§7 file inputs")
def test_a_given_file_is_meant_from_where_the_person_stands(cli: Cli) -> None:
    book = cli.book("""
        inputs: {data: {type: file}}
        steps:
          - {copy: "${{ inputs.data }}", to: data.txt}
          - {command: cat data.txt, expect: {stdout: from elsewhere}}
    """)
    other = cli.home / "elsewhere"
    other.mkdir()
    (other / "some.txt").write_text("from elsewhere")
    path = str(cli.folder / book)
    assert cli("run", path, "-i", "data=some.txt", cwd=other).code == 0
    missing = cli("run", path, "-i", "data=none.txt", cwd=other)
    assert missing.code == 2
    assert "input 'data': there is no file 'none.txt'" in missing.err


ASKING = """
    secrets: [TOKEN]
    steps:
      - command: 'echo "it is $TOKEN"'
        env: {TOKEN: "${{ secrets.TOKEN }}"}
        expect: {stdout: {contains: is}}
"""


@pytest.mark.language("§1 secrets")
def test_a_missing_secret_is_told_with_both_ways_to_give_it(cli: Cli) -> None:
    called = cli("run", cli.book(ASKING))
    assert called.code == 2
    assert called.err == (
        "error: secret 'TOKEN' is not given\n"
        "  set the variable TOKEN, or give --secret-file TOKEN=PATH\n"
    )


@pytest.mark.language("§1 secrets")
def test_a_secret_too_short_to_be_masked_is_refused_unshown(cli: Cli) -> None:
    called = cli("run", cli.book(ASKING), env={"TOKEN": "xQ9"})
    assert called.code == 2
    assert "secret 'TOKEN' is shorter than 4 characters" in called.err
    assert "xQ9" not in called.err


def test_a_secret_is_masked_wherever_it_came_from(cli: Cli) -> None:
    book = cli.book(ASKING)
    (cli.folder / "token").write_text("hidden-in-file\n")
    (cli.folder / ".env").write_text("# ours\nexport TOKEN='hidden in env'\n")
    for call in (
        cli("run", book, env={"TOKEN": "hidden-variable"}),
        cli("run", book, "--secret-file", "TOKEN=token"),
        cli("run", book, "--env-file", ".env"),
    ):
        assert call.code == 0, call.err
        assert "│ it is ***\n" in call.out
    for file in cli.state.rglob("*"):
        assert not file.is_file() or b"hidden" not in file.read_bytes()


def test_a_secret_file_wins_over_the_variable(cli: Cli) -> None:
    book = cli.book("""
        secrets: [TOKEN]
        steps:
          - command: 'test "$TOKEN" = of-the-file'
            env: {TOKEN: "${{ secrets.TOKEN }}"}
    """)
    (cli.folder / "token").write_text("of-the-file\n")
    call = cli("run", book, "--secret-file", "TOKEN=token", env={"TOKEN": "variable"})
    assert call.code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=1\nnot a variable hush\n", ".env:2: this is not a variable"),
        ('A="open hush\n', ".env:1: this is not a variable"),
    ],
)
def test_a_wrong_line_of_an_env_file_is_named_and_not_shown(
    cli: Cli, text: str, words: str
) -> None:
    (cli.folder / ".env").write_text(text)
    called = cli("run", cli.book(HELLO), "--env-file", ".env")
    assert called.code == 2
    assert words in called.err
    assert "hush" not in called.err


@pytest.mark.parametrize("option", ["--env-file", "--secret-file"])
def test_files_that_cannot_be_read_are_named(cli: Cli, option: str) -> None:
    value = "TOKEN=none" if option == "--secret-file" else "none"
    called = cli("run", cli.book(ASKING), option, value)
    assert called.code == 2
    assert "'none' cannot be read: no such file or directory" in called.err


def test_a_secret_file_for_no_secret_is_refused(cli: Cli) -> None:
    called = cli("run", cli.book(ASKING), "--secret-file", "TOKEM=x")
    assert called.code == 2
    assert "there is no secret 'TOKEM'" in called.err
    assert "did you mean 'TOKEN'?" in called.err


def test_variables_of_the_env_file_do_not_reach_the_sandbox(cli: Cli) -> None:
    (cli.folder / ".env").write_text("ONLY_HERE=1\n")
    book = cli.book("steps: [{command: 'test -z \"$ONLY_HERE\"'}]")
    assert cli("run", book, "--env-file", ".env").code == 0


def test_warnings_are_shown_and_stop_nothing(cli: Cli) -> None:
    called = cli("run", cli.book("steps:\n  - command: echo a # b\n"))
    assert called.code == 0
    assert called.err.startswith("book.yaml:3:")
    assert ": warning: " in called.err


@pytest.mark.language("§7 artifacts folder")
def test_artifacts_go_where_they_are_wanted(cli: Cli) -> None:
    book = cli.book("steps: [{command: echo x > out.txt}]\nartifacts: [out.txt]")
    assert cli("run", book, "--artifacts", "kept").code == 0
    assert (cli.folder / "kept" / "out.txt").read_text() == "x\n"


def test_a_provider_without_its_key_is_told_where_somebody_named_it(cli: Cli) -> None:
    called = cli("run", cli.book(HELLO), "--provider", "e2b,local")
    assert called.code == 0
    assert "- e2b is not used: E2B_API_KEY is not set\n" in called.out


def test_an_unknown_provider_is_told_before_anything_starts(cli: Cli) -> None:
    called = cli("run", cli.book(HELLO), "--provider", "locl")
    assert (called.code, called.out) == (2, "")
    assert called.err == (
        "error: there is no provider 'locl'\n"
        "  did you mean 'local'? providers here: e2b, local\n"
    )


def test_a_provider_without_isolation_needs_the_literal_flag(cli: Cli) -> None:
    bare_plugin(cli, isolation="none")
    call = ("run", cli.book(HELLO), "--provider", "bare", "--allow-host-network")
    refused = cli(*call)
    assert refused.code == 3
    assert "it isolates nothing (only with --allow-unisolated)" in refused.out
    assert cli(*call, "--allow-unisolated").code == 0


# Exit codes one by one; 0 and 130 are elsewhere.


@pytest.mark.language("§8 code 1")
def test_exit_1_a_step_failed(cli: Cli) -> None:
    called = cli("run", cli.book("steps: [{command: exit 3}]"))
    assert called.code == 1
    assert "✗" in called.out
    assert "exit code 3" in called.out


@pytest.mark.language("§8 code 2")
def test_exit_2_the_file_is_wrong(cli: Cli) -> None:
    called = cli("run", cli.book("steps: [{comand: x}]"))
    assert (called.code, called.out) == (2, "")
    assert called.err.startswith("book.yaml:2:10: ")
    assert called.err.endswith("\n1 problem; nothing ran\n")


@pytest.mark.language("§8 code 3")
def test_exit_3_no_provider_could_be_used(cli: Cli) -> None:
    bare_plugin(cli, credentials=("BARE_KEY",))
    called = cli("run", cli.book(HELLO), "--provider", "bare")
    assert called.code == 3
    assert "BARE_KEY is not set" in called.out + called.err


@pytest.mark.language("§8 code 4")
def test_exit_4_the_runs_own_timeout_ended_it(cli: Cli) -> None:
    called = cli("run", cli.book("timeout: 1s\nsteps: [{command: sleep 60}]"))
    assert called.code == 4
    assert "ran out of time" in called.out


@pytest.mark.language("§8 code 5")
def test_exit_5_all_passed_but_a_teardown_failed(cli: Cli) -> None:
    bare_plugin(
        cli,
        """
        class Provider(Base):
            async def destroy(self, ref):
                if ref.provider:
                    raise errors.TeardownFailed(
                        "not today", provider="bare", operation="destroy", ref=ref
                    )
        """,
    )
    called = cli("run", cli.book(HELLO), "--provider", "bare")
    assert called.code == 5
    assert "not today" in called.out


@pytest.mark.language("§8 code 70")
def test_exit_70_a_fault_of_a_plugin(cli: Cli) -> None:
    bare_plugin(
        cli,
        """
        class Provider(Base):
            async def create(self, spec, *, key):
                raise ZeroDivisionError("odd")
        """,
    )
    called = cli("run", cli.book(HELLO), "--provider", "bare")
    assert called.code == 70
    assert "a fault in Sandbook" in called.out
    trace = cli.newest() / "fault.txt"
    assert f"the trace in {str(trace)!r}" in called.err
    assert "ZeroDivisionError: odd" in trace.read_text()


@pytest.mark.language("§8 several files")
def test_of_several_files_the_worst_code_counts_and_all_run(cli: Cli) -> None:
    red = cli.book("name: Red\nsteps: [{command: exit 1}]", "red.yaml")
    late = cli.book(
        "name: Late\ntimeout: 1s\nsteps: [{command: sleep 60}]", "late.yaml"
    )
    green = cli.book(HELLO, "green.yaml")
    called = cli("run", red, late, green, "--report", "json=all.json", "-q")
    assert called.code == 4
    assert "✗ Red failed" in called.out
    assert "✗ Late ran out of time" in called.out
    assert "✓ Hello passed" in called.out
    both = json.loads((cli.folder / "all.json").read_text())
    codes = [valid(report)["exit"] for report in both["reports"]]
    assert codes == [1, 4, 0]


def test_of_several_files_none_runs_when_one_is_wrong(cli: Cli) -> None:
    wrong = cli.book("steps: []", "wrong.yaml")
    called = cli("run", cli.book(HELLO), wrong)
    assert (called.code, called.out) == (2, "")
    assert called.err.endswith("nothing ran\n")


def test_an_input_has_to_be_known_to_one_of_several_files(cli: Cli) -> None:
    other = cli.book("steps: [{command: 'true'}]", "other.yaml")
    assert cli("run", cli.book(HELLO), other, "-i", "who=x", "-q").code == 0
    called = cli("run", cli.book(HELLO), other, "-i", "whom=x", "-q")
    assert called.code == 2
    assert "there is no input 'whom'" in called.err


def test_a_run_whose_reader_has_gone_goes_on_to_its_end(cli: Cli) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        (*COMMAND, "run", cli.book(HELLO)),
        stdout=writer,
        stderr=subprocess.PIPE,
        env=cli.environ,
        cwd=cli.folder,
        check=False,
    )
    os.close(writer)
    assert b"Traceback" not in done.stderr
    report = json.loads((cli.newest() / "report.json").read_text())
    assert report["status"] == "passed"
    assert not cli.sandboxes()


def test_a_state_folder_that_cannot_be_used_is_told(cli: Cli) -> None:
    file = cli.folder / "file"
    file.write_text("")
    called = cli("run", cli.book(HELLO), env={"SANDBOOK_STATE": str(file / "state")})
    assert called.code == 2
    assert "cannot be used: not a directory" in called.err
    assert "set SANDBOOK_STATE to a folder of your own" in called.err


def test_a_damaged_ledger_stops_no_local_run(cli: Cli) -> None:
    cli.state.mkdir(mode=0o700)
    (cli.state / "ledger.db").write_bytes(b"this is no database" * 100)
    assert cli("run", cli.book(HELLO)).code == 0
    assert (cli.state / "ledger.db").read_bytes().startswith(b"this is no database")


def test_a_damaged_ledger_refuses_a_remote_provider(cli: Cli) -> None:
    bare_plugin(cli)
    cli.state.mkdir(mode=0o700)
    (cli.state / "ledger.db").write_bytes(b"this is no database" * 100)
    called = cli("run", cli.book(HELLO), "--provider", "bare")
    assert called.code == 3
    assert "is damaged" in called.out + called.err


def test_a_broken_plugin_ends_no_run(cli: Cli) -> None:
    cli.plugin("wreck", code="import nothing_of_that_name")
    cli.plugin("hooks", code="1 / 0", group="sandbook")
    assert cli("run", cli.book(HELLO)).code == 0


def test_colours_are_for_terminals_only(cli: Cli) -> None:
    called = cli("run", cli.book(HELLO), env={"TERM": "xterm"})
    assert "\x1b" not in called.out + called.err


def test_a_path_is_told_as_it_was_given(cli: Cli) -> None:
    (cli.folder / "sub").mkdir()
    cli.book("steps: [{command: 'true'}]", "sub/inner.yaml")
    called = cli("run", str(Path("sub") / "inner.yaml"))
    assert called.code == 0
    assert "sub/inner.yaml" in called.out
