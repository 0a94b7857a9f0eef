"""Check keys that need or exclude one another, and names that steps share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from sandbook.api import VerbSpec
from sandbook.expressions import Template, Value
from sandbook.loader._nodes import MapNode, Node, ScalarNode
from sandbook.loader._places import Key, Places
from sandbook.loader._sandboxes import TEARDOWN
from sandbook.problems import suggest
from sandbook.runbook import Runbook, Step, flat
from sandbook.schema import CREATE, SUBJECTS

_NOT_IN_SETUP: Final = {
    CREATE: "a sandbox cannot be created",
    TEARDOWN: "a sandbox cannot be torn down",
    "pty": "a terminal cannot be opened",
}
_READY: Final = ("port", "http", "output", "command")
_OF_HTTP: Final = ("status", "text", "json")
_ANYWHERE: Final = ("file",)


def check_together(
    runbook: Runbook,
    places: Places,
    verbs: Mapping[str, VerbSpec],
    *,
    ids: frozenset[str],
) -> None:
    """Add a problem for each key that stands alone, or beside what it excludes."""
    lists = (runbook.setup, runbook.steps, runbook.final)
    known = frozenset(step.id for steps in lists for step in flat(steps) if step.id)
    checker = _Checker(places, verbs, known, unread=ids - known)
    for step in flat(runbook.setup):
        checker.check_setup(step)
    for steps in lists:
        checker.check(steps)
    checker.check_artifacts(runbook)


class _Checker:
    def __init__(
        self,
        places: Places,
        verbs: Mapping[str, VerbSpec],
        ids: frozenset[str],
        *,
        unread: frozenset[str],
    ) -> None:
        self._places = places
        self._verbs = verbs
        self._ids = ids
        self._unread = unread
        self._above: dict[str, Step] = {}
        self._rules: Sequence[Callable[[Step], None]] = (
            self._limit,
            self._ready,
            self._saved,
            self._reuse,
            self._watch,
            self._watched_paths,
            self._check,
        )

    def check(self, steps: Iterable[Step]) -> None:
        """Go through steps in order."""
        for step in steps:
            for rule in self._rules:
                rule(step)
            for key, children in step.children.items():
                self._inside(children, at_once=key == step.verb)
            if step.id:
                self._above[step.id] = step

    def _inside(self, children: tuple[Step, ...], *, at_once: bool) -> None:
        if not at_once:
            self.check(children)
            return
        before, found = self._above, dict(self._above)
        for child in children:
            self._above = dict(before)
            self.check([child])
            found |= self._above
        self._above = found

    def check_setup(self, step: Step) -> None:
        """What lives on after its step cannot be stored with the files of a sandbox."""
        what, node = _NOT_IN_SETUP.get(step.verb), None
        if step.args.get("background") is True:
            what = "a background command cannot run"
            node = self._key(step, "background")
        if what is not None:
            message = f"{what} in `setup`, whose outcome is stored"
            node = node or self._key(step, step.verb)
            self._add("SB213", node, step, message, "move the step to `steps`")

    def check_artifacts(self, runbook: Runbook) -> None:
        """Two files cannot have one name in the artifacts folder."""
        seen: set[str] = set()
        for index, artifact in enumerate(runbook.artifacts):
            path = artifact.path
            if not isinstance(path, str) or any(char in path for char in "*?"):
                continue
            if path in seen:
                node = self._places.top("artifacts", index, "path")
                node = node or self._places.top("artifacts", index)
                message = f"the artifact {path!r} is listed twice"
                remedy = "remove one; files of one name cannot both be kept"
                self._places.add("SB211", node, message, remedy)
            seen.add(path)

    def _limit(self, step: Step) -> None:
        runs_many = step.is_loop or step.verb in step.children
        refused = "limit" in self._verbs[step.verb].refuses
        if self._key(step, "limit") is None or runs_many or refused:
            return
        message = "`limit` says how many run at once, and this step runs only once"
        remedy = "add `for_each`, or remove it"
        self._add("SB218", self._key(step, "limit"), step, message, remedy)

    def _ready(self, step: Step) -> None:
        node = self._places.of(step, "ready")
        if step.verb != "command" or not isinstance(node, MapNode):
            return
        background = step.args.get("background")
        if background is not True and not isinstance(background, Template):
            message = "`ready` belongs to a command that runs in the background"
            remedy = "add `background: true`"
            self._add("SB218", self._key(step, "ready"), step, message, remedy)
        found = [pair.key for pair in node if pair.name in _READY]
        known = all(pair.name in (*_READY, "within") for pair in node)
        if not found and known:
            message = "`ready` does not say what to wait for"
            self._add("SB202", node, step, message, f"add one of {', '.join(_READY)}")
        for key in found[1:]:
            message = f"{key.text!r} cannot stand beside {found[0].text!r} in `ready`"
            self._add("SB213", key, step, message, "leave one of them out")

    def _saved(self, step: Step) -> None:
        values = step.expect.get("values") if isinstance(step.expect, Mapping) else None
        node = self._places.of(step, "expect", "values")
        self._refuse_unsaved(values, node, step, step)

    def _refuse_unsaved(
        self, values: Value, node: Node | None, step: Step, saver: Step
    ) -> None:
        if not isinstance(values, Mapping):
            return
        whose = "this step" if saver is step else f"the step {saver.id!r}"
        for name in values:
            if name not in saver.save:
                message = f"{whose} saves no value {name!r}"
                remedy = suggest(name, saver.save, kind="saved")
                if not saver.save:
                    remedy = f"add `save: {{{name}: …}}`"
                self._add("SB302", self._places.key(node, name), step, message, remedy)

    def _reuse(self, step: Step) -> None:
        options = self._places.of(step, CREATE)
        if step.verb != CREATE or not isinstance(options, MapNode):
            return
        reuse, missing = options.find("reuse"), options.find("if_missing")
        if missing is not None and reuse is None:
            message = "`if_missing` says what to do when there is nothing to reuse"
            self._add("SB218", missing.key, step, message, "add `reuse`, or remove it")
        if (
            reuse is not None
            and isinstance(reuse.value, MapNode)
            and not reuse.value.pairs
        ):
            message = "without an entry, `reuse` would take any sandbox there is"
            self._add("SB215", reuse.value, step, message, "add `reuse: {app: NAME}`")

    def _watch(self, step: Step) -> None:
        if step.verb != "watch" or "during" in step.children:
            return
        if "expect" in step.args or self._places.of(step, "during"):
            return
        message = "without `during`, `watch` needs an `expect`: it waits for that"
        self._add("SB202", None, step, message, "add `expect: [{event: …, path: …}]`")

    def _watched_paths(self, step: Step) -> None:
        """Patterns that can never fit, since they are not relative to the folder."""
        if step.verb != "watch":
            return
        expect = step.args.get("expect")
        count = len(expect) if isinstance(expect, tuple) else 0
        places: list[tuple[Key, ...]] = [("expect", i, "path") for i in range(count)]
        for name in ("only", "ignore"):
            value = step.args.get(name)
            many = len(value) if isinstance(value, tuple) else 0
            places += [(name, i) for i in range(many)] or [(name,)]
        for place in places:
            node = self._places.of(step, *place)
            if isinstance(node, ScalarNode):
                self._watched_path(step, node)

    def _watched_path(self, step: Step, node: ScalarNode) -> None:
        first = node.text.partition("/")[0]
        if first in ("", "~", ".", "..") and "/" in node.text:
            message = "a path here is relative to the folder that is watched"
            remedy = "write it as it is seen from there, as `sub/a.txt`"
            self._add("SB215", node, step, message, remedy)
        elif "/" in node.text and step.args.get("recursive") is False:
            message = "with `recursive: false` nothing is told of folders below"
            self._add("SB215", node, step, message, "leave out `recursive: false`")

    def _check(self, step: Step) -> None:
        value = step.args.get("check")
        node = self._places.of(step, "check")
        if step.verb != "check" or not isinstance(node, MapNode):
            return
        if not isinstance(value, Mapping):
            return
        if "http" in value and "step" in value:
            first, second = (pair.key for pair in node if pair.name in ("http", "step"))
            message = f"{second.text!r} cannot stand beside {first.text!r}"
            self._add("SB213", second, step, message, "make it a check of its own")
        elif "step" in value:
            self._check_of_step(step, value, node)
        else:
            self._check_subjects(step, value, node)

    def _check_subjects(
        self, step: Step, value: Mapping[str, Value], node: MapNode
    ) -> None:
        asks = "http" in value
        known = (*_OF_HTTP, *_ANYWHERE) if asks else _ANYWHERE
        subjects = [pair.key for pair in node if pair.name in SUBJECTS]
        for key in subjects:
            if key.text in known:
                continue
            message = f"{key.text!r} belongs to a result, and no step is named here"
            remedy = "add `step: ID`, the step whose result is checked"
            if asks:
                message = f"the answer to http has no {key.text!r}"
                remedy = f"it has {', '.join(_OF_HTTP)}"
            self._add("SB213", key, step, message, remedy)
        if not asks and (headers := self._places.key(node, "headers")):
            message = "`headers` belong to a request"
            self._add(
                "SB218", headers, step, message, "add `http: URL`, or remove them"
            )
        if not asks and not subjects and node.pairs:
            message = "this check does not say what must hold"
            remedy = "add `file: PATH`, `http: URL`, or `step: ID` with what it must be"
            self._add("SB202", node, step, message, remedy)

    def _check_of_step(
        self, step: Step, value: Mapping[str, Value], node: MapNode
    ) -> None:
        name = value.get("step")
        if not isinstance(name, str):
            return
        of = self._above.get(name)
        if of is None:
            self._absent(step, name)
            return
        subjects = [pair.key for pair in node if pair.name in SUBJECTS]
        known = (*self._verbs[of.verb].subjects, *_ANYWHERE)
        for key in subjects:
            if of.is_loop or key.text not in known:
                message = (
                    f"the result of the {of.verb!r} step {name!r} has no {key.text!r}"
                )
                remedy = suggest(key.text, known, kind="it has")
                if of.is_loop:
                    message = f"the step {name!r} has `for_each`: it has many results"
                    remedy = f"check an expression, as `steps.{name}.each[0].…`"
                self._add("SB303", key, step, message, remedy)
        if not subjects:
            message = f"this check does not say what must hold for {name!r}"
            self._add("SB202", node, step, message, "add `exit: 0`, or `output: …`")
        self._refuse_unsaved(
            value.get("values"), self._places.of(step, "check", "values"), step, of
        )

    def _absent(self, step: Step, name: str) -> None:
        node = self._places.of(step, "check", "step")
        if name in self._unread:
            return
        if name == step.id:
            message = "a step cannot check its own result, which is not there yet"
            self._add("SB304", node, step, message, "name a step above")
        elif name in self._ids:
            message = f"the step {name!r} has no result yet when this is needed"
            remedy = "only steps above can be used, and none that runs at the same time"
            self._add("SB304", node, step, message, remedy)
        else:
            message = f"there is no step {name!r}"
            self._add("SB302", node, step, message, suggest(name, self._above))

    def _key(self, step: Step, name: str) -> Node | None:
        pair = self._places.pair(step, name)
        return pair.key if pair else None

    def _add(self, code: str, node: Node | None, step: Step, *words: str) -> None:
        message, remedy = words
        self._places.add(code, node, message, remedy, step=step)
