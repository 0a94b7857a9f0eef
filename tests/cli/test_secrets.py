"""Secrets come from files, variables, plugins and the person, and are never shown."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.cli.calls import Called, Cli, interrupt
from tests.cli.person import Terminal

BOOK = """
    secrets: [TOKEN, OTHER]
    steps:
      - command: 'echo "it is $TOKEN"; test "$TOKEN" = "$WANTED"'
        env:
          TOKEN: ${{ secrets.TOKEN }}
          OTHER: ${{ secrets.OTHER }}
          WANTED: ${{ inputs.wanted }}-value
    inputs: {wanted: {}}
"""
GIVEN = {"TOKEN": "of-the-variable-value", "OTHER": "other-value"}

VAULT = """
    from sandbook.api import hookimpl

    @hookimpl
    def sandbook_secret(name, file):
        assert file == "book.yaml"
        with open("asked", "a") as asked:
            asked.write(f"{name} ")
        return "of-the-plugin-value" if name == "TOKEN" else None
"""


def vault(cli: Cli, code: str = VAULT, name: str = "vault") -> None:
    """Install a plugin that knows secrets."""
    cli.plugin(name, code=code, group="sandbook")


def run(cli: Cli, wanted: str, *options: str, **env: str) -> Called:
    """Run a runbook that passes when the token is the wanted one."""
    given = {name: value for name, value in {**GIVEN, **env}.items() if value}
    book = cli.book(BOOK)
    called = cli("run", book, "-i", f"wanted={wanted}", *options, env=given)
    for each in (called.out, called.err):
        assert "-value" not in each.replace("${{ inputs.wanted }}-value", "")
    return called


def private(cli: Cli, name: str, text: str) -> str:
    """Write a file that nobody else can read."""
    path = cli.folder / name
    path.write_text(text)
    path.chmod(0o600)
    return name


def test_a_file_wins_over_variables_of_a_file_over_the_environment_over_plugins(
    cli: Cli,
) -> None:
    vault(cli)
    private(cli, ".env", "TOKEN=of-the-env-file-value")
    private(cli, "token", "of-the-file-value\n")
    flags = ("--env-file", ".env", "--secret-file", "TOKEN=token")
    assert run(cli, "of-the-file", *flags).code == 0
    assert run(cli, "of-the-env-file", *flags[:2]).code == 0
    assert run(cli, "of-the-variable").code == 0
    assert not (cli.folder / "asked").exists()
    assert run(cli, "of-the-plugin", TOKEN="").code == 0
    assert (cli.folder / "asked").read_text() == "TOKEN "


def test_all_that_is_missing_or_too_short_is_told_at_once(cli: Cli) -> None:
    called = run(cli, "x", TOKEN="", OTHER="abc")
    assert called.code == 2
    assert called.err.splitlines() == [
        (
            "error: secret 'TOKEN' is not given; "
            "secret 'OTHER' is shorter than 4 characters"
        ),
        "  set the variable TOKEN, or give --secret-file TOKEN=PATH",
        "  set the variable OTHER, or give --secret-file OTHER=PATH",
    ]
    assert not list(cli.state.glob("runs/*"))


def test_a_broken_plugin_is_told_and_the_others_are_asked(cli: Cli) -> None:
    vault(cli)
    broken = """
        from sandbook.api import hookimpl
        @hookimpl
        def sandbook_secret(name):
            raise ConnectionError(f"no vault for {name}")
    """
    vault(cli, broken, "broken")
    called = run(cli, "of-the-plugin", TOKEN="", OTHER="")
    assert called.code == 2
    assert "warning: plugin 'broken' of sandbook_broken" in called.err
    assert "ConnectionError: no vault for OTHER" in called.err
    assert "error: secret 'OTHER' is not given\n" in called.err


def test_a_plugin_that_gives_no_text_is_told_without_what_it_gave(cli: Cli) -> None:
    number = """
        from sandbook.api import hookimpl
        @hookimpl
        def sandbook_secret(name):
            return 987654321
    """
    vault(cli, number)
    called = run(cli, "x", TOKEN="")
    assert called.code == 2
    assert "sandbook_secret() gave int, not a text" in called.err
    assert "secret 'TOKEN' is not given" in called.err
    assert "987654321" not in called.err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("token", "token"),
        ("token\n", "token"),
        ("token\r\n", "token"),
        ("token\n\n", "token\n"),
        ("two\nlines\n", "two\nlines"),
        ("\ufefftoken", "token"),
    ],
)
def test_one_line_end_of_a_secret_file_is_no_part_of_the_secret(
    cli: Cli, text: str, value: str
) -> None:
    private(cli, "token", text)
    (cli.folder / "token").write_bytes(text.encode())
    book = cli.book("""
        secrets: [TOKEN]
        inputs: {size: {type: integer}}
        steps:
          - command: wc -c
            stdin: ${{ secrets.TOKEN }}
            expect: {stdout: {contains: "${{ inputs.size }}"}}
    """)
    options = ("-i", f"size={len(value)}", "--secret-file", "TOKEN=token")
    assert cli("run", book, *options).code == 0


def test_a_file_that_everybody_can_read_is_warned_of(cli: Cli) -> None:
    private(cli, "token", "of-the-file-value")
    assert run(cli, "of-the-file", "--secret-file", "TOKEN=token").err == ""
    (cli.folder / "token").chmod(0o644)
    called = run(cli, "of-the-file", "--secret-file", "TOKEN=token")
    assert called.code == 0
    assert called.err.splitlines()[:2] == [
        "warning: --secret-file TOKEN: other users can read 'token'",
        "  chmod 600 token",
    ]


def test_a_secret_file_may_be_in_the_home_folder(cli: Cli) -> None:
    (cli.home / "token").write_text("of-the-file-value")
    (cli.home / "token").chmod(0o600)
    called = run(cli, "of-the-file", "--secret-file", "TOKEN=~/token")
    assert (called.code, called.err) == (0, "")


def test_a_secret_file_may_be_a_pipe(cli: Cli) -> None:
    ours, theirs = os.pipe()
    os.write(theirs, b"of-the-file-value\n")
    os.close(theirs)
    path = f"/proc/{os.getpid()}/fd/{ours}"
    assert run(cli, "of-the-file", "--secret-file", f"TOKEN={path}").code == 0
    os.close(ours)


def test_an_env_file_is_read_by_these_rules(cli: Cli) -> None:
    lines = [
        "# a comment",
        "",
        "PLAIN=plain value # a comment",
        "HASH=aa#b",
        "  SPACED  =  spaced  ",
        "export EXPORTED=exported",
        "SINGLE='single # $HOME \\n' # a comment",
        'DOUBLE="double \\"quoted\\" \\n\\$HOME C:\\dir"',
        "DOLLAR=$HOME/x",
        "EMPTY=",
        "AGAIN=first",
        "AGAIN=second",
        'LINES="first',
        'second"',
        "AFTER=after",
        "EQUAL=a=b=c\r",
    ]
    private(cli, ".env", "")
    (cli.folder / ".env").write_bytes("\n".join(lines).encode())
    wanted = {
        "PLAIN": "plain value",
        "HASH": "aa#b",
        "SPACED": "spaced",
        "EXPORTED": "exported",
        "SINGLE": "single # $HOME \\n",
        "DOUBLE": 'double "quoted" \n$HOME C:\\dir',
        "DOLLAR": "$HOME/x",
        "AGAIN": "second",
        "LINES": "first\nsecond",
        "AFTER": "after",
        "EQUAL": "a=b=c",
    }
    steps = "".join(
        "  - command: [python3, -c, 'import os; "
        'print(os.environ["X"].encode().hex(" "))\']\n'
        f"    env: {{X: '${{{{ secrets.{name} }}}}'}}\n"
        f"    expect: {{stdout: '{value.encode().hex(' ')}'}}\n"
        for name, value in wanted.items()
    )
    book = cli.book(f"secrets: [{', '.join(wanted)}]\nsteps:\n{steps}")
    called = cli("run", book, "--env-file", ".env")
    assert called.code == 0, called.out + called.err


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("A=1\nhush hush\nB=2\n!C=3\n", ["2", "4"]),
        ('A="hush\n', ["1"]),
        ("A='hush'hush\n", ["1"]),
        ("1A=hush\n", ["1"]),
    ],
)
def test_wrong_lines_of_an_env_file_are_named_and_not_shown(
    cli: Cli, text: str, lines: list[str]
) -> None:
    private(cli, ".env", text)
    called = run(cli, "x", "--env-file", ".env")
    assert called.code == 2
    told = "; ".join(f".env:{line}: this is not a variable" for line in lines)
    assert called.err.splitlines()[0] == f"error: {told}"
    assert "hush" not in called.err


@contextmanager
def asked(cli: Cli, *argv: str) -> Generator[Terminal]:
    """A person at a terminal who runs a runbook."""
    made = Terminal(cli, "run", cli.book(BOOK), "-i", "wanted=typed", *argv)
    try:
        yield made
    finally:
        made.close()


def test_a_missing_secret_is_asked_for_and_typed_unseen(cli: Cli) -> None:
    cli.environ["OTHER"] = "other-value"
    with asked(cli) as person:
        person.see("TOKEN (not shown): ")
        person.type("abc\n")
        person.see("must have at least 4 characters")
        person.type("typed-value\n")
        person.see("passed")
        assert person.process.wait(30) == 0
        assert "typed-value" not in person.shown.replace("-value}}", "")
    assert b"typed-value" not in (cli.newest() / "journal.jsonl").read_bytes()


def test_ctrl_c_and_ctrl_d_at_a_secret_run_nothing(cli: Cli) -> None:
    with asked(cli) as person:
        person.see("TOKEN (not shown): ")
        interrupt(person.process)
        assert person.process.wait(30) == 130
    with asked(cli) as person:
        person.see("TOKEN (not shown): ")
        person.type("\x04")
        person.see("OTHER (not shown): ")
        person.type("\x04")
        person.see("secret 'TOKEN' is not given; secret 'OTHER' is not given")
        assert person.process.wait(30) == 2
    assert not list(cli.state.glob("runs/*"))


def test_a_secret_is_masked_in_what_is_said_before_and_beside_the_run(
    cli: Cli,
) -> None:
    raising = """
        from sandbook.api import Outcome, VerbSpec, hookimpl

        class Spill:
            spec = VerbSpec(name="spill", summary="x", value={"type": "string"})
            def requires(self, args): return frozenset()
            async def run(self, step):
                raise LookupError(f"it had {dict(step.env)!r}")

        @hookimpl
        def sandbook_verbs():
            return [Spill()]
    """
    cli.plugin("spill", code=raising, group="sandbook")
    book = cli.book("""
        secrets: [TOKEN]
        inputs: {same: {}}
        env: {TOKEN: "${{ secrets.TOKEN }}"}
        steps: [{spill: x}]
    """)
    call = ("run", book, "-i", "same=spilt-'value'\"x", "-v")
    called = cli(*call, env={"TOKEN": "spilt-'value'\"x"})
    assert called.code == 70
    assert "LookupError: it had {'TOKEN': " in called.out
    trace = (cli.newest() / "fault.txt").read_text()
    assert "LookupError: it had {'TOKEN': " in trace
    kept = [p.read_bytes() for p in cli.state.rglob("*") if p.is_file()]
    for each in (called.out.encode(), called.err.encode(), *kept):
        assert b"spilt" not in each
    report = json.loads((cli.newest() / "report.json").read_text())
    assert report["inputs"]["same"] == "***"
