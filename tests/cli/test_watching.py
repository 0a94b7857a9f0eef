"""`run --watch`: again after each change of what the runbooks are made of."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager

from tests.cli.calls import COMMAND, DEADLINE, Cli, interrupt, wait_until


class _Watching:
    """A watching command, and all it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.said.extend(iter(self.process.stdout.readline, ""))

    def count(self, text: str) -> int:
        return sum(text in line for line in tuple(self.said))

    def until(self, text: str, *, times: int = 1) -> None:
        wait_until(lambda: self.count(text) >= times)

    def end(self) -> int:
        interrupt(self.process)
        code = self.process.wait(DEADLINE)
        self.read_rest()
        return code

    def read_rest(self) -> None:
        """Read to the end: a pipe is not closed while another thread reads it."""
        self._reader.join(DEADLINE)


@contextmanager
def _watch(cli: Cli, *argv: str) -> Generator[_Watching]:
    with subprocess.Popen(
        (*COMMAND, "run", "--watch", *argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=cli.environ,
        cwd=cli.folder,
    ) as process:
        watching = _Watching(process)
        try:
            yield watching
        finally:
            process.kill()
            watching.read_rest()


def test_a_changed_runbook_runs_again_until_ctrl_c(cli: Cli) -> None:
    book = cli.book("steps: [{command: echo fir''st}]")
    with _watch(cli, book) as watching:
        watching.until("waiting for changes")
        assert watching.count("│ first") == 1
        cli.book("steps: [{command: echo sec''ond; exit 3}]")
        watching.until("│ second")
        watching.until("waiting for changes", times=2)
        assert watching.count("book.yaml has changed") == 1
        assert watching.end() == 1
    assert not cli.sandboxes()


def test_a_runbook_that_became_wrong_is_told_and_waited_for(cli: Cli) -> None:
    book = cli.book("stepz: []")
    with _watch(cli, book) as watching:
        watching.until("did you mean 'steps'?")
        watching.until("waiting for changes")
        cli.book("steps: [{command: echo mend''ed}]")
        watching.until("│ mended")
        watching.until("waiting for changes", times=2)
        assert watching.end() == 0


def test_what_a_runbook_copies_and_uses_is_watched_too(cli: Cli) -> None:
    (cli.folder / "data").mkdir()
    (cli.folder / "data" / "list.txt").write_text("one\n")
    cli.book("steps: [{command: echo us''ed}]", "other.yaml")
    book = cli.book(
        "steps: [{copy: data}, {command: cat data/list.txt}, {use: other.yaml}]"
    )
    with _watch(cli, book) as watching:
        watching.until("waiting for changes")
        (cli.folder / "data" / "list.txt").write_text("another\n")
        watching.until("│ another")
        watching.until("waiting for changes", times=2)
        # As editors do: a new file takes the place of the old one.
        new = cli.folder / "other.new"
        new.write_text("runbook: 1\nsteps: [{command: echo re''placed}]\n")
        os.replace(new, cli.folder / "other.yaml")  # noqa: PTH105
        watching.until("│ replaced")
        watching.until("waiting for changes", times=3)
        assert watching.end() == 0


def test_a_change_during_a_run_is_not_missed(cli: Cli) -> None:
    book = cli.book("steps: [{command: echo be''gun; sleep 2}]")
    with _watch(cli, book) as watching:
        watching.until("│ begun")
        cli.book("steps: [{command: echo cha''nged}]")
        watching.until("│ changed")
        watching.until("waiting for changes", times=2)
        assert watching.end() == 0


def test_ctrl_c_during_a_run_ends_it_and_the_watch(cli: Cli) -> None:
    book = cli.book("steps: [{command: echo be''gun; sleep 600}]")
    with _watch(cli, book) as watching:
        watching.until("│ begun")
        assert watching.end() == 130
    assert not cli.sandboxes()


def test_watching_excludes_stdin_and_json(cli: Cli) -> None:
    for argv, other in (
        (["-"], "stdin"),
        ([cli.book("steps: []"), "--json"], "--json"),
    ):
        called = cli("run", "--watch", *argv)
        assert called.code == 2
        assert f"--watch and {other} exclude each other" in called.err
