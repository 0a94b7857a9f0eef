"""Durations, sizes and terminal sizes as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from sandbook.units import (
    format_duration,
    format_size,
    parse_duration,
    parse_size,
    parse_terminal_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1.5s", 1.5),
        ("1m0.5s", 60.5),
        ("0s", 0),
        ("1d1h1m1s1ms", 90_061.001),
    ],
)
@pytest.mark.language("§2 durations")
def test_durations_are_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("30", "'30' has no unit: write 30s or 30m"),
        ("1.5", "'1.5' has no unit: write 1.5s or 1.5m"),
        ("30 s", "'30 s' is not a duration: write it like 30s, 5m or 1h30m"),
        ("30sec", "'30sec' is not a duration: write it like 30s, 5m or 1h30m"),
        ("-5s", "'-5s' is not a duration: write it like 30s, 5m or 1h30m"),
        ("", "'' is not a duration: write it like 30s, 5m or 1h30m"),
        ("1h30", "'1h30' is not a duration: write it like 30s, 5m or 1h30m"),
        ("5M", "'5M' is not a duration: write it like 30s, 5m or 1h30m"),
        ("30m1h", "'30m1h' is out of order: write larger units first, once"),
        ("1s1s", "'1s1s' is out of order: write larger units first, once"),
        ("99999d", "'99999d' is longer than 100 years"),
        ("٣s", "'٣s' is not a duration: write it like 30s, 5m or 1h30m"),
        ("1s\n", "'1s\\n' is not a duration: write it like 30s, 5m or 1h30m"),
    ],
)
@pytest.mark.language("§2 durations")
def test_what_is_no_duration_is_refused_with_what_to_write(
    text: str, told: str
) -> None:
    with pytest.raises(ValueError, match=r"is|has") as caught:
        parse_duration(text)
    assert str(caught.value) == told


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1B", 1),
        ("512KB", 512_000),
        ("1.5GB", 1_500_000_000),
        ("512KiB", 524_288),
        ("1GiB", 1 << 30),
        ("0.5MiB", 524_288),
        ("1.001KB", 1001),
        ("2TB", 2 * 10**12),
    ],
)
@pytest.mark.language("§2 sizes")
def test_sizes_are_read_as_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["512", "512 MB", "1Gb", "1kb", "-1MB", "", "MB", "0.3B"]
)
@pytest.mark.language("§2 sizes")
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"unit|is not a"):
        parse_size(text)


def test_a_size_larger_than_any_disk_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than any disk"):
        parse_size("9" * 20 + "GB")


@pytest.mark.parametrize("text", ["80x24", "132x50"])
@pytest.mark.language("§2 terminal sizes")
def test_terminal_sizes_are_columns_and_rows(text: str) -> None:
    columns, rows = parse_terminal_size(text)
    assert f"{columns}x{rows}" == text


@pytest.mark.parametrize("text", ["80", "80x", "0x24", "80X24", "80x24x1", "99999x1"])
def test_what_is_no_terminal_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="columns x rows"):
        parse_terminal_size(text)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0ms"),
        (0.02, "20ms"),
        (1.5, "1.5s"),
        (60, "1m"),
        (90.5, "1m30.5s"),
        (3600, "1h"),
        (90_061, "1d1h1m1s"),
    ],
)
def test_durations_are_shown_as_a_person_writes_them(
    seconds: float, shown: str
) -> None:
    assert format_duration(seconds) == shown


@given(some.integers(min_value=0, max_value=10**10))
def test_a_duration_that_is_shown_can_be_read_back(milliseconds: int) -> None:
    shown = format_duration(milliseconds / 1000)
    assert round(parse_duration(shown) * 1000) == milliseconds


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0B"), (1023, "1023B"), (1536, "1.5KiB"), (1 << 30, "1GiB")]
)
def test_sizes_are_shown_in_the_largest_fitting_unit(size: int, shown: str) -> None:
    assert format_size(size) == shown
