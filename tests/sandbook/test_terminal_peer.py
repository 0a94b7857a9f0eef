"""Our screen stands as that of pyte, a terminal by other hands, after the same bytes.

Only what both promise is drawn: pyte has no second screen, answers little, and leaves
a line that is deleted above an empty one.
"""

from __future__ import annotations

import pyte
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sandbook.terminal import Screen

COLS, ROWS = 20, 6

_small = st.integers(0, 25)


def _sequence(
    final: str, *parameters: st.SearchStrategy[int]
) -> st.SearchStrategy[str]:
    """Strategies of `ESC [ … final`."""
    return st.tuples(*parameters).map(
        lambda given: f"\x1b[{';'.join(map(str, given))}{final}"
    )


PIECES = st.one_of(
    st.tuples(
        st.text("abc XYZ019.", min_size=1, max_size=30),
        # At the right border pyte stands one column too far for what comes next.
        st.sampled_from(["\r", "\r\n", "\x1b[2;3H", "\x1b[5;1H"]),
    ).map("".join),
    st.sampled_from(
        ["\r", "\n", "\r\n", "\b", "\t", "\x1b7", "\x1b8", "\x1bM", "\x1bD"]
    ),
    st.sampled_from(["\x1b[31m", "\x1b[0m", "\x1b[1;44m", "\x1b]0;title\x07"]),
    *(_sequence(final, _small) for final in "ABCDGd"),
    _sequence("H", _small, _small),
    _sequence("J", st.integers(0, 2)),
    _sequence("K", st.integers(0, 2)),
    *(_sequence(final, st.integers(1, 8)) for final in "P@X"),
)


class _Peer(pyte.Screen):
    """pyte keeps what is pushed over the border, and a deletion would bring it back."""

    def insert_characters(self, count: int | None = None) -> None:
        super().insert_characters(count)
        line = self.buffer[self.cursor.y]
        for column in [x for x in line if x >= self.columns]:
            del line[column]


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
@example("a" * COLS + "b")
@example("a" * COLS + "\r\nb")
@example("\x1b[6;20Hab\x1b[Dc")
@example("\x1b[1;20H0\r\x1b[1@\x1b[1P")
def test_the_same_bytes_leave_the_same_screen(text: str) -> None:
    theirs = _Peer(COLS, ROWS)
    # A terminal of Unix: a line feed alone does not return.
    pyte.Stream(theirs).feed(text)
    ours = Screen(COLS, ROWS)
    ours.feed(text.encode())
    assert ours.rows() == [row.rstrip() for row in theirs.display]
    x, y = ours.cursor
    assert (min(theirs.cursor.x, COLS - 1), theirs.cursor.y) == (x, y)
