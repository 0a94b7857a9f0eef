"""`sandbook fmt`: runbooks in their canonical form, comments kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from sandbook.api import VerbSpec
from sandbook.cli import _options as options
from sandbook.errors import SandbookError, UsageError

CHANGED = 1
_STDIN = "-"


@dataclass(frozen=True, slots=True)
class _Formatted:
    """A file and its two forms, or why it has no second one."""

    file: str
    before: str = ""
    after: str = ""
    error: SandbookError | None = None

    @property
    def is_changed(self) -> bool:
        return self.error is None and self.before != self.after


@click.command(short_help="Rewrite runbooks in their canonical form.")
@options.files_argument
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file differs.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
def fmt(files: tuple[str, ...], *, check: bool, diff: bool) -> int:
    """Rewrite runbooks in their canonical form; comments are kept.

    A folder stands for all runbooks below it, and - formats stdin to stdout. Texts
    that other YAML tools would misread get quotes. A file with problems is left as
    it is.
    """
    found = list(_found(files))
    told: list[_Formatted] = []
    for file, specs in _with_specs(found):
        one = _format(file, specs)
        if one.error is None:
            one = _hand_on(one, check=check, diff=diff)
        if one.error is not None:
            _tell_error(one.file, one.error)
        told.append(one)
    if found != [_STDIN]:
        _sum_up(told, is_dry=check or diff)
    return _code(told, check=check)


def _code(told: Iterable[_Formatted], *, check: bool) -> int:
    errors = [one.error.exit_code for one in told if one.error is not None]
    changed = CHANGED if check and any(one.is_changed for one in told) else 0
    return max([*errors, changed])


def _found(files: Sequence[str]) -> Iterator[str]:
    if files.count(_STDIN) > 1:
        raise UsageError("'-' is given twice", remedy="stdin can be read only once")
    for file in dict.fromkeys(files):
        if file == _STDIN or not Path(file).is_dir():
            yield file
            continue
        # Only a folder needs it.
        from sandbook.cli._folders import runbooks_below

        below = runbooks_below(Path(file))
        if not below:
            raise UsageError(
                f"there is no runbook below {file!r}",
                remedy="a runbook is a .yaml file with the key `runbook`",
            )
        yield from map(str, below)


def _with_specs(
    files: Sequence[str],
) -> Iterator[tuple[str, Mapping[str, VerbSpec]]]:
    # As everywhere, the engine is not needed for `--help`.
    from sandbook.cli._opening import Calling
    from sandbook.loader import project_of

    calling = Calling(environ=os.environ)
    known: dict[Path, Mapping[str, VerbSpec]] = {}
    for file in files:
        project = project_of(Path(file).parent)
        if project not in known:
            verbs = calling.installation(project).verbs
            known[project] = {name: verb.spec for name, verb in verbs.items()}
        yield file, known[project]


def _format(file: str, specs: Mapping[str, VerbSpec]) -> _Formatted:
    # As above.
    from sandbook.cli._opening import STDIN_PATH
    from sandbook.formatting import format_text

    path = STDIN_PATH if file == _STDIN else Path(file)
    try:
        before = _read(file, specs)
        return _Formatted(str(path), before, format_text(before, path, specs))
    except SandbookError as error:
        return _Formatted(str(path), error=error)


def _read(file: str, specs: Mapping[str, VerbSpec]) -> str:
    # As above.
    from sandbook.loader import load_runbook

    if file == _STDIN:
        return sys.stdin.buffer.read().decode(errors="surrogateescape")
    try:
        return Path(file).read_bytes().decode(errors="surrogateescape")
    except OSError:
        # It says in its own words that there is nothing to read.
        load_runbook(Path(file), specs)
        raise


def _hand_on(one: _Formatted, *, check: bool, diff: bool) -> _Formatted:
    """Write or show what came of a file."""
    # As above.
    from sandbook.cli._opening import STDIN_PATH
    from sandbook.cli._rewriting import rewrite
    from sandbook.cli._words import say

    if diff:
        _show_difference(one)
    elif check:
        say(*(f"{one.file}: would be formatted" for _ in range(one.is_changed)))
    elif one.file == str(STDIN_PATH):
        sys.stdout.buffer.write(one.after.encode())
    elif one.is_changed:
        try:
            rewrite(Path(one.file), one.before, one.after)
        except UsageError as error:
            return _Formatted(one.file, error=error)
        say(f"{one.file}: formatted")
    return one


def _show_difference(one: _Formatted) -> None:
    # 10 ms to import.
    from difflib import unified_diff

    from sandbook.cli._words import say

    lines = unified_diff(
        one.before.splitlines(),
        one.after.splitlines(),
        one.file,
        f"{one.file} (formatted)",
        lineterm="",
    )
    say(*lines)


def _tell_error(file: str, error: SandbookError) -> None:
    # As above.
    from sandbook.cli._main import error_words
    from sandbook.cli._words import counted, warn
    from sandbook.errors import RunbookError
    from sandbook.problems import render

    if not isinstance(error, RunbookError):
        warn(*error_words(error))
        return
    for problem in error.problems:
        warn(render(problem), "")
    wrong = sum(problem.severity == "error" for problem in error.problems)
    warn(f"{file}: {counted(wrong, 'problem')}; it was left as it is")


def _sum_up(told: Sequence[_Formatted], *, is_dry: bool) -> None:
    # As above.
    from sandbook.cli._words import counted, say

    changed = sum(one.is_changed for one in told)
    wrong = sum(one.error is not None for one in told)
    words = [
        f"{counted(changed, 'file')} {'would be formatted' if is_dry else 'formatted'}"
    ]
    if len(told) > changed + wrong:
        words.append(f"{len(told) - changed - wrong} unchanged")
    if wrong:
        words.append(f"{wrong} with problems")
    say(", ".join(words))
