"""Without bash in a sandbox sh reads the texts: that is said, no failure is lost."""

from __future__ import annotations

import pytest

from tests.cli.calls import Cli, bare_plugin

# A real machine whose programs run by sh, and on which nobody finds a bash.
WITHOUT_BASH = """
    from dataclasses import replace

    from sandbook.api import Shell
    from tests.providers.bare_sandbox import BareSandbox


    class Box(BareSandbox):
        async def start(self, request):
            if isinstance(request.program, Shell):
                text = request.program.text.replace("command -v bash", "false")
                program = replace(request.program, dialect="sh", text=text)
                request = replace(request, program=program)
            return await super().start(request)


    class Provider(Base):
        def open(self, record):
            return Box(self._store, record, bare.capabilities(self._settings))
"""
NOTE = "the sandbox has no bash: sh runs its shell texts"


@pytest.fixture
def sh_only(cli: Cli) -> Cli:
    """A computer whose sandboxes have no bash."""
    bare_plugin(cli, WITHOUT_BASH)
    return cli


def run(cli: Cli, text: str) -> tuple[int, str]:
    called = cli("run", "--provider", "bare", cli.book(text))
    return called.code, called.out


@pytest.mark.language("§6 command shell")
def test_that_sh_stands_in_is_said_once(sh_only: Cli) -> None:
    code, out = run(sh_only, "steps: [{command: echo one}, {command: echo two}]")
    assert code == 0, out
    assert out.count(NOTE) == 1


def test_a_pipe_fails_before_anything_runs(sh_only: Cli) -> None:
    code, out = run(sh_only, "steps: [{command: 'touch here; false | true'}]")
    assert code == 1, out
    assert "sh does not see a failure inside a pipe" in out
    assert "write `shell: sh`" in out


def test_a_pipe_that_says_shell_sh_runs(sh_only: Cli) -> None:
    code, out = run(sh_only, "steps: [{command: echo x | cat, shell: sh}]")
    assert code == 0, out
    assert NOTE not in out


def test_where_there_is_bash_nothing_is_said(cli: Cli) -> None:
    bare_plugin(cli)
    code, out = run(cli, "steps: [{command: echo x | cat}]")
    assert code == 0, out
    assert NOTE not in out
