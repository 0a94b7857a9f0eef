"""How the program starts: help, version, wrong calls, a closed pipe."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import click
import pytest

from sandbook.cli._group import COMMANDS
from tests.cli.calls import COMMAND, Cli

VENDORS = {"e2b", "e2b_code_interpreter", "connectrpc", "httpx", "pyqwest"}
"""The SDKs, and what they bring along."""

HEAVY = (
    *VENDORS,
    "anyio",
    "asyncio",
    "jsonschema",
    "yaml",
    "rich",
    "jinja2",
    "pluggy",
    "sqlite3",
)


def test_the_version_is_told(cli: Cli) -> None:
    called = cli("--version")
    assert (called.code, called.out, called.err) == (0, "sandbook 0.1.0\n", "")


def test_the_help_lists_every_command(cli: Cli) -> None:
    called = cli("--help")
    assert called.code == 0
    assert called.err == ""
    listed = called.out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)


def _loaded(cli: Cli, *argv: str, **environ: str) -> list[str]:
    """The modules that a call has imported at its end."""
    script = (
        "import json, sys\n"
        "from sandbook.cli import main\n"
        f"before = main({argv!r})\n"
        "sys.stderr.write(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        (sys.executable, "-c", script),
        capture_output=True,
        env={**cli.environ, **environ},
        cwd=cli.folder,
        check=True,
    )
    loaded: list[str] = json.loads(done.stderr)
    return loaded


@pytest.mark.parametrize("argv", [("--help",), ("--version",), ("run", "--help")])
def test_help_and_version_load_nothing_heavy(cli: Cli, argv: tuple[str, ...]) -> None:
    loaded = _loaded(cli, *argv)
    assert "sandbook.cli._group" in loaded
    assert not [name for name in HEAVY if name in loaded]


def test_providers_loads_the_provider_of_a_key_and_no_sdk_of_a_vendor(cli: Cli) -> None:
    loaded = _loaded(cli, "providers", E2B_API_KEY="e2b_1")
    assert "sandbook_e2b.provider" in loaded
    assert find_spec("e2b") is not None
    assert not {name.partition(".")[0] for name in loaded} & VENDORS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_of_itself_what_the_help_says(name: str) -> None:
    command = getattr(importlib.import_module(f"sandbook.cli.{name}"), name)
    assert isinstance(command, click.Command)
    assert command.get_short_help_str(limit=200) == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(cli: Cli, name: str) -> None:
    called = cli(name, "--help")
    assert called.code == 0
    assert called.out.startswith(f"Usage: sandbook {name} ")


def test_the_help_of_run_shows_examples(cli: Cli) -> None:
    assert "sandbook run hello.yaml\n" in cli("run", "--help").out


WRONG_CALLS = {
    "rnu": """\
error: there is no command 'rnu': did you mean 'run'?
  see `sandbook --help`
""",
    "xyzzy": """\
error: there is no command 'xyzzy'
  see `sandbook --help`
""",
    "check --jsn x": """\
error: no such option '--jsn'. Did you mean '--json'?
  see `sandbook check --help`
""",
    "check": """\
error: missing argument 'FILE...'
  see `sandbook check --help`
""",
    "run x.yaml -i noequals": """\
error: invalid value for '-i' / '--input': 'noequals' is not of the form NAME=VALUE
  see `sandbook run --help`
""",
    "run x.yaml -i a=1 -i a=2": """\
error: invalid value for '-i' / '--input': 'a' is given twice
  see `sandbook run --help`
""",
    "run x.yaml --teardown-timeout 30": """\
error: invalid value for '--teardown-timeout': '30' has no unit: write 30s or 30m
  see `sandbook run --help`
""",
    "run x.yaml -q -v": """\
error: --quiet and --verbose exclude each other
  use one
""",
    "explain SB999": """\
error: there is no code 'SB999'
  did you mean 'SB309'?
""",
    "sandboxes kill": """\
error: say which sandboxes to end
  give their ids, --metadata or --all; list them: sandbook sandboxes
""",
}


@pytest.mark.parametrize("call", WRONG_CALLS)
def test_a_wrong_call_is_told_with_what_to_do(cli: Cli, call: str) -> None:
    called = cli(*call.split())
    assert (called.code, called.out, called.err) == (2, "", WRONG_CALLS[call])


def test_without_a_command_the_help_is_shown_as_a_wrong_call(cli: Cli) -> None:
    called = cli()
    assert called.code == 2
    assert "Commands:" in called.err


def test_a_code_is_explained_in_any_case(cli: Cli) -> None:
    called = cli("explain", "sb101")
    assert called.code == 0
    assert called.out.startswith("SB101\n\nThe file is not YAML")


def test_names_of_commands_are_completed(cli: Cli) -> None:
    env = {"_SANDBOOK_COMPLETE": "bash_complete", "COMP_WORDS": "sandbook ru"}
    called = cli(env={**env, "COMP_CWORD": "1"})
    assert called.code == 0
    assert called.out.split() == ["plain,run", "plain,runs"]


def test_a_closed_stdout_is_no_fault(cli: Cli) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        (*COMMAND, "explain", "SB101"),
        stdout=writer,
        stderr=subprocess.PIPE,
        env=cli.environ,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_fault_is_told_in_words_and_its_trace_is_kept(cli: Cli) -> None:
    cli.plugin(
        "odd",
        code="""
            import tests.providers.bare as bare
            from dataclasses import replace

            def capabilities(settings):
                raise SystemError("odd")

            INFO = replace(bare.INFO, name="odd", capabilities=capabilities)

            def sandbook_provider():
                return INFO
        """,
    )
    book = cli.book("steps: [{command: 'true'}]")
    called = cli("plan", book, "--provider", "odd")
    assert called.code == 70
    first, second = called.err.splitlines()
    assert first == (
        "error: this is a fault in Sandbook or a plugin, not in your runbook: "
        "SystemError: odd"
    )
    (trace,) = (cli.state / "faults").iterdir()
    assert second == f"  please report it with the trace in {str(trace)!r}"
    assert "SystemError: odd" in trace.read_text()
    assert trace.stat().st_mode & 0o777 == 0o600
