"""Check the scripts of terminals: lines that could never be carried out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sandbook.loader._nodes import ListNode, MapNode, Node
from sandbook.loader._places import Places, plain_text
from sandbook.problems import nearest
from sandbook.runbook import Runbook, Step, flat
from sandbook.terminal import KEY_NAMES, UnknownKey, parse_key

_VERB: Final = "pty"
_LEAVE, _COME_BACK = "disconnect", "reconnect"
_WHILE_LEFT: Final = (_COME_BACK, "wait_idle")
_MODIFIERS: Final = ("Ctrl", "Alt", "Shift")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*")


def check_terminals(runbook: Runbook, places: Places) -> None:
    """Add a problem for each line that could never do what it says."""
    checker = _Checker(places)
    for steps in (runbook.setup, runbook.steps, runbook.final):
        for step in flat(steps):
            if step.verb == _VERB:
                checker.check(step)


class _Checker:
    def __init__(self, places: Places) -> None:
        self._places = places
        self._rules: Mapping[str, Callable[[Node], None]] = {
            "see": self._not_empty,
            "see_regex": self._not_empty,
            "not_see": self._not_empty,
            "press": self._keys,
            "snapshot": self._file_name,
            _LEAVE: self._only_true,
            _COME_BACK: self._only_true,
        }

    def check(self, step: Step) -> None:
        """The whole script of a step, and what stands beside it."""
        script = self._places.of(step, "script")
        for line in _lines(script):
            for pair in line:
                rule = self._rules.get(pair.name)
                if rule is not None:
                    rule(pair.value)
        self._left(script, is_left=False)
        self._joined(step)

    def _not_empty(self, node: Node) -> None:
        text = plain_text(node)
        if text is not None and not text.strip():
            message = "an empty text is there from the beginning"
            self._places.add("SB215", node, message, "write what is to be seen")

    def _keys(self, node: Node) -> None:
        for item in node.items if isinstance(node, ListNode) else (node,):
            text = plain_text(item)
            if text is None:
                continue
            try:
                parse_key(text)
            except UnknownKey as error:
                remedy = _remedy(error.name)
                self._places.add("SB204", item, str(error), remedy)

    def _file_name(self, node: Node) -> None:
        text = plain_text(node)
        if text is not None and not _FILE_NAME.fullmatch(text):
            message = f"{text!r} cannot be the name of a file beside the runbook"
            remedy = "use letters, digits, _ . and -"
            self._places.add("SB215", node, message, remedy)

    def _only_true(self, node: Node) -> None:
        if plain_text(node) == "false":
            message = "this line would do nothing"
            self._places.add("SB215", node, message, "write true, or remove the line")

    def _left(self, script: Node | None, *, is_left: bool) -> bool:
        """Whether the terminal is left behind these lines; what cannot be meanwhile."""
        items = script.items if isinstance(script, ListNode) else ()
        for line in items:
            pair = line.pairs[0] if isinstance(line, MapNode) and line.pairs else None
            if pair is None:
                continue
            name = pair.name
            if is_left and name not in _WHILE_LEFT:
                message = f"{name!r} needs the terminal, and it was left above"
                remedy = "add `reconnect: true` before it"
                self._places.add("SB218", pair.key, message, remedy)
                return False
            if name == _COME_BACK and not is_left:
                message = "nothing was left that could be joined again"
                remedy = "add `disconnect: true` above, or remove it"
                self._places.add("SB218", pair.key, message, remedy)
            is_left = name == _LEAVE or (is_left and name != _COME_BACK)
            if name == "choose":
                is_left = self._after_choices(pair.value)
        return is_left

    def _after_choices(self, choices: Node) -> bool:
        ways: list[bool] = []
        for choice in choices.items if isinstance(choices, ListNode) else ():
            pair = choice.find("then") if isinstance(choice, MapNode) else None
            ways.append(pair is not None and self._left(pair.value, is_left=False))
        # What depends on the choice is seen when it runs.
        return bool(ways) and all(ways)

    def _joined(self, step: Step) -> None:
        if not isinstance(self._places.of(step, _VERB), MapNode):
            return
        for name in ("user", "env", "cwd"):
            pair = self._places.pair(step, name)
            if pair is not None:
                message = f"{name!r} belongs to a program that is started here"
                remedy = "remove it: the terminal that is joined has its own"
                self._places.add("SB213", pair.key, message, remedy)


def _lines(node: Node | None) -> Iterator[MapNode]:
    """Every line of a script, also below `choose`, and each choice."""
    for line in node.items if isinstance(node, ListNode) else ():
        if not isinstance(line, MapNode):
            continue
        yield line
        for key in ("choose", "then"):
            pair = line.find(key)
            if pair is not None:
                yield from _lines(pair.value)


def _remedy(name: str) -> str:
    if not name:
        return "write a number behind the x, as in Down x3"
    near = nearest(name, (*KEY_NAMES, *_MODIFIERS))
    if near is not None:
        return f"did you mean {near!r}?"
    if len(name) > 1 and "+" not in name:
        return f"use `type: {name}` for a text; keys: {', '.join(KEY_NAMES)}"
    return f"keys: {', '.join(KEY_NAMES)}, or a character"
