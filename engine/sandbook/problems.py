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
    "SB218": (
        "This key says more about another one, and that other key is not there, so it "
        "would do nothing."
    ),
    "SB219": (
        "The path leaves the folder it must stay in. Paths on this computer stay "
        "inside the project: the nearest folder above the runbook with `.git` or "
        "`sandbook.yaml`, else the runbook's own folder."
    ),
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
    "SB401": (
        "A value is never pasted into a program, but some programs read what they are "
        "given as code once more: eval, sh -c, ssh, python -c, and the number tests "
        "of [[ ]]. There a value with quotes or $( ) in it could run something. Hand "
        "it over as an argument of its own, or through `env`."
    ),
    "SB402": (
        "A shell stops at a command that fails, but not at one that stands before "
        "&&. In `cd app && make` above the last line, a missing folder goes unnoticed "
        "and the next line runs in the wrong place."
    ),
    "SB403": (
        "`export x=$(…)` and `local x=$(…)` succeed even when the command inside "
        "fails, so the shell does not stop. Set the variable first."
    ),
    "SB404": (
        "sh has only the last command of a pipe decide whether the pipe failed; bash, "
        "as it is used here, looks at all of them."
    ),
    "SB405": (
        "Each command is a new shell: the folder changed by `cd` and the variables "
        "set by `export` are gone when it ends. Files stay, and so do background "
        "commands."
    ),
    "SB406": (
        "An input or a secret is declared and nothing uses it. Most often its name is "
        "missing somewhere, or it was forgotten."
    ),
    "SB407": "A `retry` that can never try again: what it waits for never happens.",
    "SB501": (
        "The runbook that `use` names is not there, or lies outside the project: the "
        "nearest folder above with `.git` or `sandbook.yaml`, else the runbook's own."
    ),
    "SB502": (
        "Runbooks that use each other in a circle would never end; more than 16 in a "
        "row, or 10,000 steps together, are refused too."
    ),
    "SB503": "What stands under `with` does not fit the inputs of the runbook it uses.",
    "SB504": (
        "A runbook that is used gets no secret that the file which uses it does not "
        "list: whoever reads that file sees what it hands on."
    ),
    "SB505": (
        "A runbook that is used works in the sandbox of the step that uses it, and "
        "cannot end it. With `sandbox:` or `create` it has its own."
    ),
}
"""What `sandbook explain CODE` says."""

_NEAR: Final = 0.6

_ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "allow_failure": ("continue_on_error", "ignore_errors", "ignore_failure"),
    "artifacts": ("files", "artefacts"),
    "check": ("assert", "test", "http", "verify"),
    "choice": ("enum", "select"),
    "command": ("run", "exec", "script", "shell", "cmd", "sh", "bash", "task"),
    "content": ("text", "contents", "body", "data"),
    "contains": ("has", "includes", "says"),
    "cwd": ("working_directory", "workdir", "working_dir", "dir", "chdir"),
    "description": ("ask", "about", "info", "help", "prompt", "label"),
    "env": ("environment", "variables", "vars"),
    "exit": ("exit_code", "code", "exitcode", "rc", "return_code"),
    "expect": ("asserts", "assertions", "tests"),
    "finally": ("cleanup", "after", "post", "always", "teardown_steps"),
    "for_each": ("loop", "with_items", "range", "matrix", "foreach", "each"),
    "if": ("when", "condition", "only_if"),
    "inputs": ("params", "parameters", "args"),
    "not_contains": ("excludes", "lacks", "contains_not"),
    "output": ("says",),
    "parallel": ("concurrently", "together"),
    "retry": ("attempts", "until"),
    "run_code": ("code", "python", "javascript", "notebook"),
    "save": ("register", "capture", "set"),
    "setup": ("before", "init", "prepare"),
    "steps": ("jobs", "tasks", "stages"),
    "string": ("text", "str"),
    "template": ("image", "base", "snapshot"),
    "timeout": ("time_limit", "timeout_minutes", "ttl"),
    "to": ("target", "dest", "destination"),
    "use": ("uses", "include", "import", "call"),
    "wait": ("delay", "sleep", "interval"),
    "watch": ("wait_for",),
    "write": ("file", "create_file", "put"),
}
"""What other tools call the same, or people say first."""

_LONGEST_LINE: Final = 160


def render(problem: Problem) -> str:
    """Show a problem: place and message, the line with a caret, the remedy.

    The last line has no line end.
    """
    word = "warning: " if problem.severity == "warning" else ""
    shown = [f"{problem.at}: {word}{_printable(problem.message)} ({problem.code})"]
    if problem.source:
        number = str(problem.at.line)
        line, before = _part_of_line(problem)
        shown.append(f"  {number} | {line}".rstrip())
        gap = " " * _width(line[:before])
        caret = "^" * max(1, _width(line[before:][: problem.length]))
        shown.append(f"  {' ' * len(number)} | {gap}{caret}")
    if problem.remedy:
        lines = (_printable(line) for line in problem.remedy.splitlines())
        shown += [f"  {line}".rstrip() for line in lines]
    return "\n".join(shown)


def _printable(text: str) -> str:
    """The text; what a file could do to a terminal is written as an escape."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _part_of_line(problem: Problem) -> tuple[str, int]:
    """What is shown of the line, and how many characters stand before the caret."""
    line = problem.source
    before = problem.at.column - 1
    start = max(0, before - _LONGEST_LINE // 2)
    # Only what is shown: a line may be a MiB long, and have many problems.
    window = line[start : start + _LONGEST_LINE]
    shown = "".join(char if char.isprintable() else " " for char in window)
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
    known = list(dict.fromkeys(choices))
    near = nearest(name, known) or _meant_elsewhere(name, known)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"{kind}: {', '.join(known)}" if known else f"{kind}: none"


def suggest_or_declare(
    name: str, choices: Iterable[str], declaration: str | None
) -> str:
    """The remedy for a wrong name that could as well be one to declare."""
    near = suggest(name, choices)
    if near.startswith("did you mean") or declaration is None:
        return near
    return f"declare it: {declaration}"


def _meant_elsewhere(name: str, choices: Iterable[str]) -> str | None:
    word = name.casefold().replace("-", "_").replace(" ", "_")
    return next((one for one in choices if word in _ELSEWHERE.get(one, ())), None)


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
