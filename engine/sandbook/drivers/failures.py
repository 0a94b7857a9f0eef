"""Errors of the kernel inside, as the contract's."""

from __future__ import annotations

import errno
from typing import Any

from sandbook.drivers.link import Link
from sandbook.errors import (
    AccessDenied,
    FileError,
    FileMissing,
    IsAFolder,
    NoSpace,
    NotAFolder,
    Sent,
)

_ERRORS: dict[int, type[FileError]] = {
    errno.ENOENT: FileMissing,
    errno.ENAMETOOLONG: FileMissing,
    errno.ELOOP: FileMissing,
    errno.ENOTDIR: NotAFolder,
    errno.EISDIR: IsAFolder,
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
}


def failure(
    link: Link, told: list[Any], path: str, operation: str, *, sent: Sent = "yes"
) -> FileError:
    """What the driver told of `path`, as an error to raise."""
    number, text = told
    ref = link.host.ref
    kind = _ERRORS.get(number, AccessDenied)
    return kind(
        f"{path!r}: {str(text).lower()}",
        provider=ref.provider,
        operation=operation,
        ref=ref,
        sent=sent,
        remedy="look at the path with stat or list",
    )
