"""`sandbook shell`: a terminal in a sandbox that lives, or a script from stdin."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

from sandbook.cli import _options as options


@click.command(short_help="Open a terminal in a sandbox that lives.")
@click.argument("where", metavar="[RUN|SANDBOX]", required=False)
@options.metadata_option
def shell(where: str | None, *, metadata: Mapping[str, str]) -> int:
    """Open a terminal in the sandbox of a RUN, in a SANDBOX, or in the newest.

    When stdin is no terminal, it is run there as a shell script.
    """
    # Asking providers is not needed for `--help`.
    import anyio

    from sandbook.cli._shell import open_shell

    return anyio.run(open_shell, where, metadata, sys.stdin.isatty())
