"""Which commands there are; a command's module is imported when it is asked for.

`--help` and completion of names must not pay for what one command needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

import click

from sandbook import __version__

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "run": "Run runbooks.",
        "check": "Say what is wrong with runbooks; nothing runs.",
        "init": "Write a new runbook to begin with.",
        "new": "Begin a package that extends Sandbook.",
        "plan": "Say what would run, and where; nothing runs.",
        "explain": "Explain the code of a problem, or a runbook.",
        "fmt": "Rewrite runbooks in their canonical form.",
        "runs": "List the runs of this computer, cancel or remove them.",
        "show": "Tell a run again.",
        "record": "Turn a session at a terminal into a runbook.",
        "play": "Play the recording of a terminal.",
        "shell": "Open a terminal in a sandbox that lives.",
        "sandboxes": "List the sandboxes that live, or end them.",
        "reap": "End what dead runs left behind.",
        "steps": "List the verbs of steps, or explain one.",
        "schema": "Print a JSON Schema, for editors and other tools.",
        "providers": "List the providers and what each can do.",
        "doctor": "Check that everything here works.",
    }
)
"""Every command and its line in `--help`, in the order they are shown."""


class PipeClosedError(Exception):
    """Nobody reads our output any more; click would make it exit code 1."""


class LazyGroup(click.Group):
    """The group of `COMMANDS`; module and command bear the command's name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"sandbook.cli.{cmd_name}")
        return cast("click.Command", getattr(module, cmd_name))

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """List the commands without importing one."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one may have been meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(_unknown(args[0]))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosedError from error


def _unknown(name: str) -> str:
    # 10 ms to import, and only who mistyped needs it.
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=1)
    if near:
        return f"there is no command {name!r}: did you mean {near[0]!r}?"
    return f"there is no command {name!r}"


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="sandbook", message="%(prog)s %(version)s")
def sandbook() -> None:
    """Run YAML runbooks in disposable sandboxes, remote or on this computer."""
