"""Promises kept in a process that the system ends when a text costs too much.

Run as a program it is that process: it answers one text after the other, since to start
an interpreter for each would cost more than all the texts.
"""

from __future__ import annotations

import pickle
import resource
import select
import signal
import subprocess
import sys
import traceback
from typing import IO, Final

from tests.sandbook.promises import PROMISES, ROOT

CPU_S: Final = 5.0
MEMORY: Final = 500 << 20
# Only a process that waits for something takes longer than its processor time.
_DEADLINE_S: Final = 120.0


class Confined:
    """The process, as a test has it; a new one takes the place of one that ended."""

    def __init__(self) -> None:
        self._process = _start()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def keeps(self, text: str, *promises: str) -> None:
        """Fail with what was told if the text breaks one of these promises."""
        for promise in promises:
            told = self._ask(promise, text)
            assert not told, f"{promise}: {told}"

    def _ask(self, promise: str, text: str) -> str:
        to, answers = self._process.stdin, self._process.stdout
        assert to is not None
        assert answers is not None
        pickle.dump((promise, text), to)
        to.flush()
        if not select.select([answers], [], [], _DEADLINE_S)[0]:
            return self._ended(f"no answer for {_DEADLINE_S:g} s")
        try:
            return str(pickle.load(answers))  # noqa: S301 (our own process)
        except EOFError:
            return self._ended("the system ended the process")

    def _ended(self, cause: str) -> str:
        self._process.kill()
        told = self._process.communicate()[1].decode()[-2000:]
        code, self._process = self._process.returncode, _start()
        if code == -signal.SIGPROF:
            cause = f"it took more than {CPU_S:g} s of a processor"
        return f"{cause} (code {code})\n{told}"


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.sandbook.confined"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    while True:
        try:
            promise, text = pickle.load(asked)  # noqa: S301 (our own process)
        except EOFError:
            return
        pickle.dump(_told(promise, text), answers)
        answers.flush()


def _told(promise: str, text: str) -> str:
    """What broke the promise; nothing if it was kept."""
    # Nobody catches the signal: too long a look ends the process.
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    try:
        PROMISES[promise](text)
    except Exception:  # noqa: BLE001 (whatever it is, it is the finding)
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return ""


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
