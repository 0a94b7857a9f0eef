"""Check every name an expression uses that can be known before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sandbook.api import VerbSpec
from sandbook.expressions import (
    Expression,
    Path,
    Value,
    paths,
)
from sandbook.loader._retry_values import retry_values
from sandbook.loader._secret_places import holding_secrets, placed
from sandbook.loader._source import Source
from sandbook.problems import suggest, suggest_or_declare
from sandbook.runbook import Runbook, Step, flat
from sandbook.schema import COMMON_FIELDS, CREATE

_ROOTS: Final = ("inputs", "env", "secrets", "steps", "item", "run", "sandbox")
_NOT_IN_SETUP: Final = (
    "what `setup` leaves is stored, so no secret may come in: move the step to `steps`"
)
_NOT_AN_INPUT: Final = (
    "list it under `secrets` of the runbook that is used: it gets the value itself"
)
_MEANT: Final = {
    **dict.fromkeys(("yes", "on"), "true"),
    **dict.fromkeys(("no", "off"), "false"),
    **dict.fromkeys(("failure", "failed"), "run.failed"),
    "success": "run.status == 'passed'",
}
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
    secret_env: frozenset[str] = frozenset()
    steps: Mapping[str, _Result] = field(default_factory=dict[str, _Result])
    own: str | None = None
    without_secrets: str = ""


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
        self._secret_env = holding_secrets(runbook.env)
        lists = (runbook.setup, runbook.steps, runbook.final)
        self._known_ids = {step.id for steps in lists for step in flat(steps)}
        self._repeated_ids = {
            inner.id
            for steps in lists
            for step in flat(steps)
            if step.is_loop
            for inner in flat([step])
            if inner is not step
        }
        self._unread_ids = ids - self._known_ids

    def check(self) -> None:
        """Go through the file in the order things happen."""
        runbook = self._runbook
        first = _View(roots=frozenset({"inputs"}), without_secrets=_NOT_IN_SETUP)
        self._value(
            runbook.env, replace(first, roots=first.roots | {"secrets"}), secret=True
        )
        self._value(runbook.sandbox, replace(first, roots=first.roots | {"secrets"}))
        known: dict[str, _Result] = {}
        self._steps(runbook.setup, first, known)
        whole = _View(
            roots=frozenset(_ROOTS) - {"item"},
            env=self._env,
            secret_env=self._secret_env,
        )
        self._steps(runbook.steps, whole, known)
        self._steps(runbook.final, whole, known)
        last = _View(
            roots=frozenset({"inputs", "env", "steps", "run"}),
            env=self._env,
            secret_env=self._secret_env,
            steps=known,
            without_secrets="secrets are never shown or stored: use another value",
        )
        self._value(runbook.timeout, first)
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
        outer = view
        if step.is_loop:
            view = replace(view, roots=view.roots | {"item"})
        self._value(step.env, view, secret=True)
        inner = replace(
            view,
            env=view.env | frozenset(step.env),
            secret_env=view.secret_env - set(step.env) | holding_secrets(step.env),
            own=step.id,
        )
        if step.verb == CREATE:
            # There is no sandbox yet that could be asked for its name.
            inner = replace(inner, roots=inner.roots - {"sandbox"})
        for value in (step.label, step.condition, step.cwd, step.expect, step.save):
            self._value(value, inner)
        for value in (step.timeout, step.allow_failure, retry_values(step.retry)):
            self._value(value, inner)
        # How many items run at once is asked before there is an item.
        whole = step.is_loop and not self._verbs[step.verb].own_limit
        self._value(step.limit, outer if whole else inner)
        if step.verb == "use":
            # An input is no secret: filters could use it, and nothing would be masked.
            inner = replace(
                inner, roots=inner.roots - {"secrets"}, without_secrets=_NOT_AN_INPUT
            )
        self._value(step.args, inner)
        below = replace(view, env=inner.env, secret_env=inner.secret_env)
        # Of a step inside a loop there is a result for each item, seen in that only.
        inside = dict(known) if step.is_loop else known
        for key, children in step.children.items():
            self._children(children, below, inside, at_once=key == step.verb)
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
        for expression, in_place in placed(value, allowed=secret):
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
                view.without_secrets
                if "secrets" not in view.roots
                else f"set `env: {{{name}: ${{{{ secrets.{name} }}}}}}` and use that",
            )
        elif name not in self._runbook.secrets:
            self._add(
                "SB302",
                expression,
                f"there is no secret {name!r}",
                suggest_or_declare(name, self._runbook.secrets, f"secrets: [{name}]"),
            )

    def _path(self, expression: Expression, path: Path, view: _View) -> None:
        root = str(path.names[0])
        if root not in _ROOTS:
            self._no_root(expression, path)
        elif root not in view.roots:
            self._misplaced(expression, path, view)
        elif root == "steps":
            self._step_path(expression, path, view)
        elif root == "env" and set(path.names[1:2]) & view.secret_env:
            self._secret_entry(expression, path)
        elif len(path.names) > 1 and root != "item":
            self._entry(expression, path, self._entries(root, view))

    def _no_root(self, expression: Expression, path: Path) -> None:
        root = str(path.names[0])
        message = f"there is no name {root!r}"
        meant = _MEANT.get(root.lower())
        owners = {"inputs": self._runbook.inputs, "env": self._env}
        for owner, names in owners.items():
            if root in names:
                meant = f"{owner}.{root}"
        if root in self._known_ids:
            meant = f"steps.{root}.FIELD"
        remedy = f"write {meant}" if meant else suggest(root, _ROOTS)
        self._add("SB302", expression, message, remedy, path=path)

    def _secret_entry(self, expression: Expression, path: Path) -> None:
        """An entry that holds a secret is as secret as it, for filters too."""
        name = str(path.names[1])
        self._add(
            "SB306",
            expression,
            f"'env.{name}' holds a secret, and no expression can use one",
            f'write "${name}" in a shell text; where a secret may stand, '
            "write ${{ secrets.NAME }}",
            path=path,
            part=1,
        )

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
            suggest_or_declare(str(name), names, declare.get(root)),
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
            message = f"the step {id_!r} has no result yet when this is needed"
            remedy = "only steps above can be used, and none that runs at the same time"
            if id_ in self._repeated_ids:
                message = f"the step {id_!r} has a result for each item of the loop"
                remedy = "it can be used in a step of the same item, inside the loop"
            if id_ == view.own:
                message = "a step cannot use its own result, which is not there yet"
                remedy = "use it in a step below"
            self._add(
                "SB304",
                expression,
                message,
                remedy,
                path=path,
                part=1,
            )
            return
        message = f"there is no step {id_!r}"
        if not view.steps:
            remedy = "give the step that is meant an `id`, and write that"
            self._add("SB302", expression, message, remedy, path=path, part=1)
            return
        self._unknown(expression, path, 1, message, view.steps)

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
