"""`sandbook sandboxes` and `sandbook shell`."""

from __future__ import annotations

import os
import signal
import subprocess
import termios
from pathlib import Path

import anyio
import pytest

from sandbook.api import Settings
from sandbook_local.provider import LocalProvider
from tests.cli.calls import COMMAND, DEADLINE, Cli, bare_plugin, stable
from tests.cli.person import at_terminal

KEPT = "steps: [{command: echo kept > file}]"
TERMINALS = """
    from tests.cli.terminal import TerminalProvider


    class Provider(TerminalProvider):
        def __init__(self, settings):
            values = {**settings.values, "pretend": True}
            super().__init__(replace(settings, values=values))
"""


def _keep(cli: Cli, *argv: str) -> str:
    """Run with --keep; the id of the sandbox."""
    before = {str(row["id"]) for row in cli.sandboxes()}
    assert cli("run", cli.book(KEPT), "--keep", "-q", *argv).code == 0
    (made,) = {str(row["id"]) for row in cli.sandboxes()} - before
    return made


def test_without_sandboxes_none_is_listed(cli: Cli) -> None:
    called = cli("sandboxes")
    assert (called.code, called.out, called.err) == (0, "no sandbox lives\n", "")
    assert cli("sandboxes", "ls", "--json").rows("sandboxes") == []
    assert cli("sandboxes", "kill", "--all", "--yes").out == "no sandbox lives\n"


def test_sandboxes_are_listed_newest_first(cli: Cli) -> None:
    first, second = _keep(cli), _keep(cli)
    heading, *rows = cli("sandboxes").out.splitlines()
    assert heading.split() == [
        "id",
        "provider",
        "state",
        "run",
        "name",
        "created",
        "ends",
    ]
    assert [row.split()[0] for row in rows] == [second, first]
    assert stable(rows[0]).split()[1:] == [
        "local",
        "running",
        "RUN",
        "main",
        "WHEN",
        "WHEN",
    ]


def test_a_paused_sandbox_is_listed_as_that_and_ended_as_it_is(cli: Cli) -> None:
    made = _keep(cli)
    state = Path(cli.environ["SANDBOOK_STATE"])
    provider = LocalProvider(Settings(state=state, cache=state))

    async def pause() -> None:
        [info] = [info async for info in provider.list({})]
        box = await provider.attach(info.ref)
        await box.pause()
        await box.aclose()

    anyio.run(pause)
    assert cli("sandboxes").out.splitlines()[1].split()[:3] == [made, "local", "paused"]
    called = cli("sandboxes", "kill", made)
    assert (called.code, called.out) == (0, f"sandbox {made}: destroyed\n")
    assert cli.sandboxes() == []


def test_a_plugin_that_is_broken_is_told_beside_what_lives(cli: Cli) -> None:
    cli.plugin("wreck", code="import nothing_of_that_name")
    called = cli("sandboxes")
    assert (called.code, called.out) == (0, "no sandbox lives\n")
    assert called.err.startswith("warning: wreck could not be asked: plugin 'wreck' is")
    assert "nothing_of_that_name" in called.err


def test_a_provider_that_never_answers_and_never_closes_ends_no_command(
    cli: Cli,
) -> None:
    bare_plugin(
        cli,
        """
        import anyio


        class Provider(Base):
            async def list(self, labels):
                await anyio.sleep_forever()
                yield

            async def aclose(self):
                await anyio.sleep_forever()
        """,
    )
    called = cli("sandboxes", "ls", "--within", "200ms")
    assert called.code == 0
    silent = "warning: bare could not be asked: bare did not answer within 0.2 s\n"
    assert called.err == silent


def test_a_sandbox_is_ended_by_the_beginning_of_its_id(cli: Cli) -> None:
    first, second = _keep(cli), _keep(cli)
    called = cli("sandboxes", "kill", second[:-3])
    assert (called.code, called.out) == (0, f"sandbox {second}: destroyed\n")
    assert [row["id"] for row in cli.sandboxes()] == [first]
    assert "1 reservation in use" in cli("doctor").out


def test_an_unknown_or_ambiguous_id_ends_nothing(cli: Cli) -> None:
    first, second = _keep(cli), _keep(cli)
    unknown = cli("sandboxes", "kill", "zzz")
    assert unknown.code == 2
    assert unknown.err == (
        "error: there is no live sandbox 'zzz', nor a run of that id with one\n"
        "  list them: sandbook sandboxes\n"
    )
    same = os.path.commonprefix([first, second])  # noqa: RUF071 - no paths
    many = cli("sandboxes", "kill", same)
    assert many.code == 2
    assert f"2 ids begin with {same!r}" in many.err
    assert len(cli.sandboxes()) == 2


def test_all_are_ended_only_with_yes(cli: Cli) -> None:
    _keep(cli)
    promise = cli("sandboxes", "kill", "--all")
    assert (promise.code, promise.out) == (0, "would end 1 sandbox; add --yes\n")
    assert len(cli.sandboxes()) == 1
    assert cli("sandboxes", "kill", "--all", "--yes").code == 0
    assert not cli.sandboxes()


def test_other_installations_are_listed_only_with_all(cli: Cli) -> None:
    _keep(cli)
    other = {"SANDBOOK_INSTALLATION": "another"}
    assert cli("sandboxes", "--json", env=other).rows("sandboxes") == []
    assert len(cli("sandboxes", "--all", "--json", env=other).rows("sandboxes")) == 1
    assert cli("sandboxes", "kill", "--all", "--yes", env=other).code == 0
    assert len(cli.sandboxes()) == 1


def test_a_sandbox_that_does_not_end_is_exit_5(cli: Cli) -> None:
    bare_plugin(
        cli,
        """
        class Provider(Base):
            async def destroy(self, ref):
                raise errors.TeardownFailed(
                    "not today", provider="bare", operation="destroy", ref=ref
                )
        """,
    )
    made = _keep(cli, "--provider", "bare")
    called = cli("sandboxes", "kill", made)
    assert called.code == 5
    assert called.err == f"error: sandbox {made} lives on: not today\n"


def test_a_script_from_stdin_runs_in_the_newest_sandbox(cli: Cli) -> None:
    _keep(cli)
    script = b"cat file; echo oops >&2\nread line\nnext\nexit 7\n"
    called = cli("shell", stdin=script)
    assert (called.code, called.out, called.err) == (7, "kept\n", "oops\n")


def test_the_sandbox_of_a_shell_is_chosen_by_run_or_id(cli: Cli) -> None:
    first = _keep(cli)
    run = cli.newest().name
    second = _keep(cli)
    assert cli("shell", run, stdin=b"echo 1st > which").code == 0
    assert cli("shell", first, stdin=b"cat which").out == "1st\n"
    assert cli("shell", second, stdin=b"cat which").code == 1
    unknown = cli("shell", "zzz", stdin=b"echo no")
    assert (unknown.code, unknown.out) == (2, "")


def test_without_a_sandbox_a_shell_says_how_to_keep_one(cli: Cli) -> None:
    called = cli("shell", stdin=b"echo no")
    assert (called.code, called.out) == (2, "")
    assert called.err == (
        "error: no sandbox lives\n  keep one: sandbook run FILE --keep\n"
    )


def test_a_shell_leaves_the_sandbox_kept(cli: Cli) -> None:
    made = _keep(cli)
    assert cli("shell", stdin=b"true").code == 0
    assert cli("reap", "--yes").out == "nothing is left behind\n"
    assert [row["id"] for row in cli.sandboxes()] == [made]


def test_a_terminal_is_passed_on_key_by_key_and_size_by_size(cli: Cli) -> None:
    bare_plugin(cli, TERMINALS, extra=frozenset({"pty"}))
    _keep(cli, "--provider", "bare")
    with at_terminal(cli, "shell") as terminal:
        terminal.type("stty size; cat file\n")
        terminal.see("33 91")
        terminal.see("kept")
        terminal.type("trap 'echo was''inch' WINCH; echo re''ady\n")
        terminal.see("ready")
        terminal.resize(cols=70, rows=20)
        # In a session of its own our command is told of the size by hand.
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.see_after_enter("wasinch")
        terminal.type("stty size\n")
        terminal.see("20 70")
        # Ctrl-C ends what runs inside, not the shell and not us.
        # It is one program from its first word on: between two commands, a shell may
        # not hear of the key.
        terminal.type("sh -c 'echo be\"\"gun; exec sleep 600'\n")
        terminal.see("begun")
        terminal.type("\x03")
        terminal.type("echo sti''ll; exit 9\n")
        terminal.see("still")
        assert terminal.process.wait(DEADLINE) == 9
        assert termios.tcgetattr(terminal.slave) == terminal.settings


def test_a_provider_without_terminals_says_what_to_do_instead(cli: Cli) -> None:
    bare_plugin(cli)
    made = _keep(cli, "--provider", "bare")
    with at_terminal(cli, "shell", made) as terminal:
        assert terminal.process.wait(DEADLINE) == 2
        terminal.see("error: provider 'bare' has no terminals")
        terminal.see(f"echo 'ls -l' | sandbook shell {made}")
        assert termios.tcgetattr(terminal.slave) == terminal.settings


@pytest.mark.parametrize("name", ["local", "bare"])
def test_a_sandbox_that_is_lost_in_a_shell_is_told(cli: Cli, name: str) -> None:
    if name == "bare":
        bare_plugin(cli)
    made = _keep(cli, "--provider", name)
    process = subprocess.Popen(
        (*COMMAND, "shell", made),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=cli.environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"echo in\nsleep 600\n")
    process.stdin.close()
    assert process.stdout.readline() == b"in\n"
    assert cli("sandboxes", "kill", made).code == 0
    assert process.wait(DEADLINE) == 1
    assert process.stderr is not None
    err = process.stderr.read().decode()
    process.stdout.close()
    process.stderr.close()
    assert err.startswith("error: ")
    assert "Traceback" not in err


def test_a_paused_sandbox_is_given_no_more_time_without_being_asked(cli: Cli) -> None:
    bare_plugin(
        cli,
        """
        class Provider(Base):
            async def list(self, labels):
                async for info in super().list(labels):
                    yield replace(info, state="paused")
        """,
    )
    made = _keep(cli, "--provider", "bare")
    called = cli("sandboxes", "extend", made, "--for", "1h")
    assert called.code == 2
    assert called.err.splitlines() == [
        f"error: sandbox {made} is paused",
        f"  let it go on first: sandbook shell {made}",
    ]


def test_a_provider_that_cannot_extend_says_so(cli: Cli) -> None:
    bare_plugin(cli, without=frozenset({"lifetime.extend"}))
    made = _keep(cli, "--provider", "bare")
    called = cli("sandboxes", "extend", made, "--for", "1h")
    assert called.code == 2
    assert "provider 'bare' cannot let its sandboxes live longer" in called.err
    assert "Traceback" not in called.err


def test_a_fault_of_a_provider_s_list_is_told_where_one_was_to_be_reused(
    cli: Cli,
) -> None:
    bare_plugin(
        cli,
        """
        class Provider(Base):
            async def list(self, labels):
                raise ZeroDivisionError("as asked")
                yield
        """,
    )
    reused = "steps: [{create: {reuse: {a: b}}}, {command: echo hi}, {teardown: }]"
    called = cli("run", cli.book(reused), "--provider", "bare")
    assert called.code == 0, called.err
    told = "bare could not be asked for one to reuse: bare failed: ZeroDivisionError"
    assert told in called.out
