"""Where in a value a secret may stand: only where nothing of it is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sandbook.expressions import Expression, Template, Value, expressions_in, secrets_in
from sandbook.schema import SUBJECTS

SECRET_PLACES: Final = frozenset(
    {"env", "with", "stdin", "content", "headers", "secret"}
)
"""The keys whose value may hold secrets."""

_NEVER_SECRET: Final = frozenset({*SUBJECTS, "metadata", "reuse"})
"""What stands below these is shown or compared, whatever its keys are called."""


def placed(value: Value, *, allowed: bool) -> Iterator[tuple[Expression, bool]]:
    """Every expression of a value, and whether a secret may stand there."""
    match value:
        case Mapping():
            for key, item in value.items():
                if key in _NEVER_SECRET and not allowed:
                    yield from ((one, False) for one in expressions_in(item))
                    continue
                yield from placed(item, allowed=allowed or key in SECRET_PLACES)
        case tuple():
            for item in value:
                yield from placed(item, allowed=allowed)
        case _:
            for expression in expressions_in(value):
                yield expression, allowed and isinstance(value, Template)


def holding_secrets(env: Mapping[str, Value]) -> frozenset[str]:
    """The variables whose value has a secret in it."""
    return frozenset(name for name, value in env.items() if secrets_in(value))
