"""What a command gave becomes an exit code, and an error becomes words.

The only place where an error is printed. No traceback reaches a user: one of a fault
is kept in a file.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import TextIO, cast

import click

from sandbook.cli._group import PipeClosedError, sandbook
from sandbook.cli._hiding import hidden
from sandbook.errors import NoProvider, RunbookError, SandbookError

CANCELLED = 130
FAULT = 70
PIPE_CLOSED = 141
"""What a shell shows for a program that was ended by a closed pipe."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    # Start-up makes many objects that live to the end: looking through them again
    # and again was a fifth of a short run's time.
    gc.disable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A name that this terminal cannot show must not end the command.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _answer(argv)
    except BrokenPipeError:
        # Of what tells an error: there is nobody to be told.
        code = PIPE_CLOSED
    finally:
        gc.freeze()
    return _flushed(code)


def _answer(argv: Sequence[str] | None) -> int:
    try:
        code: object = sandbook.main(argv, prog_name="sandbook", standalone_mode=False)
    except click.ClickException as error:
        return _tell_misuse(error)
    except (click.Abort, KeyboardInterrupt):
        return CANCELLED
    except PipeClosedError:
        return PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 (the last one who can tell it in words)
        return _tell(_only(error))
    return code if isinstance(code, int) else 0


def _only(error: Exception) -> Exception:
    """The one error inside groups of tasks, when there is only one."""
    inside = _members(error)
    return _only(inside[0]) if len(inside) == 1 else error


def _members(error: Exception) -> Sequence[Exception]:
    if isinstance(error, ExceptionGroup):
        return cast("ExceptionGroup[Exception]", error).exceptions
    return ()


def _tell(error: Exception) -> int:
    if isinstance(error, PipeClosedError | BrokenPipeError):
        return PIPE_CLOSED
    if not isinstance(error, SandbookError):
        # Loads what only a fault needs.
        from sandbook.cli._fault import fault_words

        _say(fault_words(error))
        return FAULT
    _say(error_words(error))
    return error.exit_code


def error_words(error: SandbookError) -> Iterator[str]:
    """The lines that tell an error and what to do about it."""
    if isinstance(error, RunbookError):
        yield from _problem_words(error)
        return
    if isinstance(error, NoProvider):
        yield "error: no provider could be used"
        yield from (f"  {name}: {reason}" for name, reason in error.attempts)
    else:
        yield f"error: {error}"
    yield from (f"  {line}" for line in error.remedy.splitlines())


def _problem_words(error: RunbookError) -> Iterator[str]:
    # Only a wrong runbook pays for it.
    from sandbook.problems import render

    for problem in error.problems:
        yield from (*render(problem).splitlines(), "")
    wrong = sum(problem.severity == "error" for problem in error.problems)
    yield f"{wrong} {'problem' if wrong == 1 else 'problems'}; nothing ran"


def _tell_misuse(error: click.ClickException) -> int:
    message = error.format_message().strip().rstrip(".")
    if not message:
        return error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _say([message])
        return error.exit_code
    lines = [f"error: {message[0].lower()}{message[1:]}"]
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        lines.append(f"  see `{context.command_path} --help`")
    _say(lines)
    return error.exit_code


def _say(lines: Iterator[str] | Sequence[str]) -> None:
    sys.stdout.flush()
    sys.stderr.write("".join(f"{_printable(hidden(line))}\n" for line in lines))
    sys.stderr.flush()


def _printable(line: str) -> str:
    """Control characters spelt out: words of others may obey no terminal."""
    shown = (c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in line)
    return "".join(shown)


def _flushed(code: int) -> int:
    """Write what is left; a reader who has gone is no reason for a traceback."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            _forget(stream)
            code = code or PIPE_CLOSED
    return code


def _forget(stream: TextIO) -> None:
    """Let the interpreter's own last flush go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
