"""Decides how events are kept: one line each, in one file, written at once."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from types import TracebackType
from typing import Self

from sandbook.errors import SandbookError, UsageError
from sandbook.events import Event

# macOS has no fdatasync.
_sync_file: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)

_FLAGS = os.O_WRONLY | os.O_APPEND


class Journal:
    """The journal of one run, open for appending by its one owner.

    Every event outlives the process when `append` returns. With `sync`, borders also
    outlive a power cut: `sandbox.*` and `run.*` at once, since a sandbox may cost
    money; those of steps a moment later, without making the next step wait. What that
    moment may lose is harmless: a provider starts no key twice.
    """

    def __init__(self, path: Path, fd: int, *, sync: bool, last_seq: int) -> None:
        self.path = path
        self.last_seq = last_seq
        self._fd = fd
        self._syncer = _Syncer(fd) if sync else None
        self._size = os.fstat(fd).st_size

    @classmethod
    def create(cls, path: Path, *, sync: bool = True) -> Self:
        """Begin a journal, readable by this user only; raises when there is one."""
        with _told(path, "create"):
            fd = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            # Windows opens no folders.
            if sync and os.name == "posix":
                _sync_folder(path.parent)
        return cls(path, fd, sync=sync, last_seq=0)

    @classmethod
    def open_append(cls, path: Path, *, sync: bool = True) -> Self:
        """Go on with a journal; a torn last line is cut off first."""
        last_seq = size = 0
        for event, end in _scan(path):
            last_seq, size = event.seq, end
        with _told(path, "open"):
            fd = os.open(path, _FLAGS)
            if os.fstat(fd).st_size > size:
                os.ftruncate(fd, size)
        return cls(path, fd, sync=sync, last_seq=last_seq)

    def append(self, event: Event) -> None:
        """Write one event; raises `SandbookError` when it could not be kept."""
        line = event.to_line()
        with _told(self.path, "write"):
            self._write(line)
            if self._syncer is not None and _is_border(event.name):
                self._syncer.ask(wait=not event.name.startswith("step."))
        self.last_seq = event.seq

    def close(self) -> None:
        """Close the file."""
        if self._fd < 0:
            return
        try:
            if self._syncer is not None:
                with _told(self.path, "write"):
                    self._syncer.close()
        finally:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        rest = line
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            # Half a line would be an error once another line follows it.
            with suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(line)


class _Syncer:
    """Makes a file outlive a power cut, in a thread of its own where nobody waits."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._thread: Thread | None = None
        self._asked = Signal()
        self._ends = False
        self._error: OSError | None = None

    def ask(self, *, wait: bool) -> None:
        """Do it now, or soon; raises what went wrong since the last time."""
        if self._error is not None:
            raise self._error
        if wait:
            _sync_file(self._fd)
            return
        if self._thread is None:
            self._thread = Thread(target=self._work, name="journal", daemon=True)
            self._thread.start()
        self._asked.set()

    def close(self) -> None:
        """Do what was asked for, and end the thread."""
        if self._thread is None:
            return
        self._ends = True
        self._asked.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        last = False
        while not last:
            self._asked.wait()
            self._asked.clear()
            # Looked at before the sync: what was asked with the end is still done.
            last = self._ends
            try:
                _sync_file(self._fd)
            except OSError as error:
                self._error = error
                return


def read_journal(path: Path) -> Iterator[Event]:
    """Every event of a journal, in order; a torn last line is left out.

    Raises:
        UsageError: There is no such file.
        SandbookError: A line that is not the last one is damaged; it is named.
    """
    return (event for event, _ in _scan(path))


def _scan(path: Path) -> Iterator[tuple[Event, int]]:
    """Each event and the size of the file up to its end.

    A line without its line end is torn even when it reads well: the write had not
    returned, so nobody was shown what it says.
    """
    end = 0
    torn: tuple[int, str] | None = None
    with _told(path, "read"), path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if torn:
                raise _damaged(path, *torn)
            event, fault = _read(line)
            if event is None:
                torn = number, fault
                continue
            end += len(line)
            yield event, end


def _read(line: bytes) -> tuple[Event | None, str]:
    if not line.endswith(b"\n"):
        return None, "the line has no end"
    try:
        return Event.from_line(line), ""
    except ValueError as error:
        return None, str(error)


def _damaged(path: Path, line: int, fault: str) -> SandbookError:
    return SandbookError(
        f"{path}:{line}: the journal is damaged: {fault}",
        remedy="the lines before it are intact; this run cannot be shown",
    )


def _is_border(name: str) -> bool:
    return name.endswith((".started", ".finished")) or name.startswith("sandbox.")


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _told(path: Path, doing: str) -> Generator[None]:
    """Turn what the file system answers into words for the user."""
    try:
        yield
    except OSError as error:
        raise _refused(path, doing, error) from error


def _refused(path: Path, doing: str, error: OSError) -> SandbookError:
    told = {"create": "created", "open": "opened", "read": "read", "write": "written"}
    reason = error.strerror or type(error).__name__
    message = f"the journal {str(path)!r} could not be {told[doing]}: {reason.lower()}"
    if isinstance(error, FileNotFoundError):
        return UsageError(message, remedy="`sandbook runs` lists the runs there are")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SandbookError(
            message, remedy="free space on that disk, then run the runbook again"
        )
    return SandbookError(
        message, remedy="check who owns the folder and may write to it"
    )
