"""What a request to the control API wishes for, checked as the service does."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from urllib.parse import parse_qsl, unquote

from sandbook.api import Network
from tests.servers.e2b.errors import ApiError
from tests.servers.e2b.sandboxes import E2BSandbox

LONGEST = 86_400
_EVERYTHING = "0.0.0.0/0"
_PAGE = 100


def lifetime(body: Mapping[str, object], name: str, *, default: float | None) -> float:
    """The seconds under `name`."""
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ApiError(400, f"{name} must be a number of seconds, not {value!r}")
    if value > LONGEST:
        raise ApiError(400, f"{name} cannot be greater than {LONGEST // 3600} hours")
    return float(value)


def flag(value: object, name: str) -> bool:
    """What an object says under `name`; false where there is none."""
    found = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return found.get(name) is True


def texts(body: Mapping[str, object], name: str) -> dict[str, str]:
    """A map of texts."""
    value = cast("dict[object, object]", body.get(name) or {})
    found = {
        k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, str)
    }
    if len(found) < len(value):
        raise ApiError(400, f"{name} must map texts to texts")
    return found


def network(body: Mapping[str, object]) -> Network:
    """The outbound traffic that is wished for, as far as a local sandbox can tell.

    Names can be allowed; addresses can only be all denied, as they are without a name.
    """
    rules = cast("dict[str, list[str]]", body.get("network") or {})
    denied = rules.get("denyOut") or []
    allowed = rules.get("allowOut") or []
    for entry in denied:
        if not _is_address(entry):
            raise ApiError(400, f"invalid denied CIDR {entry}")
    is_closed = body.get("allow_internet_access") is False or _EVERYTHING in denied
    if not is_closed:
        return "egress"
    names = tuple(entry for entry in allowed if not _is_address(entry))
    return names or "off"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a list is to hold, and in which order."""

    metadata: Mapping[str, str]
    states: frozenset[str]
    template: str | None
    started_after: datetime | None
    newest_first: bool
    limit: int
    after: str | None

    @classmethod
    def of(cls, query: Mapping[str, str], *, states: str) -> Listing:
        """Read a query; `states` are those that are listed when none is named."""
        after = query.get("startedAfter")
        limit = query.get("limit", str(_PAGE))
        if not limit.isdecimal() or not 1 <= int(limit) <= _PAGE:
            raise ApiError(400, f"limit must be from 1 to {_PAGE}, not {limit!r}")
        # The SDK quotes names and values before it encodes the whole.
        pairs = parse_qsl(query.get("metadata", ""), keep_blank_values=True)
        return cls(
            metadata={unquote(k): unquote(v) for k, v in pairs},
            states=frozenset(query.get("state", states).split(",")),
            template=query.get("template"),
            started_after=datetime.fromisoformat(after) if after else None,
            newest_first=query.get("order", "desc") == "desc",
            limit=int(limit),
            after=query.get("nextToken"),
        )

    def fits(self, made: E2BSandbox) -> bool:
        """Whether a sandbox belongs on the list."""
        return (
            made.state in self.states
            and self.metadata.items() <= made.metadata.items()
            and self.template in (None, made.template)
            and (self.started_after is None or made.started_at > self.started_after)
        )

    def page(self, every: list[E2BSandbox]) -> tuple[list[E2BSandbox], str | None]:
        """A page of those that fit, and the token of the next one."""
        fitting = [made for made in every if self.fits(made)]
        fitting.sort(key=lambda m: (m.started_at, m.id), reverse=self.newest_first)
        if self.after is not None:
            ids = [made.id for made in fitting]
            place = ids.index(self.after) + 1 if self.after in ids else 0
            fitting = fitting[place:]
        shown = fitting[: self.limit]
        more = shown[-1].id if len(fitting) > len(shown) else None
        return shown, more
