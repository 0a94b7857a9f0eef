"""Read steps: which verb, which keys, and the defaults of what is not written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from sandbook.api import Schema, VerbSpec
from sandbook.errors import Location
from sandbook.expressions import Template, Value
from sandbook.loader._nodes import ListNode, MapNode, Node, Pair, ScalarNode
from sandbook.loader._read import TreeReader
from sandbook.loader._source import Source
from sandbook.loader._uses import Uses
from sandbook.problems import suggest
from sandbook.runbook import Retry, RetryOn, Step
from sandbook.schema import STEP_KEYS, alternatives, kind_of, step_keys

FINALLY_TIMEOUT: Final = 60.0
_LONGEST_LABEL: Final = 60


class StepReader:
    """Reads lists of steps; `ids` maps the ids of the file to where they stand."""

    def __init__(
        self,
        source: Source,
        reader: TreeReader,
        verbs: Mapping[str, VerbSpec],
        uses: Uses,
    ) -> None:
        self._source = source
        self._reader = reader
        self._verbs = verbs
        self._uses = uses
        self._keys = {name: step_keys(verb) for name, verb in verbs.items()}
        self._ids: dict[str, int] = {}

    @property
    def ids(self) -> frozenset[str]:
        """Every id of the file, also of steps that could not be read."""
        return frozenset(self._ids)

    def read(
        self,
        node: Node,
        path: str,
        *,
        default: float | None,
        sandbox: str | None = None,
    ) -> tuple[Step, ...]:
        """Read a list of steps.

        `path` is the list's place in the plan; `default` is the time limit of a step
        that has none, and None = the one of its verb. `sandbox` is that of the step
        around them, for those that name none.
        """
        if not isinstance(node, ListNode):
            self._reader.add(
                "SB203",
                node,
                "a list of steps is needed here",
                "begin each step with `- ` and its verb, as `- command: …`",
            )
            return ()
        if not node.items:
            self._reader.add("SB215", node, "at least one step is needed here")
        read = (
            self._step(item, f"{path}[{index}]", default, sandbox)
            for index, item in enumerate(node.items)
        )
        return tuple(step for step in read if step is not None)

    def _step(
        self, node: Node, path: str, default: float | None, sandbox: str | None
    ) -> Step | None:
        if not isinstance(node, MapNode):
            remedy = "write its verb, as `command: …`"
            self._reader.add("SB203", node, "a step is a map with a verb", remedy)
            return None
        self._note_id(node)
        verb = self._verb(node)
        if verb is None:
            return None
        known = self._keys[verb.name]
        values: dict[str, Value] = {}
        for pair in node:
            if pair.name in verb.nested:
                continue
            if pair.name in known:
                values[pair.name] = self._value(pair, known[pair.name], verb)
            else:
                self._foreign(pair, verb, known)
        for name in verb.required:
            if node.find(name) is None:
                self._reader.missing_key(node, name)
        self._check_one_of(node, verb)
        step = self._build(node, verb, values, path, default)
        return self._with_inner(
            step if step.sandbox else replace(step, sandbox=sandbox), node, verb
        )

    def _with_inner(self, step: Step, node: MapNode, verb: VerbSpec) -> Step:
        """The step with the steps below its keys, and those of what it uses."""
        children = {
            name: self.read(
                pair.value, f"{step.path}.{name}", default=None, sandbox=step.sandbox
            )
            for name in verb.nested
            if (pair := node.find(name)) is not None
        }
        return replace(step, children=children, used=self._uses.read(step, node))

    def _check_one_of(self, node: MapNode, verb: VerbSpec) -> None:
        found = [pair for pair in node if pair.name in verb.one_of]
        if verb.one_of and not found:
            others = ", ".join(verb.one_of[1:])
            self._reader.missing_key(node, verb.one_of[0], f"add it, or {others}")
        if len(found) > 1:
            self._reader.add(
                "SB213",
                found[1].key,
                f"{found[1].name!r} cannot stand beside {found[0].name!r}",
                "leave one of them out",
            )

    def _value(self, pair: Pair, schema: Schema, verb: VerbSpec) -> Value:
        # `$defs` of a fragment stand beside what refers to them.
        root = verb.value if pair.name == verb.name else schema
        return self._reader.read(pair.value, schema, root)

    def _verb(self, node: MapNode) -> VerbSpec | None:
        found = [pair for pair in node if pair.name in self._verbs]
        if len(found) > 1:
            own = {key for pair in found for key in self._verbs[pair.name].keys}
            found = [pair for pair in found if pair.name not in own]
        if not found:
            self._no_verb(node)
            return None
        if len(found) > 1:
            self._reader.add(
                "SB210",
                found[1].key,
                f"a step has one verb, and this is a second beside {found[0].name!r}",
                "make it a step of its own",
            )
        return self._verbs[found[0].name]

    def _no_verb(self, node: MapNode) -> None:
        usual = {key for keys in self._keys.values() for key in keys} | set(STEP_KEYS)
        strange = [pair for pair in node if pair.name not in usual]
        if strange:
            remedy = suggest(strange[0].name, self._verbs, kind="verbs")
            message = f"there is no verb {strange[0].name!r}"
            self._reader.add("SB201", strange[0].key, message, remedy)
            return
        self._source.add(
            "SB209",
            node.start,
            "this step has no verb, the key that says what it does",
            remedy=f"verbs: {', '.join(self._verbs)}",
        )

    def _foreign(self, pair: Pair, verb: VerbSpec, known: Mapping[str, Schema]) -> None:
        if pair.name in self._verbs:
            return
        owners = [
            name
            for name, other in self._verbs.items()
            if pair.name in other.keys and name != verb.name
            # The key of every step means something else there.
            if pair.name not in STEP_KEYS
        ]
        if pair.name in STEP_KEYS or owners:
            whose = f", but to {', '.join(owners)}" if owners else ""
            self._reader.add(
                "SB213",
                pair.key,
                f"{pair.name!r} does not belong to {verb.name!r}{whose}",
                "remove it",
            )
            return
        self._reader.unknown_key(
            pair, [*known, *self._verbs], f" in a {verb.name!r} step"
        )

    def _note_id(self, node: MapNode) -> None:
        pair = node.find("id")
        if pair is None or not isinstance(pair.value, ScalarNode):
            return
        name = pair.value.text
        first = self._ids.setdefault(name, pair.value.start)
        if first != pair.value.start:
            line = self._source.locate(first).line
            self._reader.add(
                "SB211",
                pair.value,
                f"the id {name!r} is taken by the step in line {line}",
                "choose another id",
            )

    def _build(
        self,
        node: MapNode,
        verb: VerbSpec,
        values: Mapping[str, Value],
        path: str,
        default: float | None,
    ) -> Step:
        own = {verb.name, *verb.keys}
        common = {name: value for name, value in values.items() if name not in own}
        timeout = verb.timeout if default is None else default
        places = {
            where: self._source.locate(inner.start)
            for name, schema in self._keys[verb.name].items()
            if schema.get("x-located") and (pair := node.find(name)) is not None
            for where, inner in _maps_in(pair.value, name)
        }
        return Step(
            path=path,
            places=places,
            verb=verb.name,
            args={name: value for name, value in values.items() if name in own},
            at=self._source.locate(node.start),
            id=_text_or_none(common.get("id")),
            label=common.get("name", _label(node, verb)),
            is_named="name" in common,
            condition=common.get("if", True),
            for_each=common.get("for_each"),
            is_loop="for_each" in common,
            limit=later(common.get("limit")),
            retry=_retry(common.get("retry")),
            timeout=later(common["timeout"]) if "timeout" in common else timeout,
            env=_mapping(common.get("env")),
            cwd=common.get("cwd"),
            sandbox=_text_or_none(common.get("in")),
            expect=common.get("expect"),
            save=_mapping(common.get("save")),
            allow_failure=later(common.get("allow_failure")) or False,
            rerun_on_resume=common.get("resume") == "rerun",
            lines=self._lines(node.find(verb.name)),
        )

    def _lines(self, pair: Pair | None) -> Location | None:
        node = pair.value if pair else None
        if not isinstance(node, ScalarNode):
            return None
        at = self._source.locate(node.start)
        if node.style == "literal":
            return replace(at, line=at.line + 1, column=1)
        # Lines of a text without a block are joined.
        return at if at.line == self._source.locate(node.end).line else None


def _maps_in(node: Node, where: str) -> Iterator[tuple[str, MapNode]]:
    """The maps in a value, and how they are reached from the step."""
    if isinstance(node, MapNode):
        yield where, node
        for pair in node:
            yield from _maps_in(pair.value, f"{where}.{pair.name}")
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from _maps_in(item, f"{where}[{index}]")


def _label(node: MapNode, verb: VerbSpec) -> str:
    pair = node.find(verb.name)
    if pair and verb.name in verb.nested and isinstance(pair.value, ListNode):
        count = len(pair.value.items)
        return f"{verb.name}: {count} step{'s'[: count - 1]}"
    text = _first_words(pair.value) if pair else ""
    # A command line says by itself what it is.
    is_shell = any(kind_of(part) == "shell" for part in alternatives(verb.value))
    label = text if is_shell and text else f"{verb.name} {text}".strip()
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def _first_words(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return next(
            (line for line in node.text.splitlines() if line.strip()), ""
        ).strip()
    if isinstance(node, ListNode):
        return " ".join(_first_words(item) for item in node.items[:10])
    return ", ".join(pair.name for pair in node.pairs[:5])


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _text_or_none(value: Value) -> str | None:
    return value if isinstance(value, str) else None


def later(value: Value) -> Value:
    """A value that is looked at when its step runs, in the words of its key."""
    return replace(value, kind="free") if isinstance(value, Template) else value


_RETRY_ON: Final[Mapping[str, RetryOn]] = {
    "exit": "exit",
    "error": "error",
    "expect": "expect",
    "timeout": "timeout",
}


def _retry(value: Value) -> Retry | Template:
    if isinstance(value, Template):
        return replace(value, kind="free")
    if isinstance(value, int):
        return Retry(times=value)
    if not isinstance(value, Mapping):
        return Retry()
    usual = Retry()
    causes = value.get("on")
    return Retry(
        times=_or_usual(value, "times", usual.times),
        wait=_or_usual(value, "wait", usual.wait),
        backoff=_or_usual(value, "backoff", usual.backoff),
        max_wait=_or_usual(value, "max_wait", usual.max_wait),
        jitter=_or_usual(value, "jitter", usual.jitter),
        on=frozenset(
            _RETRY_ON[cause]
            for cause in causes
            if isinstance(cause, str) and cause in _RETRY_ON
        )
        if isinstance(causes, tuple)
        else usual.on,
    )


def _or_usual(value: Mapping[str, Value], key: str, usual: Value) -> Value:
    found = value.get(key)
    return usual if found is None else later(found)
