"""Recordings are read in both versions, surveyed, and written for other players."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbook.errors import UsageError
from sandbook.recording import (
    Event,
    Recorder,
    Start,
    as_v2,
    as_v3,
    find_start,
    read,
    read_lines,
    shown_lines,
    survey,
)

V3 = """\
{"version": 3, "term": {"cols": 90, "rows": 30, "type": "vt220"}, "title": "demo"}
# made by hand
[0.5, "o", "one\\r\\n"]
[1.0, "m", "first"]

[0.25, "r", "100x20"]
[2, "x", "3"]
"""
V2 = """\
{"version": 2, "width": 90, "height": 30, "env": {"TERM": "vt220", "SHELL": "/bin/sh"},\
 "idle_time_limit": 1.5, "timestamp": 1700000000}
[0.5, "o", "one\\r\\n"]
[1.5, "m", "first"]
[1.4, "o", "early"]
"""
HEADER = '{"version": 3, "term": {"cols": 80, "rows": 24}}\n'


def _lines(text: str) -> list[bytes]:
    return text.encode().splitlines(keepends=True)


def _refusal(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        list(read_lines(_lines(text), name="a.cast").events)
    assert "asciicast of version 2 or 3" in caught.value.remedy
    return str(caught.value)


def test_version_3_is_read_with_the_times_added_up() -> None:
    recording = read_lines(_lines(V3), name="a.cast")
    header = recording.header
    assert (header.version, header.cols, header.rows) == (3, 90, 30)
    assert (header.term, header.title) == ("vt220", "demo")
    assert list(recording.events) == [
        Event(0.5, "o", "one\r\n"),
        Event(1.5, "m", "first"),
        Event(1.75, "r", "100x20"),
        Event(3.75, "x", "3"),
    ]


def test_version_2_is_read_and_never_goes_back_in_time() -> None:
    recording = read_lines(_lines(V2), name="a.cast")
    header = recording.header
    assert (header.version, header.cols, header.rows) == (2, 90, 30)
    assert (header.term, header.idle_limit) == ("vt220", 1.5)
    assert [event.at for event in recording.events] == [0.5, 1.5, 1.5]


def test_a_last_line_that_was_cut_off_is_none() -> None:
    recording = read_lines(_lines(HEADER + '[1, "o", "a"]\n[2, "o", "ha'), name="x")
    assert [event.data for event in recording.events] == ["a"]


def test_events_that_nobody_knows_are_passed_on() -> None:
    recording = read_lines(_lines(HEADER + '[1, "z", "a"]\n'), name="x")
    assert [event.kind for event in recording.events] == ["z"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "a.cast:1: this is no recording: it is empty"),
        ("hello\n", "a.cast:1: this is no recording: it is not JSON"),
        ("{", "a.cast:1: this is no recording: it is not JSON"),
        ("[1]\n", "a.cast:1: this is no recording: its first line is not a header"),
        ('{"version": 1}\n', "its version is 1, not 2 or 3"),
        ('{"version": 3.0}\n', "its version is 3.0, not 2 or 3"),
        ('{"version": 3}\n', "does not say how many columns"),
        ('{"version": 2, "width": 80, "height": 0}\n', "how many rows"),
        ('{"version": 2, "width": true, "height": 9}\n', "how many columns"),
        (HEADER + "# x\n[1\n", "a.cast:3: this is no recording: it is not JSON"),
        (HEADER + '{"o": 1}\n', "a.cast:2: this is no recording: an event is a list"),
        (HEADER + '"abc"\n', "an event is a list"),
        (HEADER + '[1, "o"]\n', "an event is a list"),
        (HEADER + '[-1, "o", ""]\n', "is a number of seconds, not below 0"),
        (HEADER + '["1", "o", ""]\n', "is a number of seconds, not below 0"),
        (HEADER + '[NaN, "o", ""]\n', "it is not JSON"),
        (HEADER + '[1e999, "o", ""]\n', "is a number of seconds, not below 0"),
        (HEADER + f'[{"9" * 400}, "o", ""]\n', "is a number of seconds"),
        (HEADER + '[true, "o", ""]\n', "is a number of seconds, not below 0"),
        (HEADER + '[1, "o", 5]\n', "has a letter and a text after its time"),
        (HEADER + '[1, "r", "wide"]\n', "'wide' is not a terminal size"),
        (HEADER + "[" * 100_000 + "\n", "it is not JSON"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str) -> None:
    assert told in _refusal(text)


@given(st.binary(max_size=200))
def test_no_file_makes_the_reader_fail_otherwise(tail: bytes) -> None:
    lines = (HEADER.encode() + tail).splitlines(keepends=True)
    with suppress(UsageError):
        list(read_lines(lines, name="a.cast").events)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or directory"):
        read(tmp_path / "a.cast")
    with pytest.raises(UsageError, match="is a directory"):
        read(tmp_path)


def test_what_was_recorded_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    times = iter((0.0, 0.125, 1.0, 2.5))
    recorder = Recorder(path, cols=80, rows=24, clock=lambda: next(times))
    recorder.output("a€".encode())
    recorder.marker("here")
    recorder.exit(0)
    recorder.close()
    recording = read(path)
    assert recording.header.term == "xterm-256color"
    assert list(recording.events) == [
        Event(0.125, "o", "a€"),
        Event(1.0, "m", "here"),
        Event(2.5, "x", "0"),
    ]


def test_version_2_has_absolute_times_and_no_exit_code() -> None:
    header, *events = map(json.loads, as_v2(read_lines(_lines(V3), name="x")))
    assert header == {
        "version": 2,
        "width": 90,
        "height": 30,
        "title": "demo",
        "env": {"TERM": "vt220"},
    }
    assert events == [
        [0.5, "o", "one\r\n"],
        [1.5, "m", "first"],
        [1.75, "r", "100x20"],
    ]


def test_version_3_made_of_version_2_has_intervals() -> None:
    header, *events = map(json.loads, as_v3(read_lines(_lines(V2), name="x")))
    assert header == {
        "version": 3,
        "term": {"cols": 90, "rows": 30, "type": "vt220"},
        "timestamp": 1700000000,
        "idle_time_limit": 1.5,
        "env": {"SHELL": "/bin/sh"},
    }
    assert events == [
        [0.5, "o", "one\r\n"],
        [1.0, "m", "first"],
        [0.0, "o", "early"],
    ]


@given(st.lists(st.floats(min_value=0, max_value=1000), max_size=50))
def test_there_and_back_no_time_is_lost(intervals: list[float]) -> None:
    text = HEADER + "".join(f'[{each:.6f}, "o", "."]\n' for each in intervals)
    first = _times(_lines(text))
    there = [f"{line}\n".encode() for line in as_v2(read_lines(_lines(text), name="x"))]
    back = [f"{line}\n".encode() for line in as_v3(read_lines(there, name="x"))]
    assert _times(there) == pytest.approx(first, abs=1e-6)
    assert _times(back) == pytest.approx(first, abs=1e-6)


def _times(lines: Iterable[bytes]) -> list[float]:
    return [event.at for event in read_lines(lines, name="x").events]


def test_a_survey_counts_what_is_there() -> None:
    found = survey(read_lines(_lines(V3), name="x"))
    assert found.counts == {"o": 1, "m": 1, "r": 1, "x": 1}
    assert (found.seconds, found.characters, found.exit) == (3.75, 5, "3")
    assert found.markers == (Event(1.5, "m", "first"),)


MARKED = HEADER + (
    '[1, "o", "a"]\n[1, "m", "typed: ls"]\n[1, "m", "typed: exit"]\n'
    '[1, "m", "5s"]\n[1, "o", "b"]\n'
)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("typed: exit", Start(2, 3.0)),
        ("EXIT", Start(2, 3.0)),
        ("5s", Start(3, 4.0)),
        ("0", Start(0, 0.0)),
        ("1.5", Start(1, 1.5)),
        ("4s", Start(3, 4.0)),
        ("0:05", Start(4, 5.0)),
        ("00:00:05", Start(4, 5.0)),
    ],
)
def test_a_start_is_a_marker_or_a_time(text: str, start: Start) -> None:
    assert find_start(text, read_lines(_lines(MARKED), name="x")) == start


@pytest.mark.parametrize(
    ("text", "told", "remedy"),
    [
        ("typed", "'typed' is in 2 markers: 'typed: ls', 'typed: exit'", "write more"),
        ("tped: ls", "there is no marker 'tped: ls'", "did you mean 'typed: ls'?"),
        ("1m", "'1m' is after the end", "it ends after 5s"),
    ],
)
def test_a_start_that_is_not_there_is_told(text: str, told: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_start(text, read_lines(_lines(MARKED), name="x"))
    assert told in str(caught.value)
    assert remedy in caught.value.remedy


def test_the_lines_shown_are_what_a_person_would_have_seen() -> None:
    text = HEADER.replace('"rows": 24', '"rows": 2') + "".join(
        f'[0.1, "o", {json.dumps(piece)}]\n'
        for piece in ("one\r\n\x1b[31mtw", "o\x1b[0m\r\n", "wrong\rthree\x1b[K\r\nend")
    )
    assert shown_lines(read_lines(_lines(text), name="x")) == [
        "one",
        "two",
        "three",
        "end",
    ]
