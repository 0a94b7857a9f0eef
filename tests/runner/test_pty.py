"""`pty`: a script talks to a real program in a terminal of a real sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.runner.conftest import Runs

ASKS = """
    read -p "Name: " name
    echo "Hello $name"
    read -s -p "Password: " pw; echo
    if [ "$pw" = "$WANTED" ]; then echo Welcome; else echo Wrong; exit 4; fi
"""


def cast(path: Path) -> list[list[object]]:
    """The events of a recording."""
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def shown(path: Path) -> str:
    """All text of a recording."""
    return "".join(str(event[2]) for event in cast(path) if event[1] == "o")


@pytest.mark.language(
    "§6 pty",
    "§6 pty see, see_regex",
    "§6 pty enter, type, paste",
    "§6 pty secret",
    "§6 pty expect_exit",
)
def test_a_script_answers_what_a_program_asks(run: Runs) -> None:
    ran = run(
        f"""
        secrets: [PASSWORD]
        steps:
          - id: talk
            env: {{WANTED: "${{{{ secrets.PASSWORD }}}}"}}
            pty: |{ASKS.replace(chr(10), chr(10) + " " * 12)}
            script:
              - see: "Name: "
              - enter: Bob
              - see: Hello Bob
              - secret: ${{{{ secrets.PASSWORD }}}}
              - see_regex: ^Wel
              - expect_exit: 0
            save: {{who: 'Hello (\\w+)'}}
            expect: {{exit: 0, output: Hello Bob, text: Welcome, values: {{who: Bob}}}}
          - check: steps.talk.text != "" and steps.talk.pid > 0
        """,
        secrets={"PASSWORD": "swordfish"},
    )
    assert ran.code == 0, ran.report
    results = ran.results("steps[0]")
    assert results["exit"] == 0
    assert str(results["output"]).splitlines()[:2] == ["Name: Bob", "Hello Bob"]
    attached = [event for event in ran.events if event.name == "step.attached"]
    assert [event.fields["kind"] for event in attached] == ["pty"]
    recording = Path(str(results["recording"]))
    assert "Hello Bob" in shown(recording)
    markers = [event[2] for event in cast(recording) if event[1] == "m"]
    assert markers[:2] == ["see: Name: ", "enter: Bob"]
    assert "secret: (secret)" in markers
    assert cast(recording)[-1][1:] == ["x", "0"]
    for path in ran.folder.rglob("*"):
        assert path.is_dir() or b"swordfish" not in path.read_bytes(), path


def test_a_secret_that_the_program_shows_is_masked_wherever_it_stands(
    run: Runs,
) -> None:
    secret = "s3cret-" + "x" * 30
    ran = run(
        """
        secrets: [TOKEN]
        steps:
          - pty: read -s -p "Token: " t; echo; echo "you said ${t}"
            size: 20x10
            script:
              - secret: ${{ secrets.TOKEN }}
              - see: you said
              - see: never there
                within: 1s
        """,
        secrets={"TOKEN": secret},
    )
    assert ran.code == 1
    cause = ran.report.cause or ""
    assert "you said ***" in cause
    for part in (secret, secret[:13], secret[-13:]):
        assert part not in cause
    recording = ran.folder / "artifacts" / "recordings" / "steps-0.cast"
    assert "you said ***" in shown(recording)
    assert secret not in recording.read_text()


@pytest.mark.language("§6 pty secret")
def test_a_secret_is_not_typed_where_it_would_be_shown(run: Runs) -> None:
    for program in ("read x", "bash --norc"):
        ran = run(
            f"""
            secrets: [TOKEN]
            steps:
              - pty: {program}
                script:
                  - secret: ${{{{ secrets.TOKEN }}}}
                    within: 1s
            """,
            secrets={"TOKEN": "swordfish"},
        )
        assert ran.code == 1, program
        assert "the secret was not typed" in (ran.report.cause or "")
        assert "swordfish" not in str(ran.output)


def test_a_secret_waits_until_the_terminal_hides_it(run: Runs) -> None:
    ran = run(
        """
        secrets: [TOKEN]
        steps:
          - pty: echo wait; sleep 1; read -s t; [ "$t" = swordfish ] && echo yes
            script:
              - secret: ${{ secrets.TOKEN }}
              - see: "yes"
        """,
        secrets={"TOKEN": "swordfish"},
    )
    assert ran.code == 0, ran.report


def test_what_was_seen_before_the_last_typed_text_does_not_count(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: echo ready; read x; sleep 1; echo done
            script:
              - see: ready
              - enter: go
              - see: ready
                within: 500ms
    """)
    assert ran.code == 1
    assert "not drawn since the script last typed" in (ran.report.cause or "")


def test_an_echo_is_no_answer(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: cat >/dev/null
            script:
              - enter: DONE
              - see: DONE
                within: 1s
    """)
    assert ran.code == 1
    again = run("""
        steps:
          - pty: cat
            script:
              - enter: DONE
              - see: DONE
    """)
    assert again.code == 0, again.report


def test_what_is_typed_before_a_shell_is_ready_is_still_an_echo(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: sleep 0.5; exec bash --norc
            script:
              - enter: sleep 1; false && echo DONE
              - see: DONE
                within: 3s
    """)
    assert ran.code == 1, "the text that was typed is not what it prints"


def test_two_see_may_match_in_any_order(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: echo first; echo second; sleep 60
            script:
              - see: second
              - see: first
              - see_regex: '^first$'
    """)
    assert ran.code == 0, ran.report


def test_lines_that_scrolled_away_are_seen(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: echo begin; seq 1000; sleep 60
            script:
              - see: "1000"
              - see: begin
              - see_regex: ^17$
            expect: {output: begin, text: {not_contains: begin}}
    """)
    assert ran.code == 0, ran.report


def test_a_wrapped_line_is_one_line(run: Runs) -> None:
    word = "abcdefghij" * 12
    ran = run(f"""
        steps:
          - pty: echo {word}
            size: 50x5
            script:
              - see: {word}
    """)
    assert ran.code == 0, ran.report


def test_what_is_drawn_over_at_once_was_seen(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: |
              for i in $(seq 100); do printf '\\rstep %d%%' $i; done; echo; sleep 60
            script:
              - see: step 42%
              - see: step 17%
                on: stream
    """)
    assert ran.code == 0, ran.report


@pytest.mark.language("§6 pty not_see")
def test_what_must_not_be_seen_fails_when_it_comes(run: Runs) -> None:
    text = """
        steps:
          - pty: echo fine; sleep {pause}; echo error; sleep 60
            script:
              - see: fine
              - not_see: error
                within: {within}
    """
    assert run(text.format(pause=30, within="1s")).code == 0
    assert run(text.format(pause=0.5, within="30s")).code == 1


@pytest.mark.language("§2 terminal sizes", "§6 pty resize")
def test_a_terminal_has_the_size_asked_for_and_another_one_later(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: bash --norc
            size: 100x30
            script:
              - enter: stty size
              - see: 30 100
              - resize: 132x50
              - enter: stty size; tput cols; echo $TERM $LANG
              - see: 50 132
              - see: xterm-256color C.UTF-8
    """)
    assert ran.code == 0, ran.report


@pytest.mark.language("§6 pty wait_idle")
def test_it_waits_until_nothing_is_shown(run: Runs) -> None:
    text = """
        steps:
          - pty: for i in $(seq {count}); do echo $i; sleep 0.1; done; sleep 60
            script:
              - see: "1"
              - wait_idle: 1s
                within: {within}
            expect: {{text: last}}
    """
    late = run(text.format(count=20, within="30s").replace("text: last", 'text: "20"'))
    assert late.code == 0, late.report
    never = run(text.format(count=300, within="2s"))
    assert "never quiet for 1 s" in (never.report.cause or "")


def test_a_list_is_a_program_with_its_arguments(run: Runs) -> None:
    ran = run("""
        inputs: {name: {default: "a  b; $(id)"}}
        steps:
          - pty: [printf, '%s|%s', "${{ inputs.name }}", "*"]
            script:
              - see: a  b; $(id)|*
          - pty: printf '%s' ${{ inputs.name }}
            script:
              - see: a  b; $(id)
    """)
    assert ran.code == 0, ran.report


def test_a_program_that_ends_by_itself_must_end_with_0(run: Runs) -> None:
    text = """
        steps:
          - pty: echo bye; exit 3
            script:
              - see: bye
              {line}
            {expect}
    """
    plain = run(text.format(line="", expect=""))
    assert plain.code == 1
    assert "ended with code 3" in (plain.report.cause or "")
    assert run(text.format(line="- expect_exit: 3", expect="")).code == 0
    assert run(text.format(line="- expect_exit: any", expect="")).code == 0
    assert run(text.format(line="", expect="expect: {exit: 3}")).code == 0
    wrong = run(text.format(line="- expect_exit: 4", expect=""))
    assert "must end with code 4, and ended with 3" in (wrong.report.cause or "")


def test_a_program_that_still_runs_is_hung_up(run: Runs) -> None:
    ran = run("""
        steps:
          - id: left
            pty: |
              trap 'echo hung >trace; exit' HUP
              echo ready; while :; do sleep 0.1; done
            script: [{see: ready}]
          - command: |
              for i in $(seq 100); do test -e trace && break; sleep 0.1; done
              cat trace
              ! kill -0 ${{ steps.left.pid }} 2>/dev/null
            expect: {stdout: hung}
    """)
    assert ran.code == 0, ran.report


def test_a_program_must_end_in_time_where_that_is_expected(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: sleep 60
            script:
              - expect_exit: 0
                within: 500ms
    """)
    assert "the program did not end" in (ran.report.cause or "")


def test_a_step_that_is_out_of_time_tells_where_it_was(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: echo here; sleep 60
            timeout: 1s
            script:
              - see: here
              - see: there
    """)
    assert ran.step("steps[0]").status == "timed_out"
    cause = ran.report.cause or ""
    assert "not done after 1 s, at 'see: there'" in cause
    assert "│ here " in cause


def test_nothing_is_recorded_where_nobody_wants_it(run: Runs) -> None:
    ran = run("""
        steps:
          - id: a
            pty: echo hi
            record: false
            script: [{see: hi}]
          - check: not (steps.a.recording is defined)
    """)
    assert ran.code == 0, ran.report
    assert not list(ran.folder.rglob("*.cast"))


def test_another_try_has_a_recording_of_its_own(run: Runs) -> None:
    ran = run("""
        steps:
          - pty: test -e f || { touch f; echo first; exit 1; }; echo second
            retry: {times: 1, wait: 10ms}
            script: [{expect_exit: 0}]
    """)
    assert ran.code == 0, ran.report
    folder = ran.folder / "artifacts" / "recordings"
    assert "first" in shown(folder / "steps-0.cast")
    assert "second" in shown(folder / "steps-0.try-2.cast")
