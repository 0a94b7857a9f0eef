"""Whether a result is what the author expected, and in words why it is not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from sandbook.api import JSON, Bound, Files
from sandbook.errors import UsageError
from sandbook.expectations._files import FILE_LIMIT, unmet_files
from sandbook.expectations._matchers import MATCHERS, match
from sandbook.expectations._paths import NotThere, dig
from sandbook.expectations._words import ABSENT, SHOWN, Actual, shown
from sandbook.expressions import parse_json_path

__all__ = [
    "FILE_LIMIT",
    "MATCHERS",
    "SHOWN",
    "replaces",
    "shown",
    "unmet",
]

_TEXTS: Final = frozenset({"stdout", "stderr", "output", "text"})
_LOGGED: Final = frozenset({"stdout", "stderr", "output"})


async def unmet(
    subjects: Mapping[str, Bound],
    fields: Mapping[str, JSON],
    files: Files | None,
    *,
    cwd: str | None = None,
) -> tuple[str, ...]:
    """What does not hold, a sentence each; empty = all of it holds.

    `files` are those of the step's sandbox, needed for the subject `file` only;
    its paths are relative to `cwd`.
    """
    wrong: list[str] = []
    for subject, wanted in subjects.items():
        if subject == "file":
            wrong += await unmet_files(wanted, files, cwd)
        elif subject in ("json", "values"):
            wrong += await _paths(subject, wanted, fields)
        else:
            wrong += await _subject(subject, wanted, fields)
    return tuple(wrong)


def replaces(subjects: Mapping[str, Bound], subject: str | None) -> bool:
    """Whether these expectations take the place of the verb's own check."""
    return subject is not None and subject in subjects


async def _subject(
    subject: str, wanted: Bound, fields: Mapping[str, JSON]
) -> Sequence[str]:
    if wanted == "any" and subject in ("exit", "error"):
        return ()
    actual: Actual = fields.get(subject, ABSENT)
    if subject == "error":
        return await _error(wanted, actual)
    if subject == "exit" and actual is None:
        return ("exit cannot be judged: the program has not ended",)
    bare = "contains" if subject in _TEXTS else "equals"
    rules = wanted if isinstance(wanted, Mapping) else {bare: wanted}
    return await match(subject, rules, actual, logged=subject in _LOGGED)


async def _error(wanted: Bound, actual: Actual) -> Sequence[str]:
    if not isinstance(actual, Mapping):
        return ("an exception was expected and none came",)
    said = f"{actual.get('name')}: {actual.get('message')}"
    rules = wanted if isinstance(wanted, Mapping) else {"contains": wanted}
    return await match("error", rules, said)


async def _paths(
    subject: str, wanted: Bound, fields: Mapping[str, JSON]
) -> Sequence[str]:
    if not isinstance(wanted, Mapping):
        raise UsageError(f"`{subject}` takes a map of paths and what they equal")
    if subject not in fields:
        return (_why_missing(subject, fields),)
    wrong: list[str] = []
    for path, rule in wanted.items():
        keys = parse_json_path(path) if subject == "json" else (path,)
        try:
            found = dig(fields[subject], keys)
        except NotThere as error:
            wrong.append(f"{subject} has no {path!r}: {error}")
            continue
        wrong += await match(f"{subject} {path}", _as_matchers(rule), found)
    return wrong


def _why_missing(subject: str, fields: Mapping[str, JSON]) -> str:
    name = next((n for n in ("stdout", "text") if n in fields), None)
    if subject != "json" or name is None:
        return f"{subject} is missing"
    if "results" in fields:
        return f"the last value has no JSON form: {shown(str(fields['text']))}"
    text = str(fields[name])
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{error.msg} in line {error.lineno} column {error.colno}"
        return f"{name} is not JSON ({place}), it is {shown(text)}"
    except (ValueError, RecursionError):
        return f"{name} is JSON that cannot be read: too deep or too large a number"
    return f"{name} is JSON with NaN or half a character, which no JSON has"


def _as_matchers(rule: Bound) -> Mapping[str, Bound]:
    """A map of nothing but matchers is one; any other value is to be equalled."""
    if isinstance(rule, Mapping) and rule and set(rule) <= set(MATCHERS):
        return rule
    return {"equals": rule}
