"""Secrets in what a terminal shows, with sequences between their characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbook.masking import MASK, Masker
from sandbook.terminal import Screen

HIDDEN = "correct horse"
BETWEEN = [
    b"\x1b[31m",
    b"\x1b[0;1;38;5;200m",
    b"\x1b[K",
    b"\r\n",
    b"\x1b[5;10H",
    b"\x1b]0;a title\x07",
    b"\x1b]8;;x\x1b\\",
    b"\x1b(B",
    b"\x1b7",
    b"\x1b[?25l",
    b"\x07",
    b"\x1b",
]
PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(BETWEEN),
    st.sampled_from([HIDDEN.encode(), b"correct ", b"horse", b"cor", b"c", b"rect"]),
)


def masked(*chunks: bytes, word: str = HIDDEN) -> bytes:
    """What is shown of a stream that comes in these chunks."""
    stream = Masker({"NAME": word}).terminal()
    return b"".join([*(stream.feed(chunk) for chunk in chunks), stream.flush()])


@pytest.mark.parametrize("between", BETWEEN[:-1], ids=ascii)
def test_a_sequence_inside_a_secret_hides_no_part_of_it(between: bytes) -> None:
    data = b"it is corr" + between + b"ect horse."
    assert masked(data) == b"it is ***" + between + b"."
    assert masked(*(data[at : at + 1] for at in range(len(data)))) == masked(data)


def test_every_character_may_stand_alone() -> None:
    data = b"".join(b"\x1b[3%dm%c" % (n % 8, byte) for n, byte in enumerate(b"horse"))
    assert b"horse" not in masked(data, word="horse")
    assert masked(data, word="horse").count(MASK) == 1


def test_a_screen_shows_the_mask_where_the_secret_was() -> None:
    screen = Screen(40, 4)
    screen.feed(masked(b"\x1b[2;1Hkey: corr\x1b[1mect\x1b[0m horse\x1b[3;1Hdone"))
    assert screen.rows()[1:3] == ["key: ***", "done"]


def test_a_secret_that_has_controls_in_it_is_found_as_it_stands() -> None:
    assert masked(b"a one\ttwo b", word="one\ttwo") == b"a *** b"
    assert masked(b"a one\x1b[1mtwo b", word="one\x1b[1mtwo") == b"a *** b"


@pytest.mark.parametrize("cut", range(20))
def test_what_overlaps_becomes_one_wherever_it_is_cut(cut: int) -> None:
    masker = Masker({"A": "abcdef", "B": "defghi"}).terminal()
    data = b"<abc\x1b[1mdef\x1b[2mghi>"
    told = masker.feed(data[:cut]) + masker.feed(data[cut:]) + masker.flush()
    assert told == b"<***\x1b[1m\x1b[2m>"


def test_nothing_else_is_changed_or_lost() -> None:
    data = b"corr\x1b[31mect cow, \x1b]0;correct horse\r\n"
    assert masked(data[:20]) == data[:20]
    assert masked(b"\x1b[31mcorrect \x1b[0mcow") == b"\x1b[31mcorrect \x1b[0mcow"


@given(st.lists(PIECES, max_size=30))
def test_where_it_is_cut_makes_no_difference(chunks: list[bytes]) -> None:
    assert masked(*chunks) == masked(b"".join(chunks))


@given(st.lists(st.sampled_from(BETWEEN[:-1]), min_size=12, max_size=12), st.data())
def test_whatever_stands_inside_the_sequences_stay(
    between: list[bytes], data: st.DataObject
) -> None:
    letters = [HIDDEN.encode()[n : n + 1] for n in range(len(HIDDEN))]
    pieces = [letters[0]]
    for letter, sequence in zip(letters[1:], between, strict=True):
        pieces += ([sequence] if data.draw(st.booleans()) else []) + [letter]
    kept = [piece for piece in pieces if piece not in letters]
    assert masked(b"<", *pieces, b">") == b"<***" + b"".join(kept) + b">"


@given(
    st.lists(st.one_of(st.sampled_from(BETWEEN), st.binary(max_size=8)), max_size=30)
)
def test_without_a_secret_every_byte_stays(chunks: list[bytes]) -> None:
    assert masked(*chunks, word="nobody says this") == b"".join(chunks)


def test_a_flood_of_sequences_is_not_held_back_for_ever() -> None:
    stream = Masker({"NAME": HIDDEN}).terminal()
    told = stream.feed(b"corr")
    for _ in range(3000):
        told += stream.feed(b"\x1b[31m" * 10)
    assert len(told) > 50_000
    told += stream.feed(b"\x1b]0;" + b"x" * 200_000)
    assert len(told) > 200_000
