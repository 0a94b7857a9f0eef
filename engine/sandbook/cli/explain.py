"""`sandbook explain`: what a code means, or what a runbook does."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from sandbook.errors import UsageError

_CODE = re.compile(r"(?i)SB\d+")


@click.command(short_help="Explain the code of a problem, or a runbook.")
@click.argument("subject", metavar="CODE|FILE")
def explain(subject: str) -> None:
    """Explain the CODE of a problem, as SB203, or tell what a runbook does."""
    if _CODE.fullmatch(subject) and not Path(subject).exists():
        _explain_code(subject.upper())
        return
    if not Path(subject).exists() and subject != "-":
        raise UsageError(
            f"{subject!r} is neither a code nor a file",
            remedy="codes look like SB203; `sandbook check FILE` shows them",
        )
    # The loader is not needed for a code.
    from sandbook.cli._explaining import book_words
    from sandbook.cli._opening import Calling, open_books
    from sandbook.cli._words import say

    opened = open_books([subject], Calling(environ=os.environ))[0]
    specs = {name: verb.spec for name, verb in opened.installation.verbs.items()}
    say(*book_words(opened.book, specs))


def _explain_code(code: str) -> None:
    # Not needed for `--help`.
    from textwrap import fill

    from sandbook.cli._words import say
    from sandbook.explanations import examples
    from sandbook.problems import CODES, suggest

    if code not in CODES:
        raise UsageError(
            f"there is no code {code!r}",
            remedy=suggest(code, CODES, kind="codes"),
        )
    say(code, "", fill(CODES[code], width=78))
    example = examples().get(code)
    for title, text in example.shown() if example else ():
        say("", f"{title}:", *(f"  {line}" for line in text.splitlines()))
