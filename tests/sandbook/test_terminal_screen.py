"""What a screen shows: drawing, wrapping, scrolling, full screens, answers."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbook.terminal import Screen


def shown(data: bytes | str, cols: int = 20, rows: int = 5) -> Screen:
    """A screen that was fed this."""
    screen = Screen(cols, rows)
    screen.feed(data.encode() if isinstance(data, str) else data)
    return screen


def test_spaces_at_line_ends_do_not_count() -> None:
    assert shown("one   \r\n  two \r\n").lines() == ["one", "  two"]


def test_a_wrapped_line_is_one_line() -> None:
    screen = shown("a" * 25 + "\r\nnext")
    assert screen.lines() == ["a" * 25, "next"]
    assert screen.rows()[:3] == ["a" * 20, "a" * 5, "next"]


def test_a_line_that_just_fits_is_not_joined_to_the_next() -> None:
    assert shown("a" * 20 + "\r\nb").lines() == ["a" * 20, "b"]


def test_a_wrapped_line_stays_one_when_it_scrolls_away() -> None:
    screen = shown("a" * 45 + "\r\n1\r\n2\r\n3\r\n4")
    assert screen.output() == ["a" * 45, "1", "2", "3", "4"]
    assert screen.seen() == ["a" * 45, "1", "2", "3", "4"]
    half_gone = shown("a" * 45 + "\r\n1\r\n2\r\n3")
    assert half_gone.output() == ["a" * 45, "1", "2", "3"]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("漢字x", ["漢字x"]),
        ("漢字漢字漢", ["漢字漢字", "漢"]),
        ("a漢字漢字", ["a漢字漢", "字"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("👍🏽 ok", ["👍🏽 ok"]),
        ("a\u200bb", ["a\u200bb"]),
    ],
)
def test_wide_and_joined_characters_are_there_once(text: str, rows: list[str]) -> None:
    screen = shown(text, cols=8)
    assert [row for row in screen.rows() if row] == rows
    assert screen.lines() == [text]


def test_half_of_a_wide_character_is_not_left_behind() -> None:
    assert shown("漢字\x1b[1;2Hx").rows()[0] == " x字"
    assert shown("漢字\x1b[1;3Hx").rows()[0] == "漢x"
    assert shown("漢字\x1b[1;1Hx").rows()[0] == "x 字"
    assert shown("漢字\x1b[1;2H\x1b[P").rows()[0] == " 字"


def test_bytes_are_read_wherever_they_are_cut() -> None:
    data = "é漢\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b]8;;x\x1b\\end".encode()
    screen = Screen(20, 5)
    for byte in data:
        screen.feed(bytes([byte]))
    assert screen.lines() == ["é漢redend"]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert shown(b"a\xff\xc3b\x00c\x07").lines() == ["a\ufffd\ufffdbc"]


@pytest.mark.parametrize(
    "unknown",
    [
        "\x1b]1337;File=secret\x07",
        "\x1b]52;c;c2VjcmV0\x1b\\",
        "\x1bPsecret\x1b\\",
        "\x1b_secret\x1b\\",
        "\x1b^secret\x1b\\",
        "\x1bXsecret\x1b\\",
        "\x1b[>4;2m",
        "\x1b[?9999h",
        "\x1b[12$~",
        "\x1b%G",
    ],
)
def test_what_a_terminal_does_not_know_is_no_text(unknown: str) -> None:
    assert shown(f"a{unknown}b").lines() == ["ab"]


def test_a_string_without_end_is_not_kept_in_memory() -> None:
    screen = Screen(20, 5)
    for _ in range(1000):
        screen.feed(b"\x1b]0;" + b"x" * 10_000)
    screen.feed(b"\x07there")
    assert screen.lines() == ["there"]


def test_a_full_screen_goes_and_what_was_before_comes_back() -> None:
    screen = shown("before\r\n\x1b[?1049h\x1b[Hmenu")
    assert screen.is_full
    assert screen.lines() == ["menu"]
    screen.feed(b"\x1b[?1049lafter")
    assert not screen.is_full
    assert screen.lines() == ["before", "after"]
    assert screen.output() == ["before", "after"]


@pytest.mark.parametrize("mode", [47, 1047, 1049])
def test_every_way_to_a_full_screen_is_known(mode: int) -> None:
    screen = shown(f"before\x1b[?{mode}h")
    assert screen.is_full
    screen.feed(f"\x1b[2J\x1b[?{mode}l".encode())
    assert screen.lines() == ["before"]


def test_what_scrolls_in_a_full_screen_is_no_output() -> None:
    screen = shown("\x1b[?1049h" + "\r\n".join("abcdefgh") + "\x1b[?1049l")
    assert screen.output() == []


def test_scrolling_between_margins_moves_only_those_rows() -> None:
    screen = shown("1\r\n2\r\n3\r\n4\r\n5\x1b[2;4r\x1b[4;1H\n")
    assert screen.rows() == ["1", "3", "4", "", "5"]
    screen.feed(b"\x1b[2;1H\x1bM")
    assert screen.rows() == ["1", "", "3", "4", "5"]


def test_lines_and_characters_are_inserted_and_deleted() -> None:
    assert shown("ab\r\ncd\x1b[1;1H\x1b[L").rows()[:3] == ["", "ab", "cd"]
    assert shown("ab\r\ncd\x1b[1;1H\x1b[M").rows()[:2] == ["cd", ""]
    assert shown("abcd\x1b[1;2H\x1b[2@").rows()[0] == "a  bcd"
    assert shown("abcd\x1b[1;2H\x1b[2P").rows()[0] == "ad"
    assert shown("abcd\x1b[1;2H\x1b[2X").rows()[0] == "a  d"
    assert shown("abcd\x1b[1;3H\x1b[1K").rows()[0] == "   d"
    assert shown("abcd\x1b[1;3H\x1b[K").rows()[0] == "ab"
    assert shown("abcd\x1b[1;1H\x1b[4hXY").rows()[0] == "XYabcd"


def test_tabs_go_to_their_stops() -> None:
    assert shown("a\tb\tc", cols=20).rows()[0] == "a       b       c"
    assert shown("\x1b[3g\x1b[5G\x1bH\r\tx").rows()[0] == "    x"
    assert shown("\t\t\x1b[Zx").rows()[0] == "        x"


def test_lines_are_drawn_in_the_set_that_has_them() -> None:
    assert shown("\x1b(0lqk\x1b(Blqk").rows()[0] == "┌─┐lqk"
    assert shown("\x1b)0\x0eq\x0fq").rows()[0] == "─q"


def test_a_character_is_repeated() -> None:
    assert shown("-\x1b[5b").rows()[0] == "------"


def test_nothing_is_lost_when_the_size_changes() -> None:
    screen = shown("a" * 18 + "\r\n2\r\n3\r\n4\r\n5")
    screen.resize(10, 2)
    assert screen.output() == ["a" * 18, "2", "3", "4", "5"]
    assert screen.lines() == ["4", "5"]
    screen.resize(30, 6)
    assert screen.output() == ["a" * 18, "2", "3", "4", "5"]
    x, y = screen.cursor
    assert (x, y) == (1, 1)


def test_what_was_cleared_away_was_shown() -> None:
    screen = shown("one\r\ntwo\x1b[H\x1b[2Jthree")
    assert screen.lines() == ["three"]
    assert screen.output() == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("\x1b[5n", "\x1b[0n"),
        ("ab\r\n\x1b[6n", "\x1b[2;1R"),
        ("\x1b[?6n", "\x1b[?1;1R"),
        ("\x1b[c", "\x1b[?62;22c"),
        ("\x1b[>c", "\x1b[>0;10;0c"),
        ("\x1b[?2004$p", "\x1b[?2004;2$y"),
        ("\x1b[?2004h\x1b[?2004$p", "\x1b[?2004;1$y"),
        ("\x1b[?4711$p", "\x1b[?4711;0$y"),
        ("\x1b[18t", "\x1b[8;5;20t"),
        ("\x1b]11;?\x07", "\x1b]11;rgb:0000/0000/0000\x1b\\"),
        ("\x1bP$qm\x1b\\", "\x1bP0$r\x1b\\"),
        ("\x1b[21t", ""),
    ],
)
def test_a_program_that_asks_gets_an_answer(asked: str, answer: str) -> None:
    assert Screen(20, 5).feed(asked.encode()) == answer.encode()


def test_modes_that_change_what_is_typed_are_known() -> None:
    screen = shown("\x1b[?1h\x1b[?2004h")
    assert screen.has_cursor_keys
    assert screen.brackets_paste
    screen.feed(b"\x1bc")
    assert not screen.has_cursor_keys
    assert not screen.brackets_paste


def test_a_burst_of_5_mb_is_read_and_its_end_is_kept() -> None:
    line = b"\x1b[32mok\x1b[0m step %07d of a build that says a lot\r\n"
    data = b"".join(line % number for number in range(100_000))
    assert len(data) > 5_000_000
    screen = Screen(80, 24)
    began = time.process_time()
    for at in range(0, len(data), 65_536):
        screen.feed(data[at : at + 65_536])
    assert time.process_time() - began < 60, "it took as long as pyte would"
    lines = screen.output()
    assert lines[-1] == "ok step 0099999 of a build that says a lot"
    assert lines[-2000] == "ok step 0098000 of a build that says a lot"
    assert len(lines) < 100_000


def _sequence(prefix: str, numbers: list[int], between: str, final: str) -> bytes:
    return f"\x1b[{prefix}{';'.join(map(str, numbers))}{between}{final}".encode()


def _private(mode: int, end: str) -> bytes:
    return f"\x1b[?{mode}{end}".encode()


_PIECES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(
        [b"\r\n", b"\n", b"\b", b"\t", b"\x1bM", b"\x1bD", b"\x1bc", b"\x1b7", b"\x1b8"]
    ),
    st.builds(
        _sequence,
        st.sampled_from(["", "?", ">", "="]),
        st.lists(st.integers(0, 10**7), max_size=4),
        st.sampled_from(["", "$", "!", " "]),
        st.sampled_from(string.ascii_letters + "@`{|}~"),
    ),
    st.builds(
        _private,
        st.sampled_from([1, 6, 7, 47, 1047, 1048, 1049, 2004]),
        st.sampled_from("hl"),
    ),
)


@given(
    pieces=st.lists(_PIECES, max_size=60),
    size=st.tuples(st.integers(1, 12), st.integers(1, 6)),
    resized=st.tuples(st.integers(1, 12), st.integers(1, 6)),
)
@settings(max_examples=300)
def test_no_bytes_are_an_error_and_the_cursor_stays_on_the_screen(
    pieces: list[bytes], size: tuple[int, int], resized: tuple[int, int]
) -> None:
    screen = Screen(*size)
    for number, piece in enumerate(pieces):
        screen.feed(piece)
        if number == len(pieces) // 2:
            screen.resize(*resized)
        if number % 7 == 3:
            screen.typed("ab\rc", (None, "shown", "program", "hidden")[number % 4])
        cols, rows = screen.size
        x, y = screen.cursor
        assert 0 <= x < cols
        assert 0 <= y < rows
        assert len(screen.rows()) == rows
        for text in (screen.lines(), screen.output(), screen.seen()):
            assert all(not (set(line) & set("\n\r\x1b")) for line in text)


@given(data=st.binary(max_size=300), cut=st.integers(0, 300))
def test_it_does_not_matter_where_bytes_are_cut(data: bytes, cut: int) -> None:
    whole, pieces = Screen(10, 4), Screen(10, 4)
    answer = whole.feed(data)
    again = pieces.feed(data[:cut]) + pieces.feed(data[cut:])
    assert (whole.rows(), whole.cursor, answer) == (pieces.rows(), pieces.cursor, again)
