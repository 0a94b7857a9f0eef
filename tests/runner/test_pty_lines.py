"""Lines of a script that do more than wait and type."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sandbook.runner import RunRequest
from tests.runner.conftest import Ran, Runs

INSTALLER = """
                echo "Welcome"
                for part in 1 2; do
                  if [ -e "old$part" ]; then
                    read -p "Overwrite old$part? " answer
                    echo "$part: $answer" >>answers
                  fi
                done
                echo "Components"
"""


@pytest.mark.language("§6 pty choose")
@pytest.mark.parametrize("old", ["", "old1", "old1 old2"])
def test_it_goes_on_with_what_appears(run: Runs, old: str) -> None:
    ran = run(f"""
        steps:
          - command: touch answers {old}
          - pty: |{INSTALLER}
            script:
              - choose:
                  - see: Overwrite
                    then:
                      - enter: keep
                    again: true
                  - see_regex: ^Compo
              - expect_exit: 0
          - command: cat answers
            id: said
    """)
    assert ran.code == 0, ran.report
    said = [f"{name[-1]}: keep" for name in old.split()]
    assert str(ran.results("steps[2]")["stdout"]).splitlines() == said


def test_a_choice_that_never_comes_names_all_of_them(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: echo Completed; sleep 60
            script:
              - choose:
                  - see: Overwrite?
                  - see: Components
                within: 500ms
    """)
    cause = ran.report.cause or ""
    assert "'Overwrite?' or 'Components'" in cause


def test_a_line_below_a_choice_is_told_where_it_stands(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: echo one; sleep 60
            script:
              - choose:
                  - see: one
                    then:
                      - see: two
                        within: 500ms
    """)
    assert "book.yaml:8)" in (ran.report.cause or "")


def test_a_choice_that_is_waited_for_again_must_appear_again(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: echo again; sleep 1; echo again; sleep 60
            timeout: 30s
            script:
              - choose:
                  - see: again
                    again: true
                within: 3s
    """)
    assert "waited 3 s in vain" in (ran.report.cause or ""), "not the old text again"


@pytest.mark.language("§6 pty press")
def test_keys_are_pressed(run: Runs) -> None:
    ran = run(r"""
        steps:
          - pty: bash --norc
            script:
              - enter: echo one$((1)); echo two$((2))
              - see: two2
              - press: [Up, Home, "#", Enter]
              - see_regex: '\$ $'
              # What says so runs: before, Ctrl+C would not end it.
              - enter: sh -c 'echo rea$((0))dy; exec cat'
              - see: rea0dy
              - press: Ctrl+C
              - see_regex: '\$ $'
              - enter: echo code $?
              - see: code 130
              - see_regex: '\$ $'
              - type: abcdef
              - press: [Left x3, Backspace x2, Ctrl+A, e, c, h, o, Space, Enter]
              - see: adef
    """)
    assert ran.code == 0, ran.report


def test_arrows_are_sent_in_the_form_that_the_program_asked_for(run: Runs) -> None:
    ran = run(r"""
        steps:
          - pty: |
              stty raw -echo
              read_key() { dd bs=3 count=1 2>/dev/null | od -An -c | tr -d ' \n'; }
              printf 'plain\r\n'; read_key; printf '\r\n\033[?1happlication\r\n'
              read_key; printf '\r\nend\r\n'
            script:
              - see: plain
              - press: Up
              - see: application
              - see: 033[A
              - press: Up
              - see: 033OA
              - see: end
    """)
    assert ran.code == 0, ran.report


def test_a_paste_is_told_from_typing_where_the_program_asks_for_that(run: Runs) -> None:
    ran = run(r"""
        steps:
          - pty: |
              stty raw -echo
              printf 'now\r\n'; dd bs=5 count=1 2>/dev/null | od -An -c
              printf '\033[?2004hbracketed\r\n'
              dd bs=17 count=1 iflag=fullblock 2>/dev/null | od -An -c | tr -d ' \r\n'
            script:
              - see: now
              - paste: a b c
              - see: bracketed
              - paste: a b c
              - see: 033[200~abc033[201~
    """)
    assert ran.code == 0, ran.report


def test_a_question_of_the_program_is_answered(run: Runs) -> None:
    ran = run(r"""
        steps:
          - pty: |
              stty -echo -icanon; printf 'ab\033[6n'
              IFS= read -rd R answer; echo; printf '%s' "$answer" | od -An -c
            script:
              - see_regex: '033 +\[ +1 +; +3'
    """)
    assert ran.code == 0, ran.report


def test_a_program_that_asks_without_end_and_never_reads_is_read_on(run: Runs) -> None:
    ran = run(r"""
        steps:
          - pty: |
              stty raw -echo
              for i in $(seq 20000); do printf '\033[6n'; done; printf 'end\r\n'
              sleep 60
            script:
              - see: end
    """)
    assert ran.code == 0, ran.report


SCREEN = """
        steps:
          - pty: |
              echo "Menu"; echo "  one"; echo "{free} MB free"; sleep 60
            script:
              - see: free
              - snapshot: menu
                ignore: ['[0-9]+ MB']
"""


def updated(request: RunRequest) -> RunRequest:
    """As with `--update-snapshots`."""
    return dataclasses.replace(request, update_snapshots=True)


def stored(run: Runs) -> Path:
    """Where the screen of `SCREEN` is stored."""
    return run.folder / "book.yaml.screens" / "menu.txt"


@pytest.mark.language("§6 pty snapshot")
def test_a_screen_must_equal_the_stored_one(run: Runs) -> None:
    missing = run(SCREEN.format(free=12))
    assert missing.code == 1
    assert "--update-snapshots" in (missing.report.cause or "")
    assert not stored(run).exists()
    assert run(SCREEN.format(free=12), request=updated).code == 0
    assert stored(run).read_text() == "Menu\n  one\n… free\n"
    assert run(SCREEN.format(free=12)).code == 0
    assert run(SCREEN.format(free=345)).code == 0, "what is ignored may differ"
    other = run(SCREEN.format(free=12).replace("  one", "  two"))
    cause = other.report.cause or ""
    assert "-  one\n+  two" in cause
    assert "menu.txt" in cause


def test_a_stored_screen_has_no_secret_in_it(run: Runs) -> None:
    ran = run(
        """
        secrets: [TOKEN]
        steps:
          - pty: echo "you said $T"; sleep 60
            env: {T: "${{ secrets.TOKEN }}"}
            script:
              - see: you said
              - snapshot: menu
        """,
        secrets={"TOKEN": "swordfish"},
        request=updated,
    )
    assert ran.code == 0, ran.report
    assert stored(run).read_text() == "you said ***\n"


LEFT = """
    echo begin; read x; for i in $(seq 5); do echo "$x $i"; sleep 0.2; done
    read y; echo "got $y"; exit 7
"""


@pytest.mark.language("§6 pty disconnect, reconnect")
def test_a_terminal_is_left_and_joined_again_with_what_it_wrote(run: Runs) -> None:
    ran = run(f"""
        steps:
          - pty: |{LEFT.replace(chr(10), chr(10) + " " * 10)}
            script:
              - see: begin
              - enter: go
              - disconnect: true
              - wait_idle: 1500ms
              - reconnect: true
              - see: go 1
              - see: go 5
              - enter: more
              - see: got more
              - expect_exit: 7
            expect: {{output: begin}}
    """)
    assert ran.code == 0, ran.report


def test_a_later_step_joins_a_terminal_by_its_process(run: Runs) -> None:
    ran = run(f"""
        steps:
          - id: start
            pty: |{LEFT.replace(chr(10), chr(10) + " " * 10)}
            script:
              - see: begin
              - enter: go
              - disconnect: true
          - command: ps -p ${{{{ steps.start.pid }}}} || test -d /proc/${{{{ steps.start.pid }}}}
          - pty: {{pid: "${{{{ steps.start.pid }}}}"}}
            script:
              - see: go 5
              - enter: more
              - see: got more
              - expect_exit: 7
    """)  # noqa: E501 - the command
    assert ran.code == 0, ran.report
    assert ran.results("steps[0]")["exit"] is None


def test_another_run_joins_a_terminal_by_its_process(run: Runs) -> None:
    first = run(f"""
        steps:
          - create: {{reuse: {{app: left}}, timeout: 5m}}
          - pty: |{LEFT.replace(chr(10), chr(10) + " " * 10)}
            script:
              - see: begin
              - enter: go
              - disconnect: true
    """)
    assert first.code == 0, first.report
    pid = first.results("steps[1]")["pid"]
    second = run(f"""
        steps:
          - create: {{reuse: {{app: left}}, if_missing: fail}}
          - pty: {{pid: {pid}}}
            script:
              - see: begin
              - see: go 5
              - enter: more
              - see: got more
              - expect_exit: 7
          - pty: {{pid: {pid}}}
            script:
              - see: got more
              - expect_exit: 7
          - teardown:
    """)
    assert second.code == 0, second.report


def test_a_process_without_a_terminal_cannot_be_joined(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: {pid: 4711}
            script: [{see: x}]
    """)
    assert ran.code == 1
    assert "no terminal of the process 4711" in (ran.report.cause or "")


def test_what_was_left_below_a_choice_is_found_out_when_it_runs(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: echo a; sleep 60
            script:
              - choose:
                  - {see: a, then: [{disconnect: true}]}
                  - {see: b}
              - see: a
    """)
    assert "was left" in (ran.report.cause or "")


def failed_of(run: Runs, line: str, program: str = "echo hi; sleep 60") -> Ran:
    """A run with one line that cannot be done."""
    return run(f"""
        inputs: {{bad: {{default: nonsense}}}}
        steps:
          - pty: {program}
            script:
              - see: hi
              - {line}
    """)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("press: ${{ inputs.bad }}", "no key 'nonsense'"),
        ("resize: ${{ inputs.bad }}", "terminal size"),
        ("see: ${{ inputs.bad | replace('nonsense', '') }}", "see is empty"),
        ("see_regex: ${{ inputs.bad ~ '(' }}", "no regular expression"),
    ],
)
def test_what_an_expression_gives_is_checked_when_it_runs(
    run: Runs, line: str, told: str
) -> None:
    ran = failed_of(run, line)
    assert ran.code == 1
    assert told in (ran.report.cause or "")


def test_nothing_can_be_typed_to_a_program_that_has_ended(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: echo hi
            script:
              - see: hi
              - wait_idle: 500ms
              - enter: more
    """)
    assert ran.code == 1
    assert "has ended, so nothing can be typed" in (ran.report.cause or "")


def test_a_failure_shows_all_that_helps(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: |
              read -p "Licence key: " key; echo Invalid key.; cat
            size: 40x10
            script:
              - see: Licence key
              - enter: "1234"
              - see: Invalid
              - press: [Down x2, F1]
              - see: Install directory
                within: 1s
    """)
    cause = (ran.report.cause or "").splitlines()
    assert cause[0].startswith("waited 1 s in vain to see 'Install directory'")
    assert cause[0].endswith("book.yaml:11)")
    assert cause[1].startswith("┌─ screen 40x10 ──")
    assert "│ Licence key: 1234                        │" in cause
    assert "│ Invalid key.                             │" in cause
    assert "sent so far: 1234<Enter>, <Down x2>, <F1>" in cause
    assert any(line.startswith("the program is still running") for line in cause)
    assert any(
        line.endswith("at the marker 'see: Install directory'") for line in cause
    )


def test_the_closest_line_is_told(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: echo hi; echo Install directory; sleep 60
            script:
              - see: Instal directory
                within: 1s
    """)
    assert "the closest line is 'Install directory'" in (ran.report.cause or "")
