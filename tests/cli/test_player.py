"""The player of recordings: what a key does to its time."""

from __future__ import annotations

import anyio
import pytest

from sandbook.cli._player import LeftError, Pace, Player
from sandbook.recording import Event, Start

pytestmark = pytest.mark.anyio
SOON = (Event(0.1, "o", "a"), Event(0.2, "o", "b"))
LATE = (Event(500.0, "o", "a"), Event(1000.0, "m", "here"), Event(1000.0, "o", "b"))


@pytest.fixture
def anyio_backend() -> str:
    """The only one that is promised."""
    return "asyncio"


class Shown:
    """What a player has shown."""

    def __init__(self) -> None:
        self.text = ""
        self._more = anyio.Event()

    async def show(self, text: str) -> None:
        """Show it."""
        self.text += text
        self._more.set()
        self._more = anyio.Event()

    async def until(self, text: str) -> None:
        """Wait until exactly this was shown."""
        with anyio.fail_after(30):
            while self.text != text:
                await self._more.wait()


def test_an_interval_is_cut_to_the_idle_time_and_then_sped_up() -> None:
    assert Pace().of(7.0) == 7.0
    assert Pace(speed=2.0).of(7.0) == 3.5
    assert Pace(speed=2.0, idle=3.0).of(7.0) == 1.5
    assert Pace(speed=0.5, idle=3.0).of(1.0) == 2.0


async def test_while_paused_no_time_goes_by() -> None:
    shown = Shown()
    player = Player(SOON, show=shown.show, pace=Pace())
    player.press(" ")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(player.play)
        await anyio.sleep(0.5)
        assert shown.text == ""
        player.press(" ")
        await shown.until("ab")


async def test_a_step_shows_one_event_and_stays_paused() -> None:
    shown = Shown()
    player = Player(LATE, show=shown.show, pace=Pace())
    player.press(" .")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(player.play)
        await shown.until("a")
        await anyio.sleep(0.2)
        assert shown.text == "a"
        player.press("..")
        await shown.until("ab")


async def test_a_jump_while_paused_stays_paused() -> None:
    shown = Shown()
    events = (*LATE, Event(1000.0, "m", "there"), Event(1000.1, "o", "c"))
    player = Player(events, show=shown.show, pace=Pace())
    player.press(" ]")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(player.play)
        await shown.until("a")
        # The marker is passed at once, and then it waits.
        await anyio.wait_all_tasks_blocked()
        player.press(".")
        await shown.until("ab")
        player.press("]")
        await anyio.sleep(0.4)
        assert shown.text == "ab"
        player.press(" ")
        await shown.until("abc")


async def test_time_begins_at_the_start_that_was_named() -> None:
    shown = Shown()
    player = Player(LATE, show=shown.show, pace=Pace(), start=Start(1, 999.9))
    with anyio.fail_after(30):
        await player.play()
    assert shown.text == "ab"


async def test_a_key_ends_even_what_is_passed_over() -> None:
    shown = Shown()
    events = [Event(0.0, "o", ".") for _ in range(1000)]
    player = Player(events, show=shown.show, pace=Pace(), start=Start(1000, 0.0))
    player.press("q")
    with pytest.raises(LeftError) as left:
        await player.play()
    assert left.value.code == 0
    assert len(shown.text) < 1000


async def test_very_many_keys_at_once_are_no_error() -> None:
    player = Player(LATE, show=Shown().show, pace=Pace())
    player.press("x" * 10_000)
    player.press("q")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(player.play)
        await anyio.sleep(0.1)
        tasks.cancel_scope.cancel()
