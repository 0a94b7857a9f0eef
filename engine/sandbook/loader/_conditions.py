"""Refuse conditions that can never be true or false, whatever a run brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sandbook.api import VerbSpec
from sandbook.expressions import Expression, Template, Value, not_booleans, paths
from sandbook.loader._source import Source
from sandbook.runbook import Runbook, Step, flat
from sandbook.schema import alternatives, kind_of

_EXAMPLES: Final = {"a text": "'yes'", "a number": "1"}


def check_conditions(
    runbook: Runbook, source: Source, verbs: Mapping[str, VerbSpec]
) -> None:
    """Add a problem for each part of a condition that is no boolean."""
    types = {name: spec.type for name, spec in runbook.inputs.items()}
    for step in flat((*runbook.setup, *runbook.steps, *runbook.final)):
        for value in _conditions(step, verbs[step.verb]):
            expression = value.alone if isinstance(value, Template) else None
            if expression is not None:
                _check(expression, types, source)


def _conditions(step: Step, verb: VerbSpec) -> Iterator[Value]:
    yield step.condition
    if "expression" in {kind_of(one) for one in alternatives(verb.value)}:
        yield step.args.get(step.verb)


def _check(expression: Expression, types: Mapping[str, str], source: Source) -> None:
    start = source.offset(expression.at)
    for part, kind in not_booleans(expression.tree, types):
        path = next(paths(part), None)
        shown = ".".join(map(str, path.names)) if path else "x"
        column = expression.offset + path.columns[0] if path else 0
        source.add(
            "SB206",
            start + column,
            f"a condition must be true or false, and this is {kind}",
            remedy=f"compare it, as in `{shown} == {_EXAMPLES.get(kind, '…')}`",
            length=len(shown) if path else len(expression.source),
        )
