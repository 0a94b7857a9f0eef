"""What a driver keeps of output: bounded, whole numbers, cut anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbook.drivers.inside import spool
from sandbook.drivers.inside.spool import Frame, Spool, in_order, read_frames, store

PIECES = st.lists(st.tuples(st.integers(0, 1), st.binary(min_size=1, max_size=9)))


def _kept(pieces: list[tuple[int, bytes]], head: int, tail: int) -> list[Spool]:
    spools = [Spool(head, tail), Spool(head, tail)]
    seq = 0
    for stream, data in pieces:
        seq += len(data)
        spools[stream].add(Frame(seq, stream, 0.0, data))
    return spools


@given(pieces=PIECES, head=st.integers(0, 20), tail=st.integers(0, 20))
def test_the_first_and_last_bytes_are_kept_exactly(
    pieces: list[tuple[int, bytes]], head: int, tail: int
) -> None:
    for stream, kept in enumerate(_kept(pieces, head, tail)):
        whole = b"".join(data for one, data in pieces if one == stream)
        rest = whole[head:]
        wanted = (whole[:head], rest[-tail:] if tail else b"", len(whole))
        assert kept.captured() == wanted


@given(pieces=PIECES, after=st.integers(0, 60))
@settings(deadline=None)
def test_output_goes_on_behind_any_byte_even_where_pieces_were_joined(
    pieces: list[tuple[int, bytes]], after: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "_MANY", 2)
        frames = in_order(_kept(pieces, 1000, 0))
    for stream in (0, 1):
        told = [(f.seq, f.data) for f in frames if f.stream == stream]
        assert b"".join(data for _, data in told) == b"".join(
            data for one, data in pieces if one == stream
        )
    heard = b"".join(f.after(after).data for f in frames if f.seq > after)
    assert heard == b"".join(data for _, data in pieces)[after:]


def test_many_small_pieces_are_joined() -> None:
    kept = _kept([(0, b"x")] * 10_000, 20_000, 0)[0]
    assert len(kept.first) < 2100
    assert kept.captured() == (b"x" * 10_000, b"", 10_000)


def test_what_is_stored_is_read_behind_any_byte(tmp_path: Path) -> None:
    pieces = [(0, b"one\n"), (1, b"two\n"), (0, b"three\n")]
    store(str(tmp_path), _kept(pieces, 100, 100), {"end": "exited"})
    whole = b"".join(data for _, data in pieces)
    for after in range(len(whole) + 1):
        told = list(read_frames(str(tmp_path), after=after))
        assert b"".join(frame.data for frame in told) == whole[after:]
