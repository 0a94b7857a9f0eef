"""`sandbook check`: every problem of every file, and nothing else happens."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from sandbook.api import JSON
from sandbook.cli import _options as options
from sandbook.errors import Problem

WRONG = 2


@click.command(short_help="Say what is wrong with runbooks; nothing runs.")
@options.files_argument
@options.json_option
def check(files: tuple[str, ...], *, as_json: bool) -> int:
    """Say what is wrong with runbooks; nothing runs."""
    # The loader is not needed for `--help`.
    from sandbook.cli._opening import Calling, Opened, read_books

    every: list[Problem] = []
    wrong = False
    for file, found in read_books(files, Calling(environ=os.environ)):
        if isinstance(found, Opened):
            problems: Sequence[Problem] = found.book.warnings
        else:
            problems, wrong = found, True
        every += problems
        if not as_json:
            _tell(file, found if isinstance(found, Opened) else None, problems)
    if as_json:
        _say_json(every)
    return WRONG if wrong else 0


def _tell(file: str, opened: object, problems: Sequence[Problem]) -> None:
    # As above.
    from sandbook.cli._opening import Opened
    from sandbook.cli._words import counted, say
    from sandbook.plan import every_step
    from sandbook.problems import render

    for problem in problems:
        say(render(problem), "")
    wrong = sum(problem.severity == "error" for problem in problems)
    told = [counted(wrong, "problem")] if wrong else []
    if isinstance(opened, Opened):
        told = ["ok: " + counted(sum(1 for _ in every_step(opened.book)), "step")]
    if len(problems) > wrong:
        told.append(counted(len(problems) - wrong, "warning"))
    say(f"{file}: {', '.join(told)}")


def _say_json(problems: Sequence[Problem]) -> None:
    # As above.
    from sandbook.cli._words import say_json

    say_json("problems", [_row(problem) for problem in problems])


def _row(problem: Problem) -> JSON:
    return {
        "code": problem.code,
        "file": problem.at.path,
        "line": problem.at.line,
        "column": problem.at.column,
        "message": problem.message,
        "remedy": problem.remedy,
        "severity": problem.severity,
    }
