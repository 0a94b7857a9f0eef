"""Faults of the control API, as the raw SDK tells them."""

from __future__ import annotations

import time
import uuid

import httpx

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false
from e2b import (
    AuthenticationException,
    RateLimitException,
    Sandbox,
    SandboxException,
    SandboxQuery,
)
from e2b.exceptions import ServiceBusyException

from tests.servers.e2b.programs.expecting import arm, ask, raises, until

CREATE = {"method": "POST", "path": "/v2/sandboxes"}


def control_statuses() -> None:
    for status, kind in (
        (401, AuthenticationException),
        (402, SandboxException),
        (403, SandboxException),
        (404, SandboxException),
        (429, RateLimitException),
        (500, SandboxException),
        (502, SandboxException),
        (503, ServiceBusyException),
    ):
        arm("status", status=status, message="as asked", count=None, **CREATE)
        with raises(kind) as caught:
            Sandbox.create(timeout=60, retries=0)
        assert "as asked" in str(caught.error)
        if kind is SandboxException:
            assert caught.error.status_code == status  # type: ignore[attr-defined]
    ask("DELETE", "/_faults")
    assert ask("GET", "/_state")["sandboxes"] == []


def tried_again() -> None:
    """Control calls are tried again, and not before the time that the server names."""
    for status in (429, 502, 503):
        arm("status", status=status, **CREATE)
        assert Sandbox.create(timeout=60).kill()
    arm("status", status=429, headers={"retry-after": "1"}, **CREATE)
    began = time.monotonic()
    assert Sandbox.create(timeout=60).kill()
    assert time.monotonic() - began >= 1
    arm("status", status=500, **CREATE)
    with raises(SandboxException):
        Sandbox.create(timeout=60)
    arm("status", status=500, headers={"should-retry": "true"}, **CREATE)
    assert Sandbox.create(timeout=60).kill()


def lost_on_the_way() -> None:
    """A create whose answer is lost has made a sandbox, which its key finds again."""
    mark = {"mark": uuid.uuid4().hex}
    for kind in ("reset", "lost_reply"):
        arm(kind, **CREATE)
        with raises(httpx.TransportError, exactly=False):
            Sandbox.create(timeout=60, metadata=mark, idempotency_key=mark["mark"])
    (left,) = Sandbox.list(SandboxQuery(metadata=mark)).next_items()
    again = Sandbox.create(timeout=60, metadata=mark, idempotency_key=mark["mark"])
    assert again.sandbox_id == left.sandbox_id
    assert again.kill()
    arm("black_hole", **CREATE)
    with raises(httpx.TimeoutException, exactly=False):
        Sandbox.create(timeout=60, request_timeout=0.5, retries=0)


def refused() -> None:
    """A port that is shut for longer than connecting is tried again."""
    ask("POST", "/_faults", {"kind": "refuse", "seconds": 30})
    until(is_refused)


def is_refused() -> bool:
    """False = it went out on an old connection, before its end was seen here."""
    with raises(httpx.TransportError, exactly=False) as caught:
        Sandbox.create(timeout=60)
    return type(caught.error) is httpx.ConnectError


control_statuses()
tried_again()
lost_on_the_way()
refused()
