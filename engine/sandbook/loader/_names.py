"""Check every name an expression uses that can be known before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sandbook.api import VerbSpec
from sandbook.expressions import (
    Expression,
    Path,
    Template,
    Value,
    expressions_in,
    paths,
)
from sandbook.loader._sandboxes import check_sandboxes
from sandbook.loader._source import Source
from sandbook.problems import suggest
from sandbook.runbook import Runbook, Step
from sandbook.schema import COMMON_FIELDS

SECRET_PLACES: Final = frozenset(
    {"env", "with", "stdin", "content", "headers", "secret"}
)
"""The keys whose value may hold secrets."""

_ROOTS: Final = ("inputs", "env", "secrets", "steps", "item", "run", "sandbox")
_RUN: Final = ("id", "name", "started", "status", "failed")
_SANDBOX: Final = ("name", "id", "provider")


@dataclass(frozen=True, slots=True)
class _Result:
    """What is known of a step's result: its fields, and what it saves."""

    fields: frozenset[str]
    saved: frozenset[str]
    is_loop: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """What an expression can see at one place; it begins with one of the `roots`."""

    roots: frozenset[str]
    env: frozenset[str] = frozenset()
    steps: Mapping[str, _Result] = field(default_factory=dict[str, _Result])
    place: str = "here"


def check_names(
    runbook: Runbook,
    source: Source,
    verbs: Mapping[str, VerbSpec],
    *,
    ids: frozenset[str],
) -> None:
    """Add a problem for each name that does not exist where it is used.

    `ids` are all ids of the file: nothing is said of steps that could not be read.
    """
    _Checker(runbook, source, verbs, ids).check()
    check_sandboxes(runbook, source, verbs)


class _Checker:
    def __init__(
        self,
        runbook: Runbook,
        source: Source,
        verbs: Mapping[str, VerbSpec],
        ids: frozenset[str],
    ) -> None:
        self._runbook = runbook
        self._source = source
        self._verbs = verbs
        self._env = frozenset(runbook.env)
        lists = (runbook.setup, runbook.steps, runbook.final)
        self._known_ids = {step.id for steps in lists for step in _flat(steps)}
        self._unread_ids = ids - self._known_ids

    def check(self) -> None:
        """Go through the file in the order things happen."""
        runbook = self._runbook
        first = _View(roots=frozenset({"inputs"}), place="here, only inputs")
        self._value(
            runbook.env, replace(first, roots=first.roots | {"secrets"}), secret=True
        )
        self._value(runbook.sandbox, replace(first, roots=first.roots | {"secrets"}))
        known: dict[str, _Result] = {}
        self._steps(runbook.setup, first, known)
        whole = _View(roots=frozenset(_ROOTS) - {"item"}, env=self._env)
        self._steps(runbook.steps, whole, known)
        self._steps(runbook.final, whole, known)
        last = _View(
            roots=frozenset({"inputs", "env", "steps", "run"}),
            env=self._env,
            steps=known,
        )
        self._value(runbook.name, replace(last, roots=last.roots - {"steps"}))
        for artifact in runbook.artifacts:
            self._value(artifact.path, last)
        self._value(runbook.outputs, last)

    def _steps(
        self, steps: Iterable[Step], view: _View, known: dict[str, _Result]
    ) -> None:
        for step in steps:
            self._step(step, replace(view, steps=dict(known)), known)

    def _step(self, step: Step, view: _View, known: dict[str, _Result]) -> None:
        self._value(step.for_each, view)
        if step.is_loop:
            view = replace(view, roots=view.roots | {"item"})
        self._value(step.env, view, secret=True)
        inner = replace(view, env=view.env | frozenset(step.env))
        for value in (step.label, step.condition, step.cwd, step.expect, step.save):
            self._value(value, inner)
        self._value(step.args, inner)
        for key, children in step.children.items():
            self._children(children, view, known, at_once=key == step.verb)
        if step.id:
            known[step.id] = self._result(step)

    def _children(
        self,
        children: tuple[Step, ...],
        view: _View,
        known: dict[str, _Result],
        *,
        at_once: bool,
    ) -> None:
        if not at_once:
            self._steps(children, view, known)
            return
        # Steps that run at once cannot wait for each other's results.
        found: dict[str, _Result] = {}
        for child in children:
            own = dict(known)
            self._step(child, replace(view, steps=dict(known)), own)
            found |= own
        known.update(found)

    def _result(self, step: Step) -> _Result:
        spec = self._verbs[step.verb]
        fields = {*spec.fields, *COMMON_FIELDS}
        if "values" in spec.subjects:
            fields.add("values")
        return _Result(frozenset(fields), frozenset(step.save), step.is_loop)

    def _value(self, value: Value, view: _View, *, secret: bool = False) -> None:
        for expression, in_place in _placed(value, allowed=secret):
            if expression.secret is not None:
                self._secret(expression, view, in_place=in_place)
                continue
            for path in paths(expression.tree):
                self._path(expression, path, view)

    def _secret(self, expression: Expression, view: _View, *, in_place: bool) -> None:
        name = expression.secret or ""
        if "secrets" not in view.roots or not in_place:
            self._add(
                "SB306",
                expression,
                f"the secret {name!r} cannot stand here",
                f"set `env: {{{name}: ${{{{ secrets.{name} }}}}}}` and use that",
            )
        elif name not in self._runbook.secrets:
            self._add(
                "SB302",
                expression,
                f"there is no secret {name!r}",
                _or_declare(name, self._runbook.secrets, f"secrets: [{name}]"),
            )

    def _path(self, expression: Expression, path: Path, view: _View) -> None:
        root = str(path.names[0])
        if root not in _ROOTS:
            self._unknown(expression, path, 0, f"there is no name {root!r}", _ROOTS)
        elif root not in view.roots:
            self._misplaced(expression, path, view)
        elif root == "steps":
            self._step_path(expression, path, view)
        elif len(path.names) > 1 and root != "item":
            self._entry(expression, path, self._entries(root, view))

    def _entries(self, root: str, view: _View) -> Iterable[str]:
        known: Mapping[str, Iterable[str]] = {
            "inputs": self._runbook.inputs,
            "env": view.env,
            "run": _RUN,
            "sandbox": _SANDBOX,
        }
        return known[root]

    def _misplaced(self, expression: Expression, path: Path, view: _View) -> None:
        root = str(path.names[0])
        reason = "`item` exists only in a step with `for_each`"
        if root != "item":
            allowed = ", ".join(name for name in _ROOTS if name in view.roots)
            reason = f"names that may stand here: {allowed}"
        self._add(
            "SB302", expression, f"{root!r} cannot be used here", reason, path=path
        )

    def _entry(self, expression: Expression, path: Path, known: Iterable[str]) -> None:
        root, name = str(path.names[0]), path.names[1]
        names = list(known)
        if name in names:
            return
        wrong = f"there is no {name!r} in `{root}`"
        declare = {
            "inputs": f"inputs: {{{name}: {{default: …}}}}",
            "env": f"env: {{{name}: …}}",
        }
        self._add(
            "SB302",
            expression,
            f"there is no input {name!r}" if root == "inputs" else wrong,
            _or_declare(str(name), names, declare.get(root)),
            path=path,
            part=1,
        )

    def _step_path(self, expression: Expression, path: Path, view: _View) -> None:
        if len(path.names) == 1:
            self._add(
                "SB302",
                expression,
                "`steps` needs the id of a step, written as it is",
                "write steps.ID.FIELD",
                path=path,
            )
            return
        id_ = str(path.names[1])
        result = view.steps.get(id_)
        if result is None:
            self._absent_step(expression, path, view)
            return
        self._field(expression, path, 2, result)

    def _absent_step(self, expression: Expression, path: Path, view: _View) -> None:
        id_ = str(path.names[1])
        if id_ in self._unread_ids:
            return
        if id_ in self._known_ids:
            self._add(
                "SB304",
                expression,
                f"the step {id_!r} has no result yet when this is needed",
                "only steps above can be used, and none that runs at the same time",
                path=path,
                part=1,
            )
            return
        self._unknown(expression, path, 1, f"there is no step {id_!r}", view.steps)

    def _field(
        self, expression: Expression, path: Path, part: int, result: _Result
    ) -> None:
        if len(path.names) <= part:
            return
        name = path.names[part]
        fields = {*COMMON_FIELDS, "each"} if result.is_loop else result.fields
        if name not in fields:
            loop = " of a step with `for_each`" if result.is_loop else ""
            message = f"the result{loop} has no field {name!r}"
            remedy = suggest(str(name), sorted(fields), kind="fields")
            self._add("SB303", expression, message, remedy, path=path, part=part)
        elif result.is_loop and name == "each" and len(path.names) > part + 2:
            self._field(expression, path, part + 2, replace(result, is_loop=False))
        elif name == "values" and len(path.names) > part + 1:
            saved = path.names[part + 1]
            if saved not in result.saved:
                message = f"that step saves no value {saved!r}"
                self._unknown(expression, path, part + 1, message, result.saved)

    def _unknown(
        self,
        expression: Expression,
        path: Path,
        part: int,
        message: str,
        known: Iterable[str],
    ) -> None:
        remedy = suggest(str(path.names[part]), known)
        self._add("SB302", expression, message, remedy, path=path, part=part)

    def _add(
        self,
        code: str,
        expression: Expression,
        message: str,
        remedy: str,
        *,
        path: Path | None = None,
        part: int = 0,
    ) -> None:
        start = self._source.offset(expression.at)
        length = len(expression.source) + (5 if expression.offset == 3 else 0)  # noqa: PLR2004 - `${{`
        if path is not None:
            start += expression.offset + path.columns[part]
            length = len(str(path.names[part]))
        self._source.add(code, start, message, remedy=remedy, length=length)


def _placed(value: Value, *, allowed: bool) -> Iterator[tuple[Expression, bool]]:
    """Every expression of a value, and whether a secret may stand there."""
    match value:
        case Mapping():
            for key, item in value.items():
                yield from _placed(item, allowed=allowed or key in SECRET_PLACES)
        case tuple():
            for item in value:
                yield from _placed(item, allowed=allowed)
        case _:
            for expression in expressions_in(value):
                yield expression, allowed and isinstance(value, Template)


def _flat(steps: Iterable[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        for children in step.children.values():
            yield from _flat(children)


def _or_declare(name: str, known: Iterable[str], declaration: str | None) -> str:
    names = list(known)
    near = suggest(name, names)
    if near.startswith("did you mean") or declaration is None:
        return near
    return f"declare it: {declaration}"
