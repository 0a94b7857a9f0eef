"""`sandbook init`: a new runbook to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sandbook.errors import UsageError

if TYPE_CHECKING:
    from sandbook.examples import Example

_HEADER = b"# yaml-language-server:"


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
    chosen = example(name or STARTER)
    beside = _beside(file, chosen)
    _write(file, _without_header(chosen.text.encode()))
    for path, content in beside.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, content)
    also = f", with {', '.join(map(str, beside))} beside it" if beside else ""
    say(f"{file} is written{also}; run it: sandbook run {file}")


def _beside(file: Path, chosen: Example) -> dict[Path, bytes]:
    """The files that come along, but for those that are there already.

    Raises:
        UsageError: One of them would be written over.
    """
    screens = file.with_suffix(".screens")
    files = {
        file.parent / name: _without_header(content)
        for name, content in chosen.companions.items()
    }
    files |= {screens / name: content for name, content in chosen.screens.items()}
    missing = {path: content for path, content in files.items() if not path.exists()}
    for path in files.keys() - missing.keys():
        if not path.is_file() or path.read_bytes() != files[path]:
            raise _taken(path)
    return missing


def _write(file: Path, content: bytes) -> None:
    try:
        # Never over a file that is there.
        with file.open("xb") as new:
            new.write(content)
    except FileExistsError as error:
        raise _taken(file) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{str(file)!r} cannot be written: {why}") from error


def _taken(file: Path) -> UsageError:
    return UsageError(
        f"there is a {str(file)!r} already",
        remedy="give another name, or work in another folder",
    )


def _without_header(content: bytes) -> bytes:
    """An example names its schema by a path that holds only where it comes from."""
    lines = content.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(_HEADER))
