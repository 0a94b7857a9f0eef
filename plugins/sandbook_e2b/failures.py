"""What the SDK raises, as the contract's errors."""

from __future__ import annotations

from sandbook.api import SandboxRef
from sandbook.errors import (
    AtCapacity,
    AuthRejected,
    BuildFailed,
    Busy,
    ConnectionLost,
    CreateUnknown,
    FileMissing,
    NoSpace,
    PlanLimit,
    ProviderError,
    RateLimited,
    SandboxGone,
    SandboxLost,
    Sent,
    SpecRejected,
    Unreachable,
)

_NAME = "e2b"
_SERVICE = frozenset(
    {
        "create",
        "attach",
        "list",
        "destroy",
        "info",
        "extend",
        "preflight",
        "pause",
        "snapshot",
        "metrics",
    }
)
"""What the control API does; the rest is done in a sandbox."""

# By name, so that nothing of the SDK is loaded for it; the nearest class decides.
_KINDS: dict[str, tuple[type[ProviderError], Sent, str]] = {
    "AuthenticationException": (
        AuthRejected,
        "no",
        "check E2B_API_KEY: https://e2b.dev/dashboard lists the keys",
    ),
    "ServiceBusyException": (Busy, "no", "try again in a moment"),
    "GuestUnresponsiveException": (
        Busy,
        "yes",
        "its programs take all of its processor or memory: destroy it",
    ),
    "SandboxNotFoundException": (
        SandboxGone,
        "yes",
        "its life is over, or it was destroyed: run afresh",
    ),
    "SandboxNotRunningException": (
        SandboxLost,
        "maybe",
        "its life is over, or it was destroyed: run afresh",
    ),
    "SandboxUnreachableException": (
        ConnectionLost,
        "maybe",
        "the sandbox may be short of memory; attach to it again",
    ),
    "TimeoutException": (ConnectionLost, "maybe", "try again"),
    "FileNotFoundException": (FileMissing, "yes", "look with list"),
    "VolumePathNotFoundException": (FileMissing, "yes", "look with list"),
    "VolumeNotFoundException": (SpecRejected, "no", "name a volume that is there"),
    "NotFoundException": (SandboxGone, "yes", "run afresh"),
    "NotEnoughSpaceException": (
        NoSpace,
        "yes",
        "remove files, or take a template with a larger disk",
    ),
    "InvalidArgumentException": (SpecRejected, "no", "change what is named"),
    "TemplateException": (BuildFailed, "no", "build the template anew"),
    "BuildException": (BuildFailed, "yes", "look at the log of the build"),
    "VolumeException": (SpecRejected, "yes", "look at the volume"),
    "SecretException": (SpecRejected, "yes", "look at the secret"),
    "GitUpstreamException": (SpecRejected, "no", "set an upstream branch"),
}

_STATUSES: dict[int, tuple[type[ProviderError], str]] = {
    400: (SpecRejected, "change what is named"),
    401: (AuthRejected, "check E2B_API_KEY"),
    402: (PlanLimit, "see the plan and its limits in the dashboard of E2B"),
    403: (PlanLimit, "see the plan and its limits in the dashboard of E2B"),
    404: (SpecRejected, "name a template of this account (E2B_DEFAULT_TEMPLATE)"),
    409: (SpecRejected, "look at the sandbox: it is in another state"),
    422: (SpecRejected, "change what is named"),
}


def translate(
    error: Exception, operation: str = "create", ref: SandboxRef | None = None
) -> ProviderError:
    """The contract's error for what the SDK raised in this operation."""
    if isinstance(error, ProviderError):
        return error
    names = [kind.__name__ for kind in type(error).__mro__]
    if "RateLimitException" in names:
        return _limited(error, operation, ref)
    if "TransportError" in names or isinstance(error, OSError):
        return _unreached(error, names, operation, ref)
    if operation == "create" and names[0] == "TimeoutException":
        return _unknown(error, operation)
    for name in names:
        if name in _KINDS:
            kind, sent, remedy = _KINDS[name]
            return _made(kind, error, operation, ref, sent=sent, remedy=remedy)
    return _by_status(error, operation, ref)


def _made(
    kind: type[ProviderError],
    error: Exception,
    operation: str,
    ref: SandboxRef | None,
    *,
    sent: Sent,
    remedy: str,
) -> ProviderError:
    text = str(error).strip() or type(error).__name__
    if text == "TimeoutError":
        text = "no answer in time"
    made = kind(
        f"E2B: {text.splitlines()[0]}",
        provider=_NAME,
        operation=operation,
        sent=sent,
        remedy=remedy,
        **({} if ref is None or kind is RateLimited else {"ref": ref}),
    )
    made.__cause__ = error
    return made


def _limited(error: Exception, operation: str, ref: SandboxRef | None) -> ProviderError:
    if operation not in _SERVICE:
        return _lost(error, operation, ref, remedy="wait a little")
    if "concurrent" in str(error):
        remedy = "end sandboxes (`sandbook sandboxes`), or raise the plan's limit"
        return _made(AtCapacity, error, operation, None, sent="no", remedy=remedy)
    made = _made(RateLimited, error, operation, None, sent="no", remedy="wait a little")
    if isinstance(made, RateLimited):
        made.after = _wait_asked_for(error)
    return made


def _wait_asked_for(error: Exception) -> float | None:
    """Seconds that the service asked to wait.

    The SDK does not hand the answer's headers on; the answer is still there in the
    function that raised. Where a later SDK keeps it elsewhere, None is right, too.
    """
    trace = error.__traceback__
    while trace is not None:
        for value in trace.tb_frame.f_locals.values():
            headers = getattr(value, "headers", None)
            if getattr(value, "status_code", None) == 429 and headers is not None:  # noqa: PLR2004
                told = str(headers.get("Retry-After", ""))
                return float(told) if told.isdecimal() else None
        trace = trace.tb_next
    return None


def _lost(
    error: Exception, operation: str, ref: SandboxRef | None, *, remedy: str
) -> ProviderError:
    return _made(ConnectionLost, error, operation, ref, sent="maybe", remedy=remedy)


def _unreached(
    error: Exception, names: list[str], operation: str, ref: SandboxRef | None
) -> ProviderError:
    """No answer: whether the request had left decides."""
    refused = "ConnectError" in names or names[0] == "ConnectionError"
    if operation == "create" and not refused:
        return _unknown(error, operation)
    remedy = "check the network, and E2B_DOMAIN or E2B_API_URL where they are set"
    if operation in _SERVICE:
        sent: Sent = "no" if refused else "maybe"
        return _made(Unreachable, error, operation, ref, sent=sent, remedy=remedy)
    return _lost(error, operation, ref, remedy=remedy)


def _unknown(error: Exception, operation: str) -> ProviderError:
    remedy = "it is looked for by its label; `sandbook reap` ends what is left"
    return _made(CreateUnknown, error, operation, None, sent="maybe", remedy=remedy)


def _by_status(
    error: Exception, operation: str, ref: SandboxRef | None
) -> ProviderError:
    status = getattr(error, "status_code", None)
    if status in _STATUSES:
        kind, remedy = _STATUSES[status]
        return _made(kind, error, operation, ref, sent="no", remedy=remedy)
    remedy = "try again; https://status.e2b.dev tells of outages"
    if operation not in _SERVICE:
        # Of files and folders it speaks in exceptions of their own.
        return _lost(error, operation, ref, remedy=remedy)
    sent: Sent = "no" if status in (502, 503) else "maybe"
    return _made(Busy, error, operation, ref, sent=sent, remedy=remedy)
