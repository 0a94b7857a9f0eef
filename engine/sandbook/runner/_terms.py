"""What a step says of time and tries, evaluated: what did not fit is told here."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sandbook.api import Bound
from sandbook.expressions import (
    Expression,
    ExpressionError,
    Scope,
    Template,
    Value,
    evaluate,
)
from sandbook.runbook import Retry, RetryOn, Step
from sandbook.runner._results import StepResult
from sandbook.units import parse_duration

_T = TypeVar("_T")
_USUAL = Retry()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How often and when a failed try is repeated; times in seconds."""

    times: int = 0
    wait: float = 1.0
    backoff: float = 1.0
    max_wait: float = 60.0
    jitter: bool = False
    on: frozenset[RetryOn] = _USUAL.on

    def pause_after(self, result: StepResult) -> float | None:
        """Seconds until the next try; None when this one was the last."""
        failure = result.failure
        if failure is None or result.tries > self.times or failure.kind not in self.on:
            return None
        wait = min(self.wait * self.backoff ** (result.tries - 1), self.max_wait)
        return wait * random.uniform(0.5, 1.5) if self.jitter else wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The common keys of one item of a step that say how long and how often."""

    timeout: float | None
    limit: int | None
    allow_failure: bool
    retry: Tries


def terms_of(step: Step, scope: Scope) -> Terms:
    """Evaluate them for one item; raises `ExpressionError` for what does not fit."""
    limit = None if step.limit is None else limit_of(step, scope)
    return Terms(
        timeout=_get("timeout", step.timeout, scope, _duration_or_none),
        limit=limit,
        allow_failure=_get("allow_failure", step.allow_failure, scope, _boolean),
        retry=_tries(step.retry, scope),
    )


def limit_of(step: Step, scope: Scope) -> int:
    """How many run at once."""
    return 1 if step.limit is None else _get("limit", step.limit, scope, _at_least(1))


def run_timeout(value: Value, scope: Scope) -> float | None:
    """The limit of a whole run, in seconds."""
    return _get("timeout", value, scope, _duration_or_none)


def _tries(written: Retry | Template, scope: Scope) -> Tries:
    retry = written
    if isinstance(retry, Template):
        retry = _whole_retry(retry, scope)
    return Tries(
        times=_get("retry", retry.times, scope, _at_least(0)),
        wait=_get("retry.wait", retry.wait, scope, _duration),
        backoff=_get("retry.backoff", retry.backoff, scope, _backoff),
        max_wait=_get("retry.max_wait", retry.max_wait, scope, _duration),
        jitter=_get("retry.jitter", retry.jitter, scope, _boolean),
        on=retry.on,
    )


def _whole_retry(written: Template, scope: Scope) -> Retry:
    return Retry(times=_get("retry", written, scope, _at_least(0)))


def _get(key: str, value: Value, scope: Scope, fit: Callable[[Bound, bool], _T]) -> _T:
    """The value of a key; `fit` raises `ValueError` with what is needed instead."""
    is_expression = isinstance(value, Template)
    found = evaluate(value, scope)
    try:
        return fit(found, is_expression)
    except ValueError as error:
        at = next((p.at for p in _pieces(value) if isinstance(p, Expression)), None)
        shown = repr(found) if isinstance(found, str) else _shown(found)
        raise ExpressionError(
            f"`{key}` needs {error}, and this is {shown}", at=at
        ) from error


def _pieces(value: Value) -> tuple[str | Expression, ...]:
    return value.pieces if isinstance(value, Template) else ()


def _shown(value: Bound) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return "a map" if isinstance(value, Mapping) else "a list"


def _duration(value: Bound, is_expression: bool) -> float:  # noqa: FBT001 - one shape for all
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise ValueError("a duration, as 30s") from error
    # What was written plainly is in seconds already.
    if not is_expression and isinstance(value, int | float):
        return float(value)
    raise ValueError("a duration, as 30s")


def _duration_or_none(value: Bound, is_expression: bool) -> float | None:  # noqa: FBT001
    if value == "none" or (value is None and not is_expression):
        return None
    return _duration(value, is_expression)


def _boolean(value: Bound, _: bool) -> bool:  # noqa: FBT001
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


def _backoff(value: Bound, _: bool) -> float:  # noqa: FBT001
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 1:
        return float(value)
    raise ValueError("a number of at least 1")


def _at_least(least: int) -> Callable[[Bound, bool], int]:
    def fit(value: Bound, _: bool) -> int:  # noqa: FBT001
        whole = isinstance(value, int) and not isinstance(value, bool)
        if whole and isinstance(value, int) and value >= least:
            return value
        raise ValueError(f"a whole number of at least {least}")

    return fit
