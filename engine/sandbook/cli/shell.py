"""`sandbook shell`: a terminal in a sandbox that lives, or a script from stdin."""

from __future__ import annotations

import sys

import click


@click.command(short_help="Open a terminal in a sandbox that lives.")
@click.argument("where", metavar="[RUN|SANDBOX]", required=False)
def shell(where: str | None) -> int:
    """Open a terminal in the sandbox of a RUN, in a SANDBOX, or in the newest.

    When stdin is no terminal, it is run there as a shell script.
    """
    # Asking providers is not needed for `--help`.
    import anyio

    from sandbook.cli._shell import open_shell

    return anyio.run(open_shell, where, sys.stdin.isatty())
