"""Warn of what runs, but hardly as it was meant. A warning never stops a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from sandbook.expressions import Template, Value, expressions_in, paths
from sandbook.loader._nodes import ListNode, MapNode, Node, ScalarNode
from sandbook.loader._places import Places
from sandbook.loader._retry_values import retry_values
from sandbook.loader._shell_habits import WORTH_READING, shell_habits
from sandbook.loader._shell_view import HOLE, commands_of
from sandbook.loader._shell_words import runs_as_code
from sandbook.runbook import Runbook, Step, flat

_MOST_IN_A_TEXT: Final = 20
"""More would not be read by anybody, and finding each place takes time."""
_SHELL_VERBS: Final = ("command", "pty")
_JUDGED_BY_VERB: Final = ("check", "watch", "pty")
_WITH_EXIT: Final = ("command", "pty")
_CLOSED_TYPES: Final = ("integer", "number", "boolean", "choice")


def warn(runbook: Runbook, places: Places, *, is_whole: bool) -> None:
    """Add the warnings; `is_whole` = every step could be read."""
    warner = _Warner(runbook, places)
    for step in flat((*runbook.setup, *runbook.steps, *runbook.final)):
        warner.shell_texts(step)
        if is_whole:
            warner.retries(step)
    if is_whole:
        warner.unused()


class _Warner:
    def __init__(self, runbook: Runbook, places: Places) -> None:
        self._runbook = runbook
        self._places = places

    def shell_texts(self, step: Step) -> None:
        """What a shell or a program is told to do."""
        if step.verb not in _SHELL_VERBS:
            return
        node = self._places.of(step, step.verb)
        if isinstance(node, ScalarNode):
            self._shell(step, node)
        elif isinstance(node, ListNode):
            self._argv(node)

    def unused(self) -> None:
        """Inputs and secrets that nothing uses."""
        inputs, secrets = _used(self._runbook)
        for name in self._runbook.inputs:
            if inputs is not None and name not in inputs:
                key = self._places.key(self._places.top("inputs"), name)
                remedy = f"use it as ${{{{ inputs.{name} }}}}, or remove it"
                self._add("SB406", key, f"nothing uses the input {name!r}", remedy)
        for index, name in enumerate(self._runbook.secrets):
            if name not in secrets:
                node = self._places.top("secrets", index)
                remedy = (
                    f"hand it over, as `env: {{{name}: ${{{{ secrets.{name} }}}}}}`"
                )
                self._add("SB406", node, f"nothing uses the secret {name!r}", remedy)

    def retries(self, step: Step) -> None:
        """A retry that never comes."""
        node = self._places.of(step, "retry")
        if not isinstance(node, MapNode):
            return
        if isinstance(step.retry, Template):
            return
        if step.retry.times == 0:
            message = "with `times: 0` nothing is tried again"
            remedy = "write how many further tries there may be, or remove `retry`"
            self._add("SB407", self._places.of(step, "retry", "times"), message, remedy)
        causes = self._places.of(step, "retry", "on")
        if causes is not None and not step.retry.on & _can_fail_by(step):
            message = "this step cannot fail in these ways, so nothing is tried again"
            words = ", ".join(sorted(_can_fail_by(step)))
            self._add("SB407", causes, message, f"it can by: {words}" if words else "")

    def _shell(self, step: Step, node: ScalarNode) -> None:
        text = "".join(
            piece if isinstance(piece, str) else self._shown(piece.source, piece.length)
            for piece in node.pieces
        )
        if not WORTH_READING.search(text):
            return
        commands = commands_of(text)
        shell = self._places.text(step, "shell") or "bash"
        found = shell_habits(commands, text, shell=shell)
        for habit in islice(found, _MOST_IN_A_TEXT):
            self._places.warn_inside(
                habit.code,
                node,
                habit.start,
                habit.length,
                habit.message,
                habit.remedy,
            )

    def _shown(self, source: str, length: int) -> str:
        """An expression in a shell text: a hole, unless its values are harmless."""
        root, _, name = source.strip().partition(".")
        spec = self._runbook.inputs.get(name) if root == "inputs" else None
        closed = spec is not None and spec.type in _CLOSED_TYPES
        return ("0" if closed else HOLE) * length

    def _argv(self, node: ListNode) -> None:
        words: list[str] = []
        for item in node.items:
            if not isinstance(item, ScalarNode):
                return
            words.append(
                "".join(
                    piece
                    if isinstance(piece, str)
                    else self._shown(piece.source, piece.length)
                    for piece in item.pieces
                )
            )
        found = runs_as_code(words)
        if found is not None:
            index, program = found
            message = f"a value in what {program!r} gets is read as code once more"
            remedy = "hand it over as an argument of its own, or with `env`"
            self._add("SB401", node.items[index], message, remedy)

    def _add(self, code: str, node: Node | None, message: str, remedy: str) -> None:
        self._places.add(code, node, message, remedy, severity="warning")


def _every(runbook: Runbook) -> Iterator[Step]:
    yield from flat((*runbook.setup, *runbook.steps, *runbook.final))


def _can_fail_by(step: Step) -> frozenset[str]:
    found = {"timeout"} if step.timeout is not None else set[str]()
    if step.verb in _WITH_EXIT:
        found.add("exit")
    if step.verb not in (*_WITH_EXIT, "check"):
        found.add("error")
    if step.expect is not None or step.save or step.verb in _JUDGED_BY_VERB:
        found.add("expect")
    if step.args.get("ready") is not None:
        found |= {"expect", "timeout"}
    return frozenset(found)


def _used(runbook: Runbook) -> tuple[set[str] | None, set[str]]:
    """The inputs (None = all of them) and the secrets that something uses."""
    inputs: set[str] = set()
    secrets: set[str] = set()
    for value in _values(runbook):
        for expression in expressions_in(value):
            if expression.secret is not None:
                secrets.add(expression.secret)
            for path in paths(expression.tree):
                if path.names[0] != "inputs":
                    continue
                if len(path.names) == 1:
                    return None, secrets
                inputs.add(str(path.names[1]))
    for step in _every(runbook):
        # Secrets of another runbook are listed here too.
        secrets.update(step.used.secrets if step.used else ())
    return inputs, secrets


def _values(runbook: Runbook) -> Iterable[Value]:
    yield from (runbook.name, runbook.env, runbook.sandbox, runbook.outputs)
    yield from (artifact.path for artifact in runbook.artifacts)
    for step in _every(runbook):
        yield from (step.label, step.condition, step.for_each, step.env, step.cwd)
        yield from (step.expect, step.save, step.args)
        yield from (step.limit, step.timeout, step.allow_failure)
        yield retry_values(step.retry)
