"""`sandbook record`: a session at a terminal becomes a runbook."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from sandbook.cli import _options as options
from sandbook.errors import UsageError

if TYPE_CHECKING:
    from sandbook.cli._opening import Calling
    from sandbook.transcript import Draft, Setting

EXAMPLES = """\b
Examples:
  sandbook record -- python3 -q
  sandbook record -o install.yaml -- ./install.sh
  sandbook record --in SANDBOX -- sh
"""


class Flags(TypedDict):
    """The options of `record`, by the names click gives them."""

    providers: tuple[str, ...]
    allow_unisolated: bool
    size: tuple[int, int] | None
    where: str | None
    out: Path
    no_replay: bool


@click.command(
    short_help="Turn a session at a terminal into a runbook.", epilog=EXAMPLES
)
@click.argument("argv", metavar="-- [CMD]...", nargs=-1)
@options.provider_option
@options.unisolated_option
@click.option(
    "--size",
    metavar="COLUMNSxROWS",
    type=options.terminal_size,
    help="Of the terminal in the sandbox, instead of this one's.",
)
@click.option(
    "--in",
    "where",
    metavar="RUN|SANDBOX",
    help="Work in this sandbox; else in a new one, which ends with the session.",
)
@click.option(
    "-o",
    "--output",
    "out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    default="recorded.yaml",
    show_default=True,
    help="The runbook to write; never over one that is there.",
)
@click.option("--no-replay", is_flag=True, help="Do not run the runbook afterwards.")
def record(argv: tuple[str, ...], **flags: Unpack[Flags]) -> int:
    """Work with CMD (a shell) in a sandbox; what you type becomes a runbook.

    End the session by ending the program. What is typed hidden becomes a secret,
    whose value is not written. Afterwards the runbook runs in a fresh sandbox, which
    tells whether it does the same.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "a session needs a terminal, and here is none",
            remedy="start it at a terminal, or begin by hand: sandbook init",
        )
    out = flags["out"]
    if out.exists():
        raise UsageError(
            f"there is a {str(out)!r} already", remedy="name another: -o FILE"
        )
    # Not for `--help`.
    from sandbook.cli._opening import Calling
    from sandbook.cli._session import SHELL, hold

    calling = Calling(
        environ=os.environ,
        providers=flags["providers"],
        unisolated=flags["allow_unisolated"],
    )
    setting, draft = hold(
        argv or SHELL, calling=calling, where=flags["where"], size=flags["size"]
    )
    _write(out, setting, draft)
    return 0 if flags["no_replay"] else _replay(out, draft, calling)


def _write(out: Path, setting: Setting, draft: Draft) -> None:
    # As above.
    from sandbook.cli._hiding import remember_secrets
    from sandbook.cli._opening import here
    from sandbook.cli._words import counted, say
    from sandbook.transcript import write

    remember_secrets(draft.secrets)
    specs = {name: verb.spec for name, verb in here().verbs.items()}
    text = write(draft, setting, path=out, verbs=specs)
    try:
        with out.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError as error:
        raise UsageError(f"there is a {str(out)!r} already") from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"{str(out)!r} cannot be written: {why}") from error
    say(f"{out} is written: {counted(len(draft.lines), 'line')} of a script")


def _replay(out: Path, draft: Draft, calling: Calling) -> int:
    # As above.
    from sandbook.cli._opening import open_books
    from sandbook.cli._running import Manner, run_book
    from sandbook.cli._words import say
    from sandbook.runner import RunRequest

    say("replaying it in a fresh sandbox")
    (opened,) = open_books((str(out),), calling)
    request = RunRequest(runbook=opened.book, secrets=draft.secrets)
    end = run_book(opened, request, Manner(stream=sys.stdout))
    if end.exit == 0:
        say(f"it does the same again: sandbook run {out}")
    else:
        say(
            f"it does not do the same yet: mend {out} where the replay stopped, and "
            f"try it: sandbook run {out}"
        )
    return end.exit or 0
