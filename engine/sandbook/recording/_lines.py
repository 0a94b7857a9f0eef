"""A file that grows by whole lines, and is readable however its writer ends."""

from __future__ import annotations

import os
from pathlib import Path

from sandbook.errors import SandbookError


class Lines:
    """A new file, readable by this user only.

    Each line goes to the system in one piece, so a crash of this process loses none.
    A line that did not fit the disk is taken back: the ones before stay readable.
    """

    def __init__(self, path: Path) -> None:
        """Make the file, in place of one that was there.

        Raises:
            SandbookError: It cannot be made.
        """
        self._path = path
        self._size = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            self._file: int | None = os.open(path, flags, 0o600)
        except OSError as error:
            raise self._not_stored(error) from error

    def write(self, text: str) -> None:
        """Add a line; nothing happens once the file is closed.

        Raises:
            SandbookError: It could not be stored.
        """
        if self._file is None:
            return
        # A name given on the command line may hold what no text can.
        data = f"{text}\n".encode("utf-8", "replace")
        try:
            _write_all(self._file, data)
        except OSError as error:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise self._not_stored(error) from error
        self._size += len(data)

    def close(self) -> None:
        """Let go of the file; it is complete as it is."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _not_stored(self, error: OSError) -> SandbookError:
        reason = (error.strerror or type(error).__name__).lower()
        return SandbookError(
            f"the recording {str(self._path)!r} could not be stored: {reason}",
            remedy=f"check the disk and the folder {str(self._path.parent)!r}",
        )


def _write_all(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
