"""Whether a result is what the author expected, and in words why it is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sandbook.api import JSON, Bound, Files
from sandbook.errors import FileError, TooLarge, UsageError

MATCHERS = (
    "equals",
    "contains",
    "not_contains",
    "matches",
    "more_than",
    "less_than",
    "one_of",
)
FILE_LIMIT = 10 << 20
SHOWN = 120
"""Characters of an actual value that a message repeats."""

Rule = Callable[[JSON, Bound], str]
"""Gives the words of what was wanted, or nothing when it holds."""

_NO_LIST = (bool, int, float, str, Mapping)
_TEXT_SUBJECTS = frozenset({"stdout", "stderr", "output", "text"})
_FILE_KEYS = frozenset({"path", "exists", "size"})


async def unmet(
    subjects: Mapping[str, Bound], fields: Mapping[str, JSON], files: Files | None
) -> tuple[str, ...]:
    """What does not hold, a sentence each; empty = all of it holds.

    `files` are those of the step's sandbox, needed for the subject `file` only.
    """
    wrong: list[str] = []
    for subject, wanted in subjects.items():
        if subject == "file":
            wrong += await _files(wanted, files)
        elif subject in ("json", "values"):
            wrong += _paths(subject, wanted, fields.get(subject))
        else:
            wrong += _subject(subject, wanted, fields)
    return tuple(wrong)


def replaces(subjects: Mapping[str, Bound], subject: str | None) -> bool:
    """Whether these expectations take the place of the verb's own check."""
    return subject is not None and subject in subjects


def _subject(subject: str, wanted: Bound, fields: Mapping[str, JSON]) -> Sequence[str]:
    if wanted == "any" and subject in ("exit", "error"):
        return ()
    actual = fields.get(subject)
    if subject == "error":
        return _error(wanted, actual)
    if isinstance(wanted, Mapping):
        return _matchers(subject, wanted, actual)
    bare = "contains" if subject in _TEXT_SUBJECTS else "equals"
    return _matchers(subject, {bare: wanted}, actual)


def _error(wanted: Bound, actual: JSON) -> Sequence[str]:
    if not isinstance(actual, Mapping):
        return ("an exception was expected and none came",)
    said = f"{actual.get('name')}: {actual.get('message')}"
    rules = wanted if isinstance(wanted, Mapping) else {"contains": wanted}
    return _matchers("error", rules, said)


def _paths(subject: str, wanted: Bound, actual: JSON) -> Sequence[str]:
    if not isinstance(wanted, Mapping):
        raise UsageError(f"`{subject}` takes a map of paths and what they equal")
    if actual is None:
        return (f"{subject} is missing",)
    wrong: list[str] = []
    for path, rule in wanted.items():
        found, value = _dig(actual, path if subject == "json" else f'["{path}"]')
        if not found:
            wrong.append(f"{subject} has no {path!r}")
            continue
        wrong += _matchers(f"{subject} {path}", _as_matchers(rule), value)
    return wrong


def _as_matchers(rule: Bound) -> Mapping[str, Bound]:
    """A map of nothing but matchers is one; any other value is to be equalled."""
    if isinstance(rule, Mapping) and rule and set(rule) <= set(MATCHERS):
        return rule
    return {"equals": rule}


_PART = re.compile(r'\.?([^.\[\]]+)|\[(\d+)\]|\["([^"]*)"\]')


def _dig(value: JSON, path: str) -> tuple[bool, JSON]:
    """The value at `a.b[0].c`, and whether there is one."""
    for key, index, quoted in _PART.findall(path):
        if index:
            items = _items(value)
            if int(index) >= len(items):
                return False, None
            value = items[int(index)]
        else:
            name = key or quoted
            if not isinstance(value, Mapping) or name not in value:
                return False, None
            value = value[name]
    return True, value


def _items(value: JSON) -> Sequence[JSON]:
    return () if value is None or isinstance(value, _NO_LIST) else value


async def _files(wanted: Bound, files: Files | None) -> Sequence[str]:
    if files is None:
        raise UsageError("`file` needs a sandbox and this step has none")
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        wrong: list[str] = []
        for item in wanted:
            wrong += await _file(item, files)
        return wrong
    return await _file(wanted, files)


async def _file(wanted: Bound, files: Files) -> Sequence[str]:
    rules = wanted if isinstance(wanted, Mapping) else {"path": wanted}
    path = str(rules.get("path"))
    try:
        stat = await files.stat(path, follow=True)
    except FileNotFoundError:
        missing = rules.get("exists") is False
        return () if missing else (f"there is no file {path!r}",)
    if rules.get("exists") is False:
        return (f"{path!r} exists",)
    wrong: list[str] = []
    if "size" in rules:
        size = rules["size"]
        size_rules = size if isinstance(size, Mapping) else {"equals": size}
        wrong += _matchers(f"the size of {path!r}", size_rules, stat.size)
    matchers = {k: v for k, v in rules.items() if k not in _FILE_KEYS}
    if matchers:
        wrong += await _file_text(path, matchers, files)
    return wrong


async def _file_text(
    path: str, matchers: Mapping[str, Bound], files: Files
) -> Sequence[str]:
    try:
        data = await files.read(path, limit=FILE_LIMIT)
    except TooLarge:
        return (
            f"{path!r} is larger than {FILE_LIMIT >> 20} MiB: too large to look into",
        )
    except FileError as error:
        return (str(error),)
    return _matchers(repr(path), matchers, data.decode(errors="replace"))


def _matchers(subject: str, rules: Mapping[str, Bound], actual: JSON) -> Sequence[str]:
    wrong: list[str] = []
    for name, wanted in rules.items():
        rule = _RULES.get(name)
        if rule is None:
            raise UsageError(
                f"{name!r} is no matcher", remedy=f"matchers: {', '.join(MATCHERS)}"
            )
        told = rule(actual, wanted)
        if told:
            wrong.append(f"{subject} {told}, it is {_shown(actual)}")
    return wrong


def _shown(value: JSON) -> str:
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def _equals(actual: JSON, wanted: Bound) -> str:
    # 1 == True in Python; in a runbook they are different things.
    same = actual == wanted and isinstance(actual, bool) == isinstance(wanted, bool)
    return "" if same else f"should equal {wanted!r}"


def _contains(actual: JSON, wanted: Bound) -> str:
    lacking = [w for w in _each(wanted) if not _holds(actual, w)]
    return f"should contain {lacking[0]!r}" if lacking else ""


def _not_contains(actual: JSON, wanted: Bound) -> str:
    there = [w for w in _each(wanted) if _holds(actual, w)]
    return f"should not contain {there[0]!r}" if there else ""


def _holds(actual: JSON, wanted: Bound) -> bool:
    if isinstance(actual, str):
        return str(wanted) in actual
    return isinstance(actual, Sequence | Mapping) and wanted in actual


def _each(wanted: Bound) -> Sequence[Bound]:
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return wanted
    return (wanted,)


def _one_of(actual: JSON, wanted: Bound) -> str:
    if any(not _equals(actual, item) for item in _each(wanted)):
        return ""
    return f"should be one of {wanted!r}"


def _more_than(actual: JSON, wanted: Bound) -> str:
    value, limit = _as_number(actual), _as_number(wanted)
    holds = value is not None and limit is not None and value > limit
    return "" if holds else f"should be more than {wanted}"


def _less_than(actual: JSON, wanted: Bound) -> str:
    value, limit = _as_number(actual), _as_number(wanted)
    holds = value is not None and limit is not None and value < limit
    return "" if holds else f"should be less than {wanted}"


def _as_number(value: Bound) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    try:
        return float(value.strip())
    except ValueError:
        return None


def _matches(actual: JSON, wanted: Bound) -> str:
    text = actual if isinstance(actual, str) else ""
    try:
        found = re.search(str(wanted), text, re.MULTILINE)
    except re.error as error:
        raise UsageError(f"{wanted!r} is no regular expression: {error}") from error
    return "" if found else f"should match {wanted!r}"


_RULES: Mapping[str, Rule] = {
    "equals": _equals,
    "contains": _contains,
    "not_contains": _not_contains,
    "matches": _matches,
    "more_than": _more_than,
    "less_than": _less_than,
    "one_of": _one_of,
}
