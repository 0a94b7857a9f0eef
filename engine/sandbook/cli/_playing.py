"""A recording on this terminal: as it was shown, and nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import anyio

from sandbook.cli import _tty
from sandbook.cli._player import LeftError, Pace, Player
from sandbook.cli._words import warn
from sandbook.recording import Header, Recording, Start, Tame

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def play_here(
    recording: Recording, *, pace: Pace, start: Start, pauses_at_markers: bool
) -> int:
    """Play it; the exit code of the command."""
    screen = sys.stdout.fileno()
    _warn_if_small(recording.header, screen)
    tame = Tame()
    shown = _Shown(screen, tame)
    player = Player(
        recording.events,
        show=shown.show,
        pace=pace,
        start=start,
        pauses_at_markers=pauses_at_markers,
    )
    keyboard = sys.stdin.fileno() if sys.stdin.isatty() else None
    with _borrowed(screen, keyboard):
        try:
            return await _watched(player, keyboard)
        finally:
            with anyio.CancelScope(shield=True):
                await shown.end()


class _Shown:
    """What of a recording reached the terminal."""

    def __init__(self, screen: int, tame: Tame) -> None:
        self._screen = screen
        self._tame = tame
        self._last = "\n"

    async def show(self, text: str) -> None:
        """Show what may be shown of it."""
        told = self._tame.feed(text)
        if told:
            self._last = told[-1]
            await _tty.show(self._screen, told.encode("utf-8", "replace"))

    async def end(self) -> None:
        """Give the terminal back, with the cursor where a prompt may stand."""
        line = "" if self._last == "\n" else "\r\n"
        await _tty.show(self._screen, f"{self._tame.undo()}{line}".encode())


@contextmanager
def _borrowed(screen: int, keyboard: int | None) -> Generator[None]:
    with ExitStack() as stack:
        if keyboard is not None:
            stack.enter_context(_tty.raw(keyboard))
        elif os.isatty(screen):
            stack.enter_context(_tty.unprocessed(screen))
        yield


async def _watched(player: Player, keyboard: int | None) -> int:
    """Play while keys and signals are listened to."""
    codes: list[int] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_obey_signals, codes, tasks.cancel_scope)
        if keyboard is not None:
            tasks.start_soon(_pass_keys, player, keyboard)
        try:
            await player.play()
        except LeftError as left:
            codes.append(left.code)
        tasks.cancel_scope.cancel()
    return codes[0] if codes else 0


async def _obey_signals(codes: list[int], scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(*_SIGNALS) as signals:
        async for number in signals:
            codes.append(128 + number)
            scope.cancel()


async def _pass_keys(player: Player, keyboard: int) -> None:
    async for data in _tty.keys(keyboard):
        # Arrows and the like are sequences, whose letters are no keys of ours.
        if not data.startswith(b"\x1b"):
            player.press(data.decode("utf-8", "ignore"))
    # The window was closed.
    os.kill(os.getpid(), signal.SIGHUP)


def _warn_if_small(header: Header, screen: int) -> None:
    cols, rows = _tty.size(screen)
    if cols < header.cols or rows < header.rows:
        warn(
            f"warning: this terminal is {cols}x{rows}, the recording "
            f"{header.cols}x{header.rows}: what it shows may be torn"
        )
