"""Texts of up to a mebibyte that cost a careless reader minutes, or all memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

_HEAD = "runbook: 1\nsteps:\n"
_CODE = f"{_HEAD}- command: "
_IF = f"{_HEAD}- command: x\n  if: "


def _filled(unit: str, head: str = "", tail: str = "") -> str:
    room = (1 << 20) - len(head.encode()) - len(tail.encode())
    return head + unit * (room // len(unit.encode())) + tail


def _bomb() -> str:
    lists = (f"- &a{one} [{', '.join([f'*a{one - 1}'] * 9)}]\n" for one in range(1, 40))
    return "- &a0 [x]\n" + "".join(lists)


def _merge_bomb() -> str:
    maps = (
        f"a{one}: &a{one} {{<<: [{', '.join([f'*a{one - 1}'] * 9)}]}}\n"
        for one in range(1, 40)
    )
    return "a0: &a0 {k: v}\n" + "".join(maps)


def _merge_chain() -> str:
    maps = (
        f"a{one}: &a{one} {{<<: *a{one - 1}, k{one}: v}}\n" for one in range(1, 9000)
    )
    return "a0: &a0 {k: v}\n" + "".join(maps)


def _keys() -> str:
    return _HEAD + "".join(f"k{one}: b\n" for one in range(49_000))


def _ids() -> str:
    return _HEAD + "".join(f"- command: x\n  id: a{one}\n" for one in range(24_000))


def _stairs() -> str:
    return _HEAD + "\n".join(" " * one + "-" for one in range(1400))


_UNITS: Mapping[str, tuple[str, ...]] = {
    "brackets": ("[",),
    "braces": ("{",),
    "closed brackets": ("[],", "["),
    "dashes": ("- ",),
    "lines of dashes": ("-\n",),
    "questions": ("? ",),
    "colons": (": ",),
    "colons in a word": ("a:",),
    "keys in a line": ("a: ",),
    "one key": ("a: b\n",),
    "anchors and aliases": ("&a *a ",),
    "anchors": ("- &a *a\n",),
    "aliases": ("- *a\n", "- &a x\n"),
    "unknown aliases": ("- *u\n",),
    "single quotes": ("'",),
    "double quotes": ('"',),
    "quotes in quotes": ("''", "'", "'"),
    "backslashes": ("\\\\", 'a: "', '"'),
    "escapes": ("\\U00100000", 'a: "', '"'),
    "openings": ("${{", "runbook: 1\nname: "),
    "empty expressions": ("${{}}", "runbook: 1\nname: "),
    "open quotes in expressions": ("${{ '",),
    "expressions in quotes": ("${{ ''a'' }} ", "runbook: 1\nname: '", "'\n"),
    "ends in quotes": ("${{ ''}}'' }} ", "runbook: 1\nname: '", "'\n"),
    "spaces": (" ",),
    "comments": (" #",),
    "tabs": ("\t",),
    "tabs behind keys": ("a:\tb\n",),
    "line ends": ("\n",),
    "carriage returns": ("\r",),
    "line ends of YAML 1.1": ("\x85",),
    "control characters": ("\x07",),
    "lines of control characters": ("\x07\n",),
    "one word": ("a",),
    "tags": ("- !x\n",),
    "blocks": ("|\n",),
    "a literal": (" a\n", "a: |\n"),
    "a folded text": ("a\n ", "a: >\n "),
    "documents": ("---\n",),
    "directives": ("%a\n",),
    "reserved": ("- @\n",),
    "open lists": ("- [\n",),
    "open texts": ("- 'a\n", _HEAD),
    "steps": ("- command: x\n", _HEAD),
    "lines of text": ("- command: a: b # c\n", _HEAD),
    "unknown verbs": ("- rum: x\n", _HEAD),
    "a long duration": ("1h", "runbook: 1\ntimeout: "),
    "a long number": ("9", "runbook: 1\noutputs: {a: ", "}"),
    "substitutions": ("$(", _CODE),
    "quoted substitutions": ('"$(', f"{_CODE}${{{{ run.id }}}} "),
    "here-documents": ("<<E ", f"{_CODE}${{{{ run.id }}}} "),
    "parentheses in a condition": ("(", _IF),
    "nots": ("not ", _IF, "true"),
    "sums": ("1+", _IF, "1"),
    "a long path": ("a.", _IF, "b"),
    "groups in a pattern": ("(", f"{_HEAD}- command: x\n  save: {{a: '", "'}\n"),
    "choices in a pattern": ("(a|", f"{_HEAD}- command: x\n  save: {{a: '", "'}\n"),
}
HOSTILE: Mapping[str, Callable[[], str]] = {
    **{name: partial(_filled, *unit) for name, unit in _UNITS.items()},
    "aliases of aliases": _bomb,
    "merges of merges": _merge_bomb,
    "a chain of merges": _merge_chain,
    "many keys": _keys,
    "many ids": _ids,
    "stairs": _stairs,
}
