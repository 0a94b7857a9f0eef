"""Decides where the value of a secret comes from, and which values are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from sandbook.errors import UsageError
from sandbook.masking import SHORTEST

Source = Callable[[str], "str | None"]
"""Gives the value of a secret by its name; None = it has none."""


def find_secrets(
    names: Iterable[str],
    sources: Sequence[Source],
    *,
    remedy: Callable[[str], str],
) -> Mapping[str, str]:
    """The value of every secret, of the first source that has one.

    An empty value is none: that is what an unset variable of CI looks like.

    Raises:
        UsageError: Names every secret that is missing, or too short to be masked,
            with a remedy a line. No value is shown.
    """
    values = {name: _first(name, sources) for name in dict.fromkeys(names)}
    wrong = {name: why for name, v in values.items() if (why := _refusal(name, v))}
    if wrong:
        raise UsageError(
            "; ".join(wrong.values()), remedy="\n".join(remedy(name) for name in wrong)
        )
    return values


def _first(name: str, sources: Sequence[Source]) -> str:
    return next((value for source in sources if (value := source(name))), "")


def _refusal(name: str, value: str) -> str:
    if not value:
        return f"secret {name!r} is not given"
    if len(value.strip("\r\n")) < SHORTEST:
        return f"secret {name!r} is shorter than {SHORTEST} characters"
    if "\0" in value:
        return f"secret {name!r} has a NUL byte, which no variable can hold"
    return ""
