"""Put a new text into a file so that nobody ever sees half of it."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from sandbook.errors import UsageError


def rewrite(path: Path, before: str, after: str) -> None:
    """Replace `before` with `after`; mode, owner and links stay.

    A file with several names is written in place, since a new file would have one.

    Raises:
        UsageError: The file cannot be written, or holds something else by now.
    """
    real = path.resolve()
    try:
        if real.read_bytes().decode(errors="surrogateescape") != before:
            raise UsageError(
                f"{str(path)!r} has changed in the meantime, and was left as it is",
                remedy="format it again",
            )
        data = after.encode(errors="surrogateescape")
        if real.stat().st_nlink > 1:
            real.write_bytes(data)
        else:
            _replace(real, data)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"{str(path)!r} cannot be written: {why}") from error


def _replace(real: Path, data: bytes) -> None:
    kept = real.stat()
    file, spare = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    try:
        with os.fdopen(file, "wb") as new:
            new.write(data)
            new.flush()
            os.fsync(new.fileno())
            with suppress(PermissionError):
                # Only root may give a file away.
                os.fchown(new.fileno(), kept.st_uid, kept.st_gid)
            os.fchmod(new.fileno(), kept.st_mode & 0o7777)
        Path(spare).replace(real)
    except BaseException:
        Path(spare).unlink(missing_ok=True)
        raise
