"""`sandbook explain`: what the code of a problem means."""

from __future__ import annotations

import click

from sandbook.errors import UsageError


@click.command(short_help="Explain the code of a problem.")
@click.argument("code")
def explain(code: str) -> None:
    """Explain the CODE of a problem, as SB203."""
    # Not needed for `--help`.
    from textwrap import fill

    from sandbook.cli._words import say
    from sandbook.problems import CODES, suggest

    wanted = code.upper()
    if wanted not in CODES:
        raise UsageError(
            f"there is no code {code!r}",
            remedy=suggest(wanted, CODES, kind="codes"),
        )
    say(wanted, "", fill(CODES[wanted], width=78))
