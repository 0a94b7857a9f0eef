"""A journal loses nothing that was told, whatever ends the process."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sandbook.errors import SandbookError, UsageError
from sandbook.journal import Journal, read_journal
from tests.sandbook.told_runs import Teller, failed_run, passed_run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def write(path: Path, *, sync: bool = False) -> None:
    with Journal.create(path, sync=sync) as journal:
        for event in passed_run():
            journal.append(event)


def test_what_was_appended_is_read_back_in_order(path: Path) -> None:
    write(path, sync=True)
    assert list(read_journal(path)) == list(passed_run())


def test_a_line_is_one_json_object_with_the_envelope(path: Path) -> None:
    write(path)
    first = json.loads(path.read_text().splitlines()[0])
    assert list(first)[:5] == ["v", "seq", "run", "at", "event"]
    assert (first["v"], first["seq"], first["event"]) == (1, 1, "run.started")
    assert first["at"] == "2026-11-22T21:04:55.000000+00:00"


def test_only_its_user_may_read_a_journal(path: Path) -> None:
    write(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_journal_is_never_begun_twice(path: Path) -> None:
    write(path)
    with pytest.raises(SandbookError, match="could not be created"):
        Journal.create(path)
    assert list(read_journal(path)) == list(passed_run())


def test_an_event_can_be_read_before_the_journal_is_closed(path: Path) -> None:
    event = Teller()("finally.started")
    with Journal.create(path) as journal:
        journal.append(event)
        assert list(read_journal(path)) == [event]


def test_a_torn_last_line_is_ignored_wherever_it_is_torn(path: Path) -> None:
    write(path)
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    before = list(passed_run())[:-1]
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        assert list(read_journal(path)) == before
    path.write_bytes(whole)
    assert len(list(read_journal(path))) == len(before) + 1


def test_going_on_after_a_torn_line_cuts_it_off_wherever_it_is_torn(
    path: Path,
) -> None:
    write(path)
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    *before, final = passed_run()
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        with Journal.open_append(path, sync=False) as journal:
            assert journal.last_seq == before[-1].seq
            journal.append(final)
        assert path.read_bytes() == whole


def test_a_last_line_of_zeros_from_a_power_cut_is_ignored(path: Path) -> None:
    write(path)
    with path.open("ab") as file:
        file.write(b"\0" * 50 + b"\n")
    assert list(read_journal(path)) == list(passed_run())


def test_a_damaged_line_elsewhere_is_an_error_that_names_it(path: Path) -> None:
    write(path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2][:20] + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(SandbookError, match=r"journal\.jsonl:3: .* damaged"):
        list(read_journal(path))
    with pytest.raises(SandbookError, match=r":3: "):
        Journal.open_append(path)
    assert path.read_bytes() == b"".join(lines)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"v": 2}\n', "newer than this program"),
        (b"[]\n", "not an event"),
        (b'{"v":1,"seq":1,"run":"r","at":"2026-01-01","event":"x"}\n', "time zone"),
        (
            b'{"v":1,"seq":"1","run":"r","at":"2026-01-01","event":"x"}\n',
            "not an event",
        ),
        (b"\xff\xfe\n", "decode"),
    ],
    ids=["newer", "list", "no time zone", "seq is text", "not UTF-8"],
)
def test_a_line_that_is_no_event_is_told_apart(
    path: Path, line: bytes, fault: str
) -> None:
    write(path)
    path.write_bytes(line + path.read_bytes())
    with pytest.raises(SandbookError, match=f":1: .*{fault}"):
        list(read_journal(path))


def test_a_journal_that_is_not_there_is_the_callers_mistake(path: Path) -> None:
    with pytest.raises(UsageError, match="no such file") as caught:
        list(read_journal(path))
    assert "sandbook runs" in caught.value.remedy


def test_a_full_disk_is_told_and_leaves_no_half_line(path: Path) -> None:
    # Above a limit on the size of files the kernel refuses to write, as on a full disk.
    program = f"""
import resource, signal, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from sandbook.errors import SandbookError
from sandbook.journal import Journal
from tests.sandbook.told_runs import Teller
tell = Teller()
journal = Journal.create(Path({str(path)!r}))
journal.append(tell("finally.started"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
try:
    journal.append(tell("run.started"))
except SandbookError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
journal.append(tell("finally.started"))
"""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    program = program.replace("(-1, -1)", repr(limit)).replace(
        "(300, 300)", repr((300, limit[1]))
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert "could not be written: file too large" in done.stdout
    assert [event.seq for event in read_journal(path)] == [1, 3]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_no_space_left_says_what_to_do() -> None:
    journal = Journal(
        Path("/dev/full"), os.open("/dev/full", os.O_WRONLY), sync=True, last_seq=0
    )
    with journal, pytest.raises(SandbookError, match="no space left") as caught:
        journal.append(Teller()("run.started"))
    assert "free space" in caught.value.remedy


def test_events_outlive_a_process_that_is_killed(path: Path) -> None:
    program = f"""
import os, signal, sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from sandbook.journal import Journal
from tests.sandbook.told_runs import failed_run
journal = Journal.create(Path({str(path)!r}))
for event in failed_run():
    journal.append(event)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False
    )
    assert done.returncode == -9
    assert list(read_journal(path)) == list(failed_run())
