"""Who may speak to a sandbox's envd, and as whom."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterable

from tests.servers.e2b.connect_protocol import RpcError
from tests.servers.e2b.errors import ApiError
from tests.servers.e2b.sandboxes import E2BSandbox
from tests.servers.web.exchange import Exchange

USER = "user"
_TOKEN = "x-access-token"  # noqa: S105 (the name of a header)
_OPERATIONS = {"GET": "read", "POST": "write"}


def check_token(exchange: Exchange, made: E2BSandbox) -> None:
    """Refuse who does not have the sandbox's token."""
    if not hmac.compare_digest(exchange.headers.get(_TOKEN, ""), made.token):
        raise ApiError(401, "unauthorized access, please provide a valid access token")


def check_file_access(exchange: Exchange, made: E2BSandbox) -> None:
    """Refuse who has neither the token nor a signature of this request."""
    told = exchange.headers.get(_TOKEN)
    if told is not None:
        if not hmac.compare_digest(told, made.token):
            raise ApiError(401, "access token present in header but does not match")
        return
    signature = exchange.query.get("signature")
    if signature is None:
        raise ApiError(401, "missing signature query parameter")
    if not _is_signed(exchange, made):
        raise ApiError(401, "invalid signature")
    ends = exchange.query.get("signature_expiration")
    if ends is not None and int(ends) < time.time():
        raise ApiError(401, "signature is already expired")


def signed_for(exchange: Exchange, every: Iterable[E2BSandbox]) -> E2BSandbox | None:
    """The sandbox that a signed URL is for.

    Elsewhere the host says it. Behind a URL of one's own only the signature does: it is
    wrong when it is nobody's.
    """
    if "signature" not in exchange.query:
        return None
    for made in every:
        if _is_signed(exchange, made):
            return made
    raise ApiError(401, "invalid signature")


def _is_signed(exchange: Exchange, made: E2BSandbox) -> bool:
    query = exchange.query
    parts = [
        query.get("path", ""),
        _OPERATIONS.get(exchange.method, ""),
        query.get("username", ""),
        made.token,
    ]
    if "signature_expiration" in query:
        parts.append(query["signature_expiration"])
    digest = hashlib.sha256(":".join(parts).encode()).digest()
    wanted = "v1_" + base64.b64encode(digest).decode().rstrip("=")
    return hmac.compare_digest(wanted, query["signature"])


def check_user(exchange: Exchange) -> None:
    """Refuse, in a call, any user but the one that there is."""
    kind, _, rest = exchange.headers.get("authorization", "").partition(" ")
    if not kind:
        return
    name = base64.b64decode(rest).decode().partition(":")[0]
    if name not in ("", USER):
        raise RpcError("unauthenticated", f"invalid username: '{name}'")


def check_file_user(exchange: Exchange) -> None:
    """Refuse, for a file, any user but the one that there is."""
    name = exchange.query.get("username", "")
    if name not in ("", USER):
        raise ApiError(401, f"error looking up user '{name}': unknown user {name}")
