"""Typed looks into the fields of an event; what does not fit is absent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sandbook.api import JSON

Fields = Mapping[str, JSON]


def text(fields: Fields, key: str) -> str | None:
    """A text."""
    value = fields.get(key)
    return value if isinstance(value, str) else None


def whole(fields: Fields, key: str) -> int | None:
    """An integer."""
    value = fields.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(fields: Fields, key: str) -> float | None:
    """A number."""
    value = fields.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def entries(fields: Fields, key: str) -> Fields:
    """A map; empty when there is none."""
    value = fields.get(key)
    return value if isinstance(value, Mapping) else {}


def texts(fields: Fields, key: str) -> tuple[str, ...]:
    """The texts of a list."""
    value = fields.get(key)
    if not isinstance(value, list | tuple):
        return ()
    return tuple(item for item in value if isinstance(item, str))


def instant(fields: Fields, key: str) -> datetime | None:
    """An instant written as ISO 8601, in UTC."""
    value = text(fields, key)
    try:
        at = datetime.fromisoformat(value or "")
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
