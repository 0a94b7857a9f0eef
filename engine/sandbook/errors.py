"""Every error a user can meet, and what each one means for a run.

SandbookError
├── UsageError                      a call, an input, a secret or a setting is wrong
├── RunbookError                    a runbook is wrong; holds every problem of the file
├── RunBusy                         another process owns this run
├── LedgerError                     the ledger cannot be read or written
├── NoProvider                      the chain is exhausted; holds every attempt
└── ProviderError                   provider, operation, ref, sent, remedy
    ├── ProviderUnavailable         another provider may be tried before the first step
    │   ├── NotInstalled  NotConfigured  AuthRejected
    │   ├── Unreachable  Busy  RateLimited  AtCapacity
    │   ├── PlanLimit  QuotaExhausted
    │   └── CreateUnknown           the reply to a create was lost
    ├── SpecRejected                the request itself is wrong: no fallback
    │   └── BuildFailed  Unsupported
    ├── SandboxGone                 attach to nothing
    ├── SandboxLost                 the sandbox ended while it was used
    ├── ConnectionLost              the way to it broke; it may live on
    ├── PortClosed                  nothing listens on a port of the sandbox
    ├── FileError                   also the fitting built-in error
    │   └── FileMissing  NotAFolder  IsAFolder  AccessDenied  TooLarge  NoSpace
    └── TeardownFailed              destroy was refused

Only the command line prints an error; everything below raises it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from sandbook.api import SandboxRef

Sent = Literal["no", "maybe", "yes"]


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file; `line` and `column` count from 1, in characters."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        """The form editors and terminals make clickable."""
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a runbook, ready to be shown.

    `message` says what is wrong in words, `remedy` the smallest change that
    mends it. `source` is the text of the line, `length` how many characters
    the caret marks. `code` is explained by `sandbook explain CODE`.
    """

    code: str
    at: Location
    message: str
    remedy: str = ""
    source: str = ""
    length: int = 1
    severity: Literal["error", "warning"] = "error"


class SandbookError(Exception):
    """Something to tell the user without a traceback; `remedy` says what to do."""

    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """The message alone; the remedy is shown on a line of its own."""
        return self.message


class UsageError(SandbookError):
    """A call, an input, a secret or a setting is wrong; nothing ran."""

    exit_code = 2


class RunbookError(SandbookError):
    """A runbook is wrong; `problems` lists all of it, in file order."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        first = self.problems[0]
        more = f" (and {count - 1} more)" if count > 1 else ""
        super().__init__(f"{first.at}: {first.message}{more}", remedy=first.remedy)


class RunBusy(SandbookError):
    """Another live process owns this run."""

    exit_code = 2


class LedgerError(SandbookError):
    """The ledger cannot be read or written; remote providers are refused."""

    exit_code = 3


class NoProvider(SandbookError):
    """No provider of the chain could be used; `attempts` says why, in order."""

    exit_code = 3

    def __init__(
        self, attempts: Sequence[tuple[str, str]], *, remedy: str = ""
    ) -> None:
        self.attempts = tuple(attempts)
        told = "; ".join(f"{name}: {reason}" for name, reason in self.attempts)
        super().__init__(f"no provider could be used: {told}", remedy=remedy)


class ProviderError(SandbookError):
    """A provider could not do what it was asked.

    `operation` is the contract's word for the call ("create", "files.read"),
    `sent` whether the request can have reached the other side.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        operation: str,
        ref: SandboxRef | None = None,
        sent: Sent = "yes",
        remedy: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.provider = provider
        self.operation = operation
        self.ref = ref
        self.sent: Sent = sent


class ProviderUnavailable(ProviderError):
    """This provider cannot serve now; before the first step another may."""

    exit_code = 3


class NotInstalled(ProviderUnavailable):
    """The provider's SDK is missing; the remedy is the pip command."""


class NotConfigured(ProviderUnavailable):
    """A credential is missing; the remedy names the variable."""


class AuthRejected(ProviderUnavailable):
    """The credential was refused: told loudly, it must not look like an outage."""


class Unreachable(ProviderUnavailable, ConnectionError):
    """Connecting failed: refused, name resolution, TLS."""


class Busy(ProviderUnavailable):
    """The service answered that it cannot serve now (5xx, a full queue)."""


class RateLimited(ProviderUnavailable):
    """Too many requests; `after` is the wait in seconds the service asked for."""

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        operation: str,
        after: float | None = None,
        sent: Sent = "no",
        remedy: str = "",
    ) -> None:
        super().__init__(
            message, provider=provider, operation=operation, sent=sent, remedy=remedy
        )
        self.after = after


class AtCapacity(ProviderUnavailable):
    """As many sandboxes as the account may have live at once."""


class PlanLimit(ProviderUnavailable):
    """The vendor's own limit of the account's plan is used up."""


class QuotaExhausted(ProviderUnavailable):
    """Our ledger says the limit of this period is used up."""


class CreateUnknown(ProviderUnavailable):
    """The reply to a create was lost: a sandbox may exist and is looked up first."""


class SpecRejected(ProviderError):
    """The request itself is wrong; another provider would fail for a worse reason."""

    exit_code = 2


class BuildFailed(SpecRejected):
    """The template could not be built."""


class Unsupported(SpecRejected):
    """The provider cannot do this, and says so before anything ran."""


class SandboxGone(ProviderError):
    """There is no such sandbox, or it has ended."""


class SandboxLost(ProviderError):
    """The sandbox ended while it was in use."""


class ConnectionLost(ProviderError, ConnectionError):
    """The way to the sandbox broke; the sandbox may live on."""


class PortClosed(ProviderError, ConnectionRefusedError):
    """Nothing listens on that port of the sandbox."""


class FileError(ProviderError, OSError):
    """A file operation failed inside the sandbox."""


class FileMissing(FileError, FileNotFoundError):
    """Nothing is at that path."""


class NotAFolder(FileError, NotADirectoryError):
    """A folder was needed and something else is there."""


class IsAFolder(FileError, IsADirectoryError):
    """A file was needed and a folder is there."""


class AccessDenied(FileError, PermissionError):
    """The sandbox's user may not do that."""


class TooLarge(FileError):
    """The file is larger than the limit of the call; nothing was transferred."""


class NoSpace(FileError):
    """The sandbox's disk limit is reached."""


class TeardownFailed(ProviderError):
    """The sandbox could not be destroyed; the message says until when it lives."""

    exit_code = 5


def told(error: SandbookError) -> str:
    """The error and its remedy in one line, for a place that has only one."""
    return f"{error} ({error.remedy})" if error.remedy else str(error)
