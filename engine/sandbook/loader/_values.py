"""Check values that fit their type and still cannot be meant."""

from __future__ import annotations

import base64
import binascii
import keyword
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from sandbook.errors import UsageError
from sandbook.expressions import Value, parse_json_path
from sandbook.loader._nodes import ListNode, MapNode, Node, ScalarNode
from sandbook.loader._places import Key, Places, plain_text
from sandbook.loader._scalars import Bad, check_pattern, not_a_name
from sandbook.runbook import Runbook, Step, flat
from sandbook.schema import CREATE, NAME_PATTERN

_NAME: Final = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z")
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"
_HOST: Final = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*\.?\Z")
_HOST_OF_URL: Final = re.compile(r"(?:[a-z]+://)?([\w.-]+)(?::\d+)?(?:/.*)?")
_URL: Final = re.compile(r"https?://[^\s/]", re.IGNORECASE)
_OURS: Final = "sandbook."
"""Metadata that begins so says whose a sandbox is."""
_RESERVED: Final = "SANDBOOK"
_LARGEST_PORT: Final = 65535
_JAVASCRIPT: Final = """
await break case catch class const continue debugger default delete do else enum export
extends false finally for function if import in instanceof let new null return static
super switch this throw true try typeof var void while with yield
"""
_KEYWORDS: Final[Mapping[str, frozenset[str]]] = {
    "python": frozenset(keyword.kwlist),
    "javascript": frozenset(_JAVASCRIPT.split()),
}
_REGEX_VERBS: Final = ("command", "pty")


def check_values(runbook: Runbook, places: Places) -> None:
    """Add a problem for each value that could never do what it says."""
    checker = _Checker(runbook, places)
    checker.check_defaults()
    checker.refuse_zero(runbook.timeout, places.top("timeout"))
    checker.check_options(runbook.sandbox, places.top("sandbox"))
    for steps in (runbook.setup, runbook.steps, runbook.final):
        for step in flat(steps):
            checker.check_step(step)


class _Checker:
    def __init__(self, runbook: Runbook, places: Places) -> None:
        self._runbook = runbook
        self._places = places

    def check_defaults(self) -> None:
        """The files that inputs stand for, when nobody names others."""
        for name, spec in self._runbook.inputs.items():
            if spec.type == "file":
                remedy = "remove it: who runs this may name any file of theirs"
                node = self._places.top("inputs", name, "default")
                self._refuse_outside(node, remedy)

    def check_step(self, step: Step) -> None:
        """What may stand in any step, then what only its verb has."""
        self.refuse_zero(step.timeout, self._places.of(step, "timeout"))
        if step.verb in _REGEX_VERBS:
            self._check_saves(step)
        self._check_variables(step)
        if step.verb == CREATE:
            options = step.args.get(CREATE)
            if isinstance(options, Mapping):
                self.check_options(options, self._places.of(step, CREATE))
            return
        if step.verb == "command":
            self._check_ready(step)
        self._check_asked(step)
        if step.verb == "write":
            self._check_base64(self._places.of(step, "base64"))
        elif step.verb == "copy":
            remedy = "move it into the project, or make it an input of type file"
            self._refuse_outside(self._places.of(step, "copy"), remedy)
        elif step.verb == "fetch":
            self._check_target(self._places.of(step, "to"))

    def _check_asked(self, step: Step) -> None:
        # Paths of keys that are not there lead nowhere.
        self._check_url(self._places.of(step, "check", "http"))
        for key in ("expect", "check"):
            self._check_json_paths(self._places.of(step, key, "json"))

    def _check_json_paths(self, node: Node | None) -> None:
        for pair in node if isinstance(node, MapNode) else ():
            try:
                parse_json_path(pair.name)
            except UsageError as error:
                self._places.add("SB215", pair.key, error.message, error.remedy)

    def refuse_zero(self, seconds: Value, node: Node | None) -> None:
        """Refuse a limit that would end everything at once."""
        if node is not None and seconds == 0 and not isinstance(seconds, bool):
            message = "a limit of 0 would end this before it begins"
            remedy = "write a longer one, as 30s"
            if plain_text(node):
                self._places.add("SB215", node, message, remedy)

    def check_options(self, options: Mapping[str, Value], node: Node | None) -> None:
        """The options of a sandbox, in `create` or `sandbox`."""
        if not isinstance(node, MapNode):
            return
        for key in ("timeout", "idle_stop"):
            self.refuse_zero(options.get(key), _below(node, key))
        for key in ("metadata", "reuse"):
            self._check_metadata(_below(node, key))
        self._check_resources(options.get("resources"), _below(node, "resources"))
        for item in _scalars(_below(node, "network")):
            self._check_host(item)
        for item in _scalars(_below(node, "env_from")):
            self._check_variable(item)

    def _check_metadata(self, node: Node | None) -> None:
        for pair in node if isinstance(node, MapNode) else ():
            if pair.name.startswith(_OURS):
                message = f"{pair.name!r} cannot be set: {_OURS}… belongs to Sandbook"
                self._places.add("SB216", pair.key, message, "choose another name")

    def _check_resources(self, values: Value, node: Node | None) -> None:
        if not isinstance(values, Mapping):
            return
        for name, value in values.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if is_number and isinstance(value, int | float) and value <= 0:
                message = f"a sandbox cannot work without any {name}"
                remedy = "write more than 0, or leave it out"
                self._places.add("SB215", _below(node, name), message, remedy)

    def _check_host(self, node: ScalarNode) -> None:
        text = plain_text(node)
        if text is None or _HOST.match(text):
            return
        found = _HOST_OF_URL.fullmatch(text)
        remedy = f"write {found[1]}" if found else "write names, as pypi.org"
        message = f"{text!r} is not the name of a host"
        self._places.add("SB215", node, message, remedy)

    def _check_variable(self, node: ScalarNode) -> None:
        text = plain_text(node)
        if text is None:
            return
        if not _NAME.match(text):
            self._places.add("SB208", node, *not_a_name(text))
        elif text.startswith(_RESERVED):
            message = f"{text!r} cannot be set: {_RESERVED}… belongs to Sandbook"
            self._places.add("SB216", node, message, "choose another name")

    def _check_saves(self, step: Step) -> None:
        save = self._places.of(step, "save")
        for pair in save if isinstance(save, MapNode) else ():
            text = plain_text(pair.value)
            try:
                check_pattern(text or "")
            except Bad as error:
                self._places.add(error.code, pair.value, error.message, error.remedy)

    def _check_variables(self, step: Step) -> None:
        if step.verb != "run_code":
            return
        language = str(step.args.get("language") or "python")
        given = self._places.of(step, "with")
        for pair in given if isinstance(given, MapNode) else ():
            if pair.name in _KEYWORDS.get(language, ()):
                message = f"{pair.name!r} is a word of {language} and no variable"
                remedy = f"choose another name, as {pair.name}_"
                self._places.add("SB208", pair.key, message, remedy)

    def _check_ready(self, step: Step) -> None:
        ready = step.args.get("ready")
        if not isinstance(ready, Mapping):
            return
        self._check_url(self._places.of(step, "ready", "http"))
        port = ready.get("port")
        if isinstance(port, int) and not 1 <= port <= _LARGEST_PORT:
            node = self._places.of(step, "ready", "port")
            message = f"{port} is not a port: they go from 1 to {_LARGEST_PORT}"
            self._places.add("SB215", node, message)

    def _check_url(self, node: Node | None) -> None:
        first = node.pieces[0] if isinstance(node, ScalarNode) and node.pieces else None
        if not isinstance(first, str) or not isinstance(node, ScalarNode):
            return
        # What stands before an expression may be only the beginning of a URL.
        if _URL.match(first) or (node.marks and _URL.match(f"{first}x")):
            return
        message = f"{node.text!r} is not a URL"
        bare = "://" not in node.text and not first.startswith("/")
        remedy = f"write http://{node.text}" if bare else "begin it with http://HOST"
        self._places.add("SB215", node, message, remedy)

    def _check_base64(self, node: Node | None) -> None:
        text = plain_text(node)
        if text is None:
            return
        try:
            base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError) as error:
            message = f"this is not base64: {str(error).lower()}"
            remedy = "use `content` for a text"
            self._places.add("SB215", node, message, remedy)

    def _refuse_outside(self, node: Node | None, remedy: str) -> None:
        """Refuse a path of this computer that leaves the project."""
        text = plain_text(node)
        if text is None:
            return
        # Links are followed when it is read; `..` is seen without looking.
        path = Path(os.path.normpath(self._runbook.folder.absolute() / text))
        if text.startswith("~") or not path.is_relative_to(self._runbook.project):
            message = f"{text!r} is outside the project"
            self._places.add("SB219", node, message, remedy)

    def _check_target(self, node: Node | None) -> None:
        text = plain_text(node)
        if text is None:
            return
        path = PurePosixPath(text)
        if path.is_absolute() or ".." in path.parts or text.startswith("~"):
            message = f"{text!r} is not inside the artifacts folder"
            remedy = "write a name, as out/report.html"
            self._places.add("SB219", node, message, remedy)


def _below(node: Node | None, *keys: Key) -> Node | None:
    for key in keys:
        pair = node.find(str(key)) if isinstance(node, MapNode) else None
        node = pair.value if pair else None
    return node


def _scalars(node: Node | None) -> Iterator[ScalarNode]:
    items = node.items if isinstance(node, ListNode) else ()
    yield from (item for item in items if isinstance(item, ScalarNode))
