"""Terminals from the command line, and with providers that can do less."""

from __future__ import annotations

import pytest

from tests.cli.calls import Cli, bare_plugin

TERMINALS = """
    from tests.cli.terminal import TerminalProvider


    class Provider(Base):
        open = TerminalProvider.open
"""


def test_a_script_is_told_in_plain_english(cli: Cli) -> None:
    book = cli.book("""
        secrets: [KEY]
        steps:
          - pty: [sh, install.sh]
            size: 100x30
            script:
              - see: Do you accept?
                within: 1m
              - enter: "yes"
              - secret: ${{ secrets.KEY }}
              - choose:
                  - see: Overwrite?
                    then: [{enter: "no"}]
                    again: true
                  - see_regex: ^Comp
              - press: [Down x2, Enter]
              - enter: ""
              - not_see: Error
              - wait_idle: 1s
              - resize: 132x50
              - snapshot: done
              - disconnect: true
              - reconnect: true
              - expect_exit: 3
          - pty: {pid: 7}
            script: [{expect_exit: any}]
    """)
    called = cli("explain", book)
    assert (called.code, called.err) == (0, "")
    told = called.out.partition("stops it:\n")[2].partition("\n\n")[0]
    assert (
        told
        == """\
  1. Start `sh install.sh` in a terminal of 100x30 and talk to it.
     - wait for the text `Do you accept?`, for at most 1m
     - type `yes` and press Enter
     - type a secret once the terminal hides what is typed
     - wait for one of these:
       - the text `Overwrite?`, then wait again
         - type `no` and press Enter
       - something like `^Comp`
     - press Down x2, Enter
     - press Enter
     - make sure that `Error` is not there
     - wait until nothing is shown for 1s
     - make the terminal 132x50
     - compare the screen with `done`
     - leave it running
     - come back to it
     - wait for its end, with the code 3
  2. Come back to the terminal of the process 7.
     - wait for its end"""
    )


def test_screens_are_stored_where_that_is_asked_for(cli: Cli) -> None:
    book = cli.book("""
        steps:
          - pty: echo menu
            script:
              - see: menu
              - snapshot: menu
    """)
    called = cli("run", book)
    assert called.code == 1
    assert "--update-snapshots" in called.out
    assert cli("run", book, "--update-snapshots").code == 0
    assert cli("run", book).code == 0


def test_a_provider_without_terminals_is_refused_before_anything_runs(cli: Cli) -> None:
    bare_plugin(cli)
    book = cli.book("steps: [{pty: echo x, script: [{see: x}]}]")
    called = cli("run", book, "--provider", "bare")
    assert called.code == 3
    assert "pty" in called.out + called.err


@pytest.mark.parametrize(
    ("program", "code"),
    [("read -s x; echo got ${#x}", 0), ("read x; echo got ${#x}", 1)],
)
def test_the_sandbox_is_asked_where_a_provider_cannot_tell_what_is_hidden(
    cli: Cli, program: str, code: int
) -> None:
    bare_plugin(cli, TERMINALS, extra=frozenset({"pty"}))
    book = cli.book(f"""
        secrets: [KEY]
        steps:
          - pty: {program}
            script:
              - secret: ${{{{ secrets.KEY }}}}
                within: 3s
              - see: got 9
              - expect_exit: 0
    """)
    env = {"KEY": "swordfish"}
    called = cli("run", book, "--provider", "bare", env=env)
    assert called.code == code, called.out + called.err
    assert "swordfish" not in called.out + called.err
    if code:
        assert "the secret was not typed" in called.out


def test_an_echo_is_known_where_a_provider_cannot_tell_who_shows_it(cli: Cli) -> None:
    bare_plugin(cli, TERMINALS, extra=frozenset({"pty"}))
    book = cli.book("""
        steps:
          - pty: read x; sleep 1; read y
            script:
              - enter: DONE
              - see: DONE
                within: 1s
    """)
    called = cli("run", book, "--provider", "bare")
    assert called.code == 1, called.out + called.err
