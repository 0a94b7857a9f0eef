"""Decides what the inputs of a run are: what is given, checked as it is declared."""

from __future__ import annotations

import re
import shlex
import signal
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sandbook.api import JSON
from sandbook.errors import UsageError
from sandbook.local_paths import is_there, real_path
from sandbook.problems import suggest
from sandbook.runbook import InputSpec, Runbook

PATIENCE_S = 2.0
"""How long a `pattern` may look at one value."""

_INTEGER = re.compile(r"[+-]?\d{1,300}")
_NUMBER = re.compile(r"[+-]?(?:\d{1,300}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A text that somebody wrote, and the words for where."""

    text: str
    place: str = ""


InputValue: TypeAlias = "JSON | Path"
"""What a Python program gives: a value of the input's type, or a text."""

GivenValue: TypeAlias = "InputValue | Given"


def resolve_inputs(
    runbook: Runbook,
    given: Mapping[str, GivenValue],
    *,
    here: Path | None = None,
) -> Mapping[str, JSON]:
    """The value of every declared input, typed, in the order of the file.

    A `file` that is given is relative to `here` (default: the current folder) and
    becomes absolute; a default stays as it is written.

    Raises:
        UsageError: Lists every problem, with a remedy a line.
    """
    problems, remedies = _unknown(given, runbook.inputs)
    values: dict[str, JSON] = {}
    for name, spec in runbook.inputs.items():
        try:
            values[name] = _value(spec, given, runbook, here or Path.cwd())
        except ValueError as error:
            problems.append(f"{_place(given.get(name))}input {name!r}: {error}")
            remedies.append(f"give it with -i {name}={example_of(spec)}")
    _raise(problems, remedies)
    return values


def refuse_unknown(given: Mapping[str, GivenValue], known: Iterable[str]) -> None:
    """Raise `UsageError` for all that is given and is no known input."""
    _raise(*_unknown(given, known))


def missing_inputs(
    runbook: Runbook, given: Mapping[str, object]
) -> tuple[InputSpec, ...]:
    """The inputs that must be given and are not."""
    specs = runbook.inputs.values()
    return tuple(spec for spec in specs if spec.required and spec.name not in given)


def read_input(spec: InputSpec, text: str) -> JSON:
    """A text as the input's type; raises `ValueError` with words to show."""
    match spec.type:
        case "integer":
            return _in_range(spec, _integer(text))
        case "number":
            return _in_range(spec, _number(text))
        case "boolean":
            if text not in ("true", "false"):
                raise ValueError(f"must be true or false, not {text!r}")
            return text == "true"
        case "choice":
            if text not in spec.options:
                raise ValueError(
                    f"must be one of {', '.join(spec.options)}, not {text!r}"
                )
            return text
        case _:
            return _matching(spec, text)


def read_given(spec: InputSpec, text: str, here: Path) -> JSON:
    """What a person wrote, as the input's type; raises `ValueError`.

    A file must be there; it becomes absolute.
    """
    value = read_input(spec, text)
    if spec.type != "file":
        return value
    path = _expanded(text)
    if not text or not is_there(here / path):
        raise ValueError(f"there is no file {text!r}")
    return str((here / path).absolute())


def example_of(spec: InputSpec) -> str:
    """A value that fits, as a shell takes it; else what to write there."""
    if spec.options:
        return shlex.quote(spec.options[0])
    lowest = spec.minimum if spec.minimum is not None else min(1, spec.maximum or 1)
    number = _plain(lowest)
    examples = {"integer": number, "number": number, "boolean": "true", "file": "PATH"}
    return examples.get(spec.type, "VALUE")


def _unknown(
    given: Mapping[str, GivenValue], known: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Problems and remedies for what is no input."""
    names = list(known)
    unknown = [name for name in given if name not in names]
    return (
        [f"{_place(given[name])}there is no input {name!r}" for name in unknown],
        [suggest(name, names, kind="inputs") for name in unknown],
    )


def _raise(problems: Sequence[str], remedies: Sequence[str]) -> None:
    if problems:
        unique = dict.fromkeys(remedies)
        raise UsageError("; ".join(problems), remedy="\n".join(unique))


def _place(given: GivenValue) -> str:
    place = given.place if isinstance(given, Given) else ""
    return f"{place}: " if place else ""


def _value(
    spec: InputSpec, given: Mapping[str, GivenValue], runbook: Runbook, here: Path
) -> JSON:
    if spec.name in given:
        return read_given(spec, _as_text(given[spec.name]), here)
    if spec.required:
        about = f" ({spec.description})" if spec.description else ""
        raise ValueError(f"must be given{about}")
    if spec.type == "file":
        _check_default_file(str(spec.default), runbook)
    return spec.default


def _as_text(value: GivenValue) -> str:
    """The value as the command line would give it."""
    if isinstance(value, Given):
        return value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float | Path):
        return str(value)
    kind = "nothing" if value is None else f"a {type(value).__name__}"
    raise ValueError(f"must be a text, a number, a boolean or a path, not {kind}")


def _check_default_file(written: str, runbook: Runbook) -> None:
    path = real_path(runbook.folder / written)
    if not path.is_relative_to(real_path(runbook.project)):
        raise ValueError(f"its default {written!r} is outside the project")
    if not is_there(path):
        raise ValueError(f"there is no file {written!r} beside the runbook")


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        # `~somebody` who does not exist: a name like any other.
        return Path(text)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"must be a whole number, not {text!r}")
    return int(text)


def _number(text: str) -> int | float:
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text) or float(text) in (float("inf"), float("-inf")):
        raise ValueError(f"must be a number, not {text!r}")
    return float(text)


def _in_range(spec: InputSpec, number: float) -> int | float:
    if spec.minimum is not None and number < spec.minimum:
        raise ValueError(f"must be at least {_plain(spec.minimum)}, not {number}")
    if spec.maximum is not None and number > spec.maximum:
        raise ValueError(f"must be at most {_plain(spec.maximum)}, not {number}")
    return number


def _plain(number: float) -> str:
    """A number as people write it: no `.0`, no `1e+06`."""
    return str(int(number)) if number == int(number) else str(number)


def _matching(spec: InputSpec, text: str) -> str:
    if spec.pattern is None:
        return text
    with _limited(spec.pattern):
        fits = re.fullmatch(spec.pattern, text)
    if not fits:
        raise ValueError(
            f"must match the pattern {spec.pattern}, and {text!r} does not"
        )
    return text


@contextmanager
def _limited(pattern: str) -> Generator[None]:
    """End a search that would take for ever, as `(a+)+b` does.

    A signal is the only thing that `re` looks at while it searches, and only the
    main thread gets one; elsewhere the search is not limited.
    """

    def stop(_number: int, _frame: object) -> None:
        raise ValueError(f"the pattern {pattern} takes too long to look at it")

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    rest, _ = signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, rest)
        signal.signal(signal.SIGALRM, before)
