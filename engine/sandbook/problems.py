"""How a problem of a runbook is shown, and what each code means."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from sandbook.errors import Problem

CODES: Mapping[str, str] = {
    "SB100": (
        "The file could not be read as text. A runbook is one UTF-8 file of at most 1 "
        "MiB."
    ),
    "SB101": (
        "The file is not YAML at this place. Most often an indentation or a quote is "
        "off; a text with `: `, `{` or `*` in it needs quotes where it is not the "
        "rest of a line."
    ),
    "SB102": "A tab stands where YAML wants spaces. Inside texts tabs are allowed.",
    "SB103": (
        "A key stands twice in one map. YAML tools keep the last one silently; here "
        "it is refused."
    ),
    "SB104": (
        "A value begins with `!`, which YAML takes for a tag. Quote the text; tags "
        "have no meaning here."
    ),
    "SB105": (
        "Inside a quoted YAML text an expression must use the other kind of quote, or "
        "escape it as YAML asks, so that every YAML tool reads the same."
    ),
    "SB106": (
        "An alias (`*name`) has no anchor (`&name`) above it, or stands inside its "
        "own value."
    ),
    "SB107": (
        "The file is too large: more than 1 MiB, 100,000 values after aliases, or 100 "
        "levels."
    ),
    "SB108": (
        "A text contains ` #`. It was kept as text, since this key takes the whole "
        "rest of its line. Quote the text to say so, or put the comment on a line of "
        "its own."
    ),
    "SB109": (
        "A text contains ` #`, which could be text or a comment. Quote the text, or "
        "put the comment on a line of its own."
    ),
    "SB110": (
        "A runbook is one YAML document: one map of keys. A second document (`---`) "
        "belongs into another file."
    ),
    "SB201": "This key does not exist here. The nearest name is shown, if one is near.",
    "SB202": "A key that must be there is missing.",
    "SB203": "The value is of another type than this key takes.",
    "SB204": "The value is not one of those this key knows.",
    "SB205": (
        "A duration or a size is not written as one. A number alone is refused, "
        "because nobody can see its unit: `30s`, `5m`, `512MB`, `1GiB`."
    ),
    "SB206": "Booleans are written true and false, without quotes.",
    "SB207": (
        "This number would not come back as it is written (3.10 would become 3.1, 007 "
        "would become 7). Quote it if it is a text, or write it plainly."
    ),
    "SB208": (
        "Names are letters, digits and `_`, not starting with a digit. `my-step` "
        "would be a subtraction in an expression."
    ),
    "SB209": "A step needs exactly one verb: the key that says what it does.",
    "SB210": "A step has two verbs. Make it two steps.",
    "SB211": "This name is already used in the file.",
    "SB212": "The first key of a runbook is `runbook: 1`, the version of the language.",
    "SB213": "This key makes no sense for this verb.",
    "SB214": (
        "There is no such sandbox at this place, or the step must say in which one it "
        "runs."
    ),
    "SB215": (
        "The value is too small, too large, too short, too long, or does not have the "
        "required form."
    ),
    "SB216": "Names that begin with SANDBOOK cannot be set in `env`: they are ours.",
    "SB217": "The default of an input does not fit its own declaration.",
    "SB301": "The expression is not of the language.",
    "SB302": (
        "The expression uses a name that does not exist, or cannot be used at this "
        "place."
    ),
    "SB303": "The result of that step has no such field.",
    "SB304": (
        "An expression can only use results of steps above it, and not of its "
        "siblings in the same `parallel`."
    ),
    "SB305": "No expression may stand here: the value is needed before anything runs.",
    "SB306": (
        "A secret may stand only in `env`, `with`, `stdin`, `write` content, "
        "`headers` and the `secret` of a terminal, and only as `${{ secrets.NAME }}`."
    ),
    "SB307": (
        "There is no such filter. The language has: default length lower upper trim "
        "replace split join first last min max sum sort unique reverse int float "
        "string round abs tojson fromjson basename dirname."
    ),
    "SB308": (
        "An expression begins with `${{` and ends with `}}` on the same line. For a "
        "plain `${{` write `$${{`."
    ),
    "SB309": (
        "A value cannot be bound safely at this place of a shell text. Set it as a "
        "variable with `env` and use that, or put the expression outside."
    ),
}
"""What `sandbook explain CODE` says."""

_NEAR: Final = 0.6
_LONGEST_LINE: Final = 160


def render(problem: Problem) -> str:
    """Show a problem: place and message, the line with a caret, the remedy.

    The last line has no line end.
    """
    word = "warning: " if problem.severity == "warning" else ""
    shown = [f"{problem.at}: {word}{problem.message} ({problem.code})"]
    if problem.source:
        number = str(problem.at.line)
        line, before = _part_of_line(problem)
        shown.append(f"  {number} | {line}".rstrip())
        gap = " " * _width(line[:before])
        caret = "^" * max(1, _width(line[before:][: problem.length]))
        shown.append(f"  {' ' * len(number)} | {gap}{caret}")
    if problem.remedy:
        shown += [f"  {line}".rstrip() for line in problem.remedy.splitlines()]
    return "\n".join(shown)


def _part_of_line(problem: Problem) -> tuple[str, int]:
    """What is shown of the line, and how many characters stand before the caret."""
    line = "".join(char if char.isprintable() else " " for char in problem.source)
    before = problem.at.column - 1
    start = max(0, before - _LONGEST_LINE // 2)
    shown = line[start : start + _LONGEST_LINE]
    if start:
        shown = "…" + shown[1:]
    if start + _LONGEST_LINE < len(line):
        shown = shown[:-1] + "…"
    return shown, before - start


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """The choice that looks most like `name`, if any is near."""
    wanted = name.casefold()
    ranked = max(
        (
            (
                difflib.SequenceMatcher(None, wanted, choice.casefold()).ratio(),
                choice[:1].casefold() == wanted[:1],
                choice,
            )
            for choice in choices
        ),
        default=None,
    )
    return ranked[2] if ranked and ranked[0] >= _NEAR else None


def suggest(name: str, choices: Iterable[str], *, kind: str = "known here") -> str:
    """The remedy for a wrong name: the nearest one, else all of them."""
    known = list(choices)
    near = nearest(name, known)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"{kind}: {', '.join(known)}" if known else f"{kind}: none"


def _width(text: str) -> int:
    """Columns of a terminal: wide characters take two, marks none."""
    return sum(
        0
        if unicodedata.combining(char)
        else 2
        if unicodedata.east_asian_width(char) in "WF"
        else 1
        for char in text
    )
