"""Which limits hold for a provider, and where they are written."""

from __future__ import annotations

from collections.abc import Mapping

from sandbook.api import JSON
from sandbook.errors import UsageError
from sandbook.ledger._types import METERS, Limits, Meter

BUILT_IN: Mapping[str, int] = {
    "daytona": 5000,
    "runloop": 5000,
    "microsandbox": 10_000,
    "e2b": 1000,
}
"""Sessions a month; a provider that is not named here is unlimited."""

_LARGEST = 10**15  # below what any database's integer holds, above what anybody means


def limits_for(
    provider: str, environ: Mapping[str, str], settings: Mapping[str, JSON]
) -> Limits:
    """The limits of one provider.

    `settings` is their `quotas` part: provider → meter → number or "unlimited".
    `QUOTA_<PROVIDER>_MONTHLY` comes before it for `sessions`, and counts as not set
    when empty. Raises `UsageError` naming what was written wrong.
    """
    written = _written(provider, settings)
    sources: dict[Meter, str] = {}
    values: dict[Meter, int | None] = {"sessions": BUILT_IN.get(provider)}
    for meter, value in written.items():
        sources[meter] = f"quotas.{provider}.{meter}"
        values[meter] = _limit(value, source=sources[meter])
    variable = f"QUOTA_{provider.upper().replace('-', '_')}_MONTHLY"
    text = environ.get(variable, "").strip()
    if text:
        sources["sessions"] = variable
        values["sessions"] = _limit(text, source=variable)
    return Limits(
        concurrent=values.get("concurrent"),
        seconds=values.get("seconds"),
        sessions=values["sessions"],
        sources=sources,
    )


def _written(provider: str, settings: Mapping[str, JSON]) -> dict[Meter, JSON]:
    entry = settings.get(provider)
    if entry is None:
        return {}
    if not isinstance(entry, Mapping):
        raise UsageError(
            f"quotas.{provider} is {entry!r}, expected limits by meter",
            remedy=f"write meters under it: {', '.join(METERS)}",
        )
    unknown = [key for key in entry if key not in METERS]
    if unknown:
        raise UsageError(
            f"quotas.{provider} has no meter {unknown[0]!r}",
            remedy=f"the meters are {', '.join(METERS)}",
        )
    return {meter: entry[meter] for meter in METERS if meter in entry}


def _limit(value: JSON, *, source: str) -> int | None:
    text = value if isinstance(value, str) else str(value)
    if text == "unlimited":
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1  # noqa: PLR2004
    if isinstance(value, bool) or not 0 <= number <= _LARGEST:
        raise UsageError(
            f"{source} is {value!r}, expected a whole number or 'unlimited'",
            remedy=f"write how many are allowed, e.g. 1000; 0 disables ({source})",
        )
    return number
