"""Broken runbooks by the thousand: mutants of good ones, and values of wrong types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from sandbook.api import Schema, VerbSpec
from sandbook.schema import (
    alternatives,
    items_of,
    kind_of,
    properties_of,
    step_keys,
    top_keys,
    words_of,
)

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_PIECES = (
    *(": ", ":", "- ", "-", "? ", "?", "[", "]", "{", "}", ", ", ",", " #", "#"),
    *("'", '"', "''", "\\", "\\n", "|", ">", "|2-\n", ">+\n", "&a ", "*a", "!x ", "%"),
    *("@", "`", "<<: *a", "<<: ", "---\n", "...\n", "%YAML 1.2\n", "=", "~", "null"),
    *(
        "\n",
        "\n  ",
        "\n    ",
        " ",
        "  ",
        "\t",
        "\r",
        "\r\n",
        "\x85",
        "\u2028",
        "\ufeff",
    ),
    *("${{ inputs.a }}", "${{", "}}", "$${{", "${{ '}}' }}", "${{ '' }}", "''}}''"),
    *('${{ "a" }}', "${{ a # b: c }}", "${{ secrets.A }}", "${{ steps.a.text }}"),
    *("é", "鍵", "e\u0301", "\U0001f600", "\U00100000", "\\U00100001", "\\ud800", "\0"),
    *("\x07", "\x7f", "\ud800", "\udc80", "\ufffe", "3.10", "NO", "0644", "1e999"),
    *(
        "9" * 400,
        "-0",
        ".inf",
        "30s",
        "1h" * 50,
        "none",
        "true",
        "[" * 120,
        "{a: " * 60,
    ),
    *("name: ", "command: ", "steps:\n", "  - see: a #b", "if: ", "env: {A: b}\n"),
)


_SCRAPS = (
    *("a", "1", " ", "\n", "\n  ", "\n- ", "\n a: ", ": ", "- ", "? ", "?", ":", ", "),
    *("[", "]", "{", "}", "#", " #", "'", '"', "|", ">", "|\n  ", "&a ", "*a", "!x "),
    *("%", "\n%", "\t", "\r", "\\", "\\ud800", "-", "\n---\n", "\n...\n", "\u2028"),
)


def mutated(texts: Sequence[str], *, most: int = 6) -> st.SearchStrategy[str]:
    """One of the texts, changed in up to so many places."""
    return st.builds(
        _mutant,
        st.sampled_from(texts),
        st.lists(_CHANGES, min_size=1, max_size=most),
    )


def scraps(*, texts: int, most: int) -> st.SearchStrategy[list[str]]:
    """So many texts, each of up to so many pieces of YAML; most of them are none.

    Many at a time, since to choose costs more than to read.
    """
    return st.integers(0, 2**48).map(
        lambda seed: [_scrap(Random(f"{seed} {one}"), most) for one in range(texts)]
    )


def _scrap(random: Random, most: int) -> str:
    pieces = _SCRAPS if random.random() < 0.7 else _SCRAPS + _PIECES
    return "".join(random.choices(pieces, k=random.randint(1, most)))


@dataclass(frozen=True)
class _Change:
    kind: str
    where: float
    other: float
    piece: str


_CHANGES = st.builds(
    _Change,
    st.sampled_from(
        ("insert", "insert", "cut", "cut", "twice", "swap", "token", "line", "indent")
    ),
    st.floats(0, 1),
    st.floats(0, 1),
    st.one_of(st.sampled_from(_PIECES), st.text(max_size=3)),
)


def _mutant(text: str, changes: Sequence[_Change]) -> str:
    for change in changes:
        text = _changed(text, change)
    return text


def _changed(text: str, change: _Change) -> str:
    at = int(change.where * len(text))
    end = min(len(text), at + 1 + int(change.other * 12))
    if change.kind == "insert":
        return text[:at] + change.piece + text[at:]
    if change.kind == "cut":
        return text[:at] + text[end:]
    if change.kind == "twice":
        return text[:end] + text[at:]
    split = _TOKEN.findall(text) if change.kind == "token" else text.splitlines(True)
    parts = [str(part) for part in split]
    if not parts:
        return change.piece
    first = min(int(change.where * len(parts)), len(parts) - 1)
    second = min(int(change.other * len(parts)), len(parts) - 1)
    if change.kind == "token":
        parts[first] = change.piece
    elif change.kind == "indent":
        parts[first] = " " * int(change.other * 5) + parts[first].lstrip(" ")
    elif change.kind == "line":
        parts.insert(second, parts[first])
    else:
        parts[first], parts[second] = parts[second], parts[first]
    return "".join(parts)


_GOOD: Mapping[str, Sequence[str]] = {
    "boolean": ("true", "false"),
    "integer": ("0", "3"),
    "number": ("1.5", "2"),
    "duration": ("30s", "1h30m"),
    "size": ("1GiB", "512MB"),
    "octal": ("0644",),
    "name": ("a", "b1", "main"),
    "expression": ("true", "inputs.a == 'x'", "${{ not false }}"),
    "whole": ("${{ inputs.a }}",),
    "version": ("1",),
    "nothing": ("",),
}
_TEXTS = ("x", "a: b", "a #b", "${{ inputs.a }}", "'q'", '"d"', "|\n", "3.10", "*a", "")
_WRONG = (
    *("", "~", "[]", "{}", "[a, [b]]", "{a: {b: c}}", "yes", "30", "-1", "1e3", "x y"),
    *(
        "${{ inputs.b }}",
        "${{ 1 +",
        "a${{ item }}",
        "'30s'",
        "*a",
        "!x",
        "|\n",
        "9" * 40,
    ),
    *(
        "[${{ steps.a }}]",
        "none",
        "{a: ${{ run.id }}, <<: {}}",
        '"\\ud800"',
        "\U00100000",
    ),
)


def structures(verbs: Mapping[str, VerbSpec]) -> st.SearchStrategy[str]:
    """What looks like a runbook; one value in ten is of another type."""
    return st.integers(0, 2**48).map(lambda seed: _Writer(verbs, Random(seed)).text())


class _Writer:
    def __init__(self, verbs: Mapping[str, VerbSpec], random: Random) -> None:
        self._verbs = verbs
        self._random = random

    def text(self) -> str:
        """A whole file."""
        top = top_keys(self._verbs)
        chosen = [key for key in top if self._random.random() < 0.3]
        lines = ["runbook: 1"]
        for key in dict.fromkeys((*chosen, "steps")):
            if key != "runbook":
                lines += self._pair(key, top[key], 0)
        return "\n".join(lines) + "\n"

    def _pair(self, key: str, schema: Schema, depth: int) -> list[str]:
        first, *more = self._value(schema, depth + 1)
        return [f"{key}: {first}".rstrip(" "), *("  " + line for line in more)]

    def _value(self, schema: Schema, depth: int) -> list[str]:
        """The lines of a value; the first stands behind its key."""
        random = self._random
        if random.random() < 0.1 or depth > 6:
            return [random.choice(_WRONG)]
        one = random.choice(alternatives(schema))
        if one.get("x-steps"):
            return ["", *self._items(depth, lambda: self._step(depth))]
        if one.get("type") == "array":
            inner = items_of(one)
            return ["", *self._items(depth, lambda: self._value(inner, depth + 1))]
        if one.get("type") == "object":
            return self._map(one, depth)
        words = words_of(one, "enum")
        if words:
            return [random.choice(words)]
        return [random.choice(_GOOD.get(kind_of(one), _TEXTS))]

    def _items(self, depth: int, make: Callable[[], list[str]]) -> list[str]:
        lines: list[str] = []
        for _ in range(self._random.randint(1, 3 if depth < 3 else 1)):
            first, *more = make() or [""]
            lines += [f"- {first}", *("  " + line for line in more)]
        return lines

    def _map(self, schema: Schema, depth: int) -> list[str]:
        known = properties_of(schema)
        names = [name for name in known if self._random.random() < 0.4]
        others = schema.get("additionalProperties")
        if isinstance(others, dict) or not names:
            names.append(self._random.choice(("a", "B", "x-y", "<<", "SANDBOOK_A")))
        lines = [""]
        for name in names:
            lines += self._pair(name, known.get(name, {"x-kind": "free"}), depth)
        return lines

    def _step(self, depth: int) -> list[str]:
        verb = self._random.choice(list(self._verbs.values()))
        known = step_keys(verb)
        required = {verb.name, *verb.required}
        lines: list[str] = []
        for name in known:
            if name in required or self._random.random() < 0.15:
                lines += self._pair(name, known[name], depth)
        return lines
