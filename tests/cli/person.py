"""A person at a terminal, in which a command of ours runs."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
from collections.abc import Generator
from contextlib import contextmanager

from tests.cli.calls import COMMAND, Cli, wait_until

_OVER = "\x00over\x00"


class Terminal:
    """A person at a terminal with a command in it."""

    def __init__(self, cli: Cli, *argv: str) -> None:
        self._master, slave = pty.openpty()
        self.resize(cols=91, rows=33)
        self.settings = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            (*COMMAND, *argv),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**cli.environ, "TERM": "xterm"},
            cwd=cli.folder,
            start_new_session=True,
        )
        self.shown = ""
        self._stop, self._stopping = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # What is read may end within a sign.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while self._stop not in select.select((self._master, self._stop), (), ())[0]:
            try:
                self.shown += decoder.decode(os.read(self._master, 4096))
            except OSError:
                return

    def _stop_reading(self) -> None:
        """Before a descriptor is closed: its number may be another's at once."""
        os.write(self._stopping, b"x")
        self._reader.join()

    def see(self, text: str) -> None:
        """Wait until the text was shown."""
        try:
            wait_until(lambda: text in self.shown or self.process.poll() is not None)
            if text not in self.shown:
                self._read_rest()
        finally:
            assert text in self.shown, self.shown

    def _read_rest(self) -> None:
        """What the command wrote last may not have been read when it has ended."""
        if _OVER not in self.shown:
            os.write(self.slave, _OVER.encode())
            wait_until(lambda: _OVER in self.shown)

    def see_after_enter(self, text: str) -> None:
        """Press Enter until the text is shown: a shell runs traps between commands."""

        def shown() -> bool:
            self.type("\n")
            return text in self.shown

        wait_until(shown)

    def type(self, text: str) -> None:
        """Type."""
        os.write(self._master, text.encode())

    def resize(self, *, cols: int, rows: int) -> None:
        """Drag the corner of the window."""
        size = struct.pack("HHHH", rows, cols, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def close_window(self) -> None:
        """Close the window, with the command still in it."""
        self._stop_reading()
        os.close(self._master)
        self._master = -1

    def close(self) -> None:
        """Close both ends."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._master >= 0:
            self._stop_reading()
            os.close(self._master)
        for descriptor in (self.slave, self._stop, self._stopping):
            os.close(descriptor)


@contextmanager
def at_terminal(cli: Cli, *argv: str) -> Generator[Terminal]:
    """Sit down at one, with a command running; both are gone afterwards."""
    made = Terminal(cli, *argv)
    try:
        yield made
    finally:
        made.close()
