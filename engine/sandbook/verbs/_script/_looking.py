"""Whether something is shown: asked with each change, and not twice of a line."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import anyio

from sandbook.finding import search
from sandbook.terminal import Screen
from sandbook.verbs._script._lines import Sought
from sandbook.verbs._script._session import Session

_T = TypeVar("_T")
_TOGETHER_S: Final = 0.01
"""What comes within that time is looked at once."""

_ROWS_AGAIN: Final = 200
_MOST_SEARCHED: Final = 256 << 10
_LINE_ENDS: Final = re.compile(r"[ \t]+$", re.MULTILINE)


class Look:
    """Looks for one thing; what was looked through in vain is not looked at again."""

    def __init__(self, screen: Screen, sought: Sought) -> None:
        self._screen = screen
        self._sought = sought
        self._text = without_line_ends(sought.text)
        self._after = 0
        cols = screen.size[0]
        self._rows_again = self._text.count("\n") + len(self._text) // cols + 2

    async def __call__(self) -> bool:
        """Whether it is there now."""
        if self._sought.on_stream:
            return await self._fits(self._screen.stream_text())
        gone = self._screen.gone
        text = "\n".join(self._screen.seen(after=self._after))
        if await self._fits(text):
            return True
        again = _ROWS_AGAIN if self._sought.is_pattern else self._rows_again
        self._after = max(0, gone - again)
        if not self._sought.is_pattern or self._screen.is_full:
            return False
        # A pattern may ask for the blank behind a prompt.
        drawn = "\n".join(self._screen.seen(trim=False))
        return await self._fits(drawn)

    async def _fits(self, text: str) -> bool:
        if self._sought.is_pattern:
            found = await search(self._sought.text, text[-_MOST_SEARCHED:])
            return found is not None
        return self._text in text


def without_line_ends(text: str) -> str:
    """A text without the blanks at the ends of its lines, and its last line end."""
    return _LINE_ENDS.sub("", text.removesuffix("\n"))


async def until(
    session: Session, look: Callable[[], Awaitable[_T | None]], *, within: float
) -> _T | None:
    """What `look` gives once it gives something.

    None = nothing until the time was over or the program had ended.
    """
    with anyio.move_on_after(within):
        while True:
            change = session.change()
            has_ended = session.result is not None
            found = await look()
            if found is not None or has_ended:
                return found
            await change.wait()
            await anyio.sleep(_TOGETHER_S)
    return None
