"""`sandbook init`: a new runbook to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from sandbook.errors import UsageError

_HEADER = "# yaml-language-server:"


@click.command(short_help="Write a new runbook to begin with.")
@click.argument(
    "file", default="runbook.yaml", type=click.Path(path_type=Path, dir_okay=False)
)
@click.option("--from", "name", metavar="EXAMPLE", help="Begin with this example.")
@click.option("--list", "listing", is_flag=True, help="List the examples.")
def init(file: Path, *, name: str | None, listing: bool) -> None:
    """Write a new runbook to FILE (runbook.yaml), with comments on what it says."""
    # Not for `--help`.
    from sandbook.cli._words import say, table
    from sandbook.examples import STARTER, example, examples

    if listing:
        say(*table(("EXAMPLE", "ABOUT"), [(e.name, e.about) for e in examples()]))
        return
    _write(file, _without_header(example(name or STARTER).text))
    say(f"{file} is written; run it: sandbook run {file}")


def _write(file: Path, text: str) -> None:
    try:
        # Never over a file that is there.
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except FileExistsError as error:
        raise UsageError(
            f"there is a {str(file)!r} already", remedy="give another name"
        ) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{str(file)!r} cannot be written: {why}") from error


def _without_header(text: str) -> str:
    """An example names its schema by a path that holds only where it comes from."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(_HEADER))
