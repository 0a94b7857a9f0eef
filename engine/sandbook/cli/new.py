"""`sandbook new`: the files of a package that extends Sandbook."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import click

from sandbook.errors import UsageError


@click.group(short_help="Begin a package that extends Sandbook.")
def new() -> None:
    """Begin a package that extends Sandbook."""


@new.command(short_help="Begin a provider.")
@click.argument("name")
@click.argument(
    "folder", required=False, type=click.Path(path_type=Path, file_okay=False)
)
def provider(name: str, folder: Path | None) -> None:
    """Write the package of a provider NAME to FOLDER (sandbook-NAME).

    It can be installed as it is and passes the first group of the conformance kit; what
    to write next is told.
    """
    # Not for `--help`.
    from sandbook.cli._opening import here
    from sandbook.cli._words import say
    from sandbook.scaffold import distribution_of, package_of, provider_files

    written = provider_files(name)
    _refuse_known(name, here().registry.provider_names)
    target = folder or Path(distribution_of(name))
    _refuse_taken(target)
    _write(target, written)
    say(
        f"{target} holds a package for the provider {name!r}; next:",
        f"  cd {target}",
        "  pip install -e '.[test]'",
        "  pytest              # group A of the conformance kit",
        "  sandbook providers  # it is listed",
        f"then write {package_of(name)}/provider.py, group by group: plugins/README.md "
        "of Sandbook says how",
    )


def _refuse_known(name: str, known: tuple[str, ...]) -> None:
    # As above.
    from sandbook.settings import DEFAULT_CHAIN

    if name in known or name in DEFAULT_CHAIN:
        raise UsageError(
            f"there is a provider {name!r} already",
            remedy="two of one name would both be refused: give another name",
        )


def _refuse_taken(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        raise UsageError(
            f"there is a {str(target)!r} already",
            remedy="name another folder behind the name: nothing is written over",
        )


def _write(target: Path, written: Mapping[PurePosixPath, str]) -> None:
    for place, text in written.items():
        path = target / place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Never over a file that is there.
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(f"{str(path)!r} cannot be written: {why}") from error
