"""Recordings: what is stored of a terminal, and when."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbook.errors import SandbookError
from sandbook.masking import MASK, Masker
from sandbook.recording import Recorder

HIDDEN = "correct horse"
ESCAPES = [b"\x1b[31m", b"\x1b[0m", b"\x1b[2J\x1b[H", b"\x1b]0;title\x07", b"\x9b1m"]
PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([*ESCAPES, b"\r\n", b"\x1b", b"\x1b[", "€𝄞".encode(), b"\x00"]),
    st.sampled_from([HIDDEN.encode(), HIDDEN[:5].encode(), HIDDEN[5:].encode()]),
)


def _events(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def _shown(path: Path) -> str:
    return "".join(data for _, kind, data in _events(path)[1:] if kind == "o")


def _ticks(*times: float) -> Iterator[float]:
    yield from times
    while True:
        yield times[-1]


def _clocked(path: Path, *times: float, **fields: Any) -> Recorder:
    ticks = _ticks(*times)
    return Recorder(path, cols=80, rows=24, clock=lambda: next(ticks), **fields)


def test_a_recording_is_asciicast_3(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    recorder = _clocked(path, 5.0, 5.25, 5.75, 6.0, 7.5, title="t", command="vi x")
    recorder.output(b"hello \x1b[1m")
    recorder.resize(100, 30)
    recorder.marker("typed: x")
    recorder.exit(3)
    recorder.close()
    header, *events = _events(path)
    assert header.pop("timestamp") > 1_700_000_000
    assert header == {
        "version": 3,
        "term": {"cols": 80, "rows": 24, "type": "xterm-256color"},
        "title": "t",
        "command": "vi x",
    }
    assert events == [
        [0.25, "o", "hello \x1b[1m"],
        [0.5, "r", "100x30"],
        [0.25, "m", "typed: x"],
        [1.5, "x", "3"],
    ]


def test_an_end_that_nobody_knows_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    recorder = _clocked(path, 0.0)
    recorder.output(b"a")
    recorder.exit(None)
    recorder.close()
    assert [event[1] for event in _events(path)[1:]] == ["o"]


def test_rounded_intervals_add_up_to_the_true_time(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    third = [number / 3 for number in range(3001)]
    recorder = _clocked(path, *third)
    for _ in range(3000):
        recorder.output(b".")
    recorder.close()
    assert abs(sum(e[0] for e in _events(path)[1:]) - 1000.0) < 1e-5


def test_a_clock_that_goes_back_gives_no_negative_interval(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    recorder = _clocked(path, 9.0, 10.0, 8.0, 11.0)
    for _ in range(3):
        recorder.output(b".")
    recorder.close()
    assert [e[0] for e in _events(path)[1:]] == [1.0, 0.0, 1.0]


def test_a_character_in_two_chunks_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    recorder = _clocked(path, 0.0)
    for byte in "a€𝄞".encode():
        recorder.output(bytes([byte]))
    recorder.close()
    assert [e[2] for e in _events(path)[1:]] == ["a", "€", "𝄞"]


@given(st.lists(PIECES, max_size=40))
def test_any_bytes_give_a_file_that_plays_them(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.cast"
    recorder = Recorder(path, cols=80, rows=24)
    for chunk in chunks:
        recorder.output(chunk)
    recorder.close()
    assert _shown(path) == b"".join(chunks).decode("utf-8", "replace")


@given(st.lists(PIECES, max_size=40))
def test_what_is_stored_is_what_a_masker_makes_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("masked") / "a.cast"
    masker = Masker({"PASSWORD": HIDDEN})
    recorder = Recorder(path, cols=80, rows=24, masker=masker)
    for chunk in chunks:
        recorder.output(chunk)
    recorder.close()
    stream = masker.terminal()
    whole = stream.feed(b"".join(chunks)) + stream.flush()
    assert _shown(path) == whole.decode("utf-8", "replace")
    assert HIDDEN not in path.read_text("utf-8")


def test_a_secret_is_stored_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    recorder = Recorder(
        path,
        cols=80,
        rows=24,
        masker=Masker({"PASSWORD": HIDDEN}),
        title=f"with {HIDDEN}",
        command=f"login {HIDDEN}",
    )
    for byte in f"it is {HIDDEN}.".encode():
        recorder.output(bytes([byte]))
    recorder.marker(f"typed {HIDDEN}")
    recorder.close()
    text = path.read_text("utf-8")
    assert HIDDEN not in text
    assert text.count(MASK.decode()) == 4


def test_what_may_begin_a_secret_is_stored_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    recorder = Recorder(path, cols=80, rows=24, masker=Masker({"PASSWORD": HIDDEN}))
    recorder.output(b"it is correct")
    assert _shown(path) == "it is "
    recorder.close()
    assert _shown(path) == "it is correct"


def test_only_its_owner_may_read_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    before = os.umask(0)
    try:
        Recorder(path, cols=80, rows=24).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_process_that_is_killed_leaves_what_it_recorded(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    program = (
        "import os, sys; from pathlib import Path\n"
        "from sandbook.recording import Recorder\n"
        "recorder = Recorder(Path(sys.argv[1]), cols=80, rows=24)\n"
        "recorder.output(b'seen')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run((sys.executable, "-c", program, str(path)), check=False)
    assert done.returncode == -signal.SIGKILL
    assert _shown(path) == "seen"


def test_a_line_that_does_not_fit_the_disk_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    recorder = Recorder(path, cols=80, rows=24)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
        with pytest.raises(SandbookError, match=r"a\.cast' could not be stored"):
            recorder.output(b"x" * 2000)
        recorder.output(b"short")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    recorder.close()
    assert _shown(path) == "short"


def test_a_recording_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandbookError, match="no such file or directory") as caught:
        Recorder(tmp_path / "nowhere" / "a.cast", cols=80, rows=24)
    assert "check the disk" in str(caught.value.remedy)


def test_a_name_that_is_no_text_spoils_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    Recorder(path, cols=80, rows=24, title="a\udcffb").close()
    assert _events(path)[0]["title"] == "a?b"


def test_nothing_is_stored_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    recorder = Recorder(path, cols=80, rows=24)
    recorder.close()
    recorder.output(b"late")
    recorder.close()
    assert _shown(path) == ""
