"""From the words of a call to installations and runbooks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbook.api import JSON, VerbSpec
from sandbook.errors import Problem, RunbookError, UsageError
from sandbook.installation import Installation
from sandbook.loader import load_runbook, load_text, project_of
from sandbook.runbook import Runbook

if TYPE_CHECKING:
    from sandbook.inputs import Given

STDIN = "-"
STDIN_PATH = Path("<stdin>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """What every command of one call shares: the environment and the flags."""

    environ: Mapping[str, str]
    providers: tuple[str, ...] = ()
    host_network: bool = False
    unisolated: bool = False

    def installation(self, project: Path) -> Installation:
        """The parts of this computer, as a runbook of `project` sees them."""
        allowed = {"local": {"allow_host_network": True}} if self.host_network else None
        return Installation(
            environ=self.environ,
            project=project,
            providers=self.providers,
            overrides=allowed,
            allow_unisolated=self.unisolated,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A runbook and the installation it is for."""

    book: Runbook
    installation: Installation


def here(calling: Calling | None = None) -> Installation:
    """The installation of a command that has no runbook."""
    return (calling or Calling(environ=os.environ)).installation(project_of(Path.cwd()))


def open_books(files: Sequence[str], calling: Calling) -> tuple[Opened, ...]:
    """Load every file.

    Raises:
        RunbookError: With the problems of all of them.
    """
    opened: list[Opened] = []
    problems: list[Problem] = []
    for file, found in read_books(files, calling):
        if isinstance(found, Opened):
            opened.append(found)
        else:
            problems += found
        del file
    if problems:
        raise RunbookError(problems)
    return tuple(opened)


def read_books(
    files: Sequence[str], calling: Calling
) -> Iterator[tuple[str, Opened | tuple[Problem, ...]]]:
    """Each file with its runbook, or with what is wrong with it."""
    if files.count(STDIN) > 1:
        raise UsageError("'-' is given twice", remedy="stdin can be read only once")
    installations: dict[Path, Installation] = {}
    specs: Mapping[str, VerbSpec] | None = None
    for file in files:
        project = project_of(Path(file).parent)
        if project not in installations:
            installations[project] = calling.installation(project)
        installation = installations[project]
        if specs is None:
            specs = {name: verb.spec for name, verb in installation.verbs.items()}
        try:
            yield file, Opened(book=_load(file, specs), installation=installation)
        except RunbookError as error:
            yield file, error.problems


def _load(file: str, specs: Mapping[str, VerbSpec]) -> Runbook:
    if file != STDIN:
        return load_runbook(Path(file), specs)
    text = sys.stdin.buffer.read().decode(errors="surrogateescape")
    return load_text(text, STDIN_PATH, specs)


def gather_inputs(
    files: Sequence[str], given: Mapping[str, str], *, beside: Sequence[str]
) -> Mapping[str, Given | str]:
    """What `--inputs` and `-i` give; `-i` wins. `beside` are the runbooks."""
    if not files:
        return given
    if STDIN in files and STDIN in beside:
        raise UsageError(
            "--inputs: '-' is the runbook already", remedy="stdin can be read only once"
        )
    # Reads YAML in ways that only files of inputs need.
    from sandbook.cli._input_files import read_input_files

    return {**read_input_files(files), **given}


def resolve(book: Runbook, given: Mapping[str, Given | str]) -> Mapping[str, JSON]:
    """The inputs in force; a file is meant from where the person stands."""
    (values,) = resolve_all((book,), given)
    return values


def resolve_all(
    books: Sequence[Runbook], given: Mapping[str, Given | str]
) -> tuple[Mapping[str, JSON], ...]:
    """The inputs of each book; an input has to be known to one of them.

    Raises:
        UsageError: Lists every problem of all of them.
    """
    # Its pattern matching is needed by nothing else that a command does.
    from sandbook.inputs import refuse_unknown, resolve_inputs

    errors: list[UsageError] = []
    values: list[Mapping[str, JSON]] = []
    known = [name for book in books for name in book.inputs]
    try:
        refuse_unknown(given, known)
    except UsageError as error:
        errors.append(error)
    for book in books:
        own = {name: value for name, value in given.items() if name in book.inputs}
        try:
            values.append(resolve_inputs(book, own))
        except UsageError as error:
            errors.append(error)
    if errors:
        raise _joined(errors)
    return tuple(values)


def _joined(errors: Sequence[UsageError]) -> UsageError:
    told = dict.fromkeys(map(str, errors))
    remedies = dict.fromkeys(line for e in errors for line in e.remedy.splitlines())
    return UsageError("; ".join(told), remedy="\n".join(remedies))
