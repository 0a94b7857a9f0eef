"""Decides how much of a step's output is kept, and that it is masked before that."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sandbook.api import JSON, KEPT_BYTES, StreamName
from sandbook.errors import SandbookError
from sandbook.masking import Masker

Show = Callable[[str, StreamName, bytes], None]
"""Who is shown output: the step's path in the plan, the stream, masked bytes."""


class OutputFile:
    """The output of one try of one step, as it came, in one file.

    Of each stream the first and the last `kept` bytes are stored, in place of the
    rest a line that says how many bytes were dropped. The file is made with the
    first byte, readable by this user only.
    """

    def __init__(
        self,
        folder: Path,
        *,
        step: str,
        attempt: int,
        masker: Masker,
        show: Show,
        kept: int = KEPT_BYTES,
    ) -> None:
        self.path = folder / masker.name(output_name(step, attempt))
        self._step = step
        self._show = show
        self._streams: dict[StreamName, _Stream] = {
            "stdout": _Stream(masker, kept=kept),
            "stderr": _Stream(masker, kept=kept),
        }
        self._file: BinaryIO | None = None

    def show(self, stream: StreamName, data: bytes) -> None:
        """Mask, store, then hand on a piece of output.

        Raises:
            SandbookError: It could not be stored; nobody was shown it.
        """
        self._keep(stream, self._streams[stream].masker.feed(data))

    def close(self) -> dict[str, JSON] | None:
        """End the output and give the fields of its `step.output` event.

        None when the step said nothing, or when this was closed before.
        """
        for name, stream in self._streams.items():
            self._keep(name, stream.masker.flush())
        if self._file is None:
            return None
        with self._stored(), self._file as file:
            for name, stream in self._streams.items():
                stream.write_tail(file, name)
        self._file = None
        return {
            "step": self._step,
            "file": self.path.name,
            "bytes": sum(stream.total for stream in self._streams.values()),
            "dropped": sum(stream.dropped for stream in self._streams.values()),
        }

    def _keep(self, name: StreamName, data: bytes) -> None:
        if not data:
            return
        with self._stored():
            head = self._streams[name].take(data, self.path.parent)
            file = self._opened()
            file.write(head)
            file.flush()
        self._show(self._step, name, data)

    def _opened(self) -> BinaryIO:
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            fd = os.open(self.path, flags, 0o600)
            self._file = os.fdopen(fd, "wb")
        return self._file

    @contextmanager
    def _stored(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise SandbookError(
                f"the output of step {self._step!r} could not be stored: {reason}",
                remedy=f"check the disk of {str(self.path.parent)!r}",
            ) from error


class _Stream:
    """How much came of one stream, and its last bytes once the first are stored."""

    def __init__(self, masker: Masker, *, kept: int) -> None:
        self.masker = masker.stream()
        self.total = 0
        self._kept = kept
        self._tail: _Ring | None = None

    @property
    def dropped(self) -> int:
        return max(0, self.total - 2 * self._kept)

    def take(self, data: bytes, folder: Path) -> bytes:
        """What of `data` belongs to the first bytes; the rest goes to the last."""
        room = max(0, self._kept - self.total)
        self.total += len(data)
        if len(data) > room:
            self._tail = self._tail or _Ring(folder, size=self._kept)
            self._tail.write(data[room:])
        return data[:room]

    def write_tail(self, file: BinaryIO, name: StreamName) -> None:
        if self._tail is None:
            return
        if self.dropped:
            file.write(
                b"\n[... %d bytes of %b dropped ...]\n" % (self.dropped, name.encode())
            )
        file.writelines(self._tail.parts())
        self._tail.close()
        self._tail = None


class _Ring:
    """The last `size` bytes of what is written, on disk.

    A hundred loud steps at once would otherwise hold a gigabyte in memory.
    """

    def __init__(self, folder: Path, *, size: int) -> None:
        # 4 ms to import, and hardly a step is so loud.
        from tempfile import TemporaryFile

        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - lives until `close`
        self._size = size
        self._total = 0

    def write(self, data: bytes) -> None:
        self._total += len(data)
        rest = data[-self._size :]
        at = (self._total - len(rest)) % self._size
        first = rest[: self._size - at]
        self._put(at, first)
        self._put(0, rest[len(first) :])

    def parts(self) -> tuple[bytes, bytes]:
        """The older part and the newer."""
        self._file.seek(0)
        data = self._file.read()
        at = self._total % self._size if self._total > self._size else 0
        return data[at:], data[:at]

    def close(self) -> None:
        self._file.close()

    def _put(self, at: int, data: bytes) -> None:
        if data:
            self._file.seek(at)
            self._file.write(data)


def output_name(step: str, attempt: int) -> str:
    """The name for one try: `steps[2].each[0]` gives `steps-2.each-0.try-1.txt`."""
    return f"{_flat(step)}.try-{attempt}.txt"


def recording_name(step: str, attempt: int) -> str:
    """The name of what a terminal showed in one try: `steps-2.cast`, for the first."""
    again = f".try-{attempt}" if attempt > 1 else ""
    return f"{_flat(step)}{again}.cast"


def _flat(step: str) -> str:
    return re.sub(r"[^\w.-]+", "-", step.replace("]", ""))
