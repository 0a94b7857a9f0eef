# ruff: noqa: S101 - checks are assertions about plain numbers
"""I: sandboxes that are paused and go on."""

from __future__ import annotations

from itertools import pairwise

import anyio

from sandbook.api import Sandbox, SandboxState
from sandbook.errors import ProviderError
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails, until

AWAY = 5.0
"""Seconds that a sandbox is paused for; a clock of whole seconds shows them."""

TICKS = "while :; do date +%s >>ticks; sleep 0.1; done"


async def _state(kit: Kit, box: Sandbox) -> SandboxState | None:
    found = [info for info in await kit.listed({}) if info.ref.id == box.ref.id]
    return found[0].state if found else None


@check("I114", needs=["pause", "attach", "exec", "files"])
async def files_and_programs_are_there_after_a_pause(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, f"echo $$ >pid; {TICKS}", background=True)
    pid = await kit.pid(box, "pid")
    await box.files.write("kept", b"as it was")
    await box.pause()
    again = kit.keep(await kit.provider.attach(box.ref, resume_paused=True))
    assert await again.files.read("kept") == b"as it was"
    await kit.must_live(again, pid)
    before = len(await again.files.read("ticks"))

    async def ticks() -> bool:
        return len(await again.files.read("ticks")) > before

    await until(ticks, within=20, what="the program going on")
    found = await again.find(process.key)
    assert found is None or found.pid == process.pid


@check("I114b", needs=["pause", "attach", "exec"])
async def nothing_runs_while_it_is_paused(kit: Kit) -> None:
    box = await kit.box()
    await kit.start(box, TICKS, background=True)
    await until(lambda: _has_ticks(kit, box), within=20, what="the first tick")
    await box.pause()
    await anyio.sleep(AWAY)
    again = kit.keep(await kit.provider.attach(box.ref, resume_paused=True))
    seconds = [int(word) for word in (await kit.out(again, "cat ticks")).split()]
    # The last tick may be from before it went on.
    seconds.append(int(await kit.out(again, "date +%s")))
    assert max(b - a for a, b in pairwise(seconds)) >= AWAY - 2


async def _has_ticks(kit: Kit, box: Sandbox) -> bool:
    return (await kit.run(box, "test -s ticks")).code == 0


@check("I114c", needs=["pause", "attach", "labels"])
async def a_paused_sandbox_is_listed_as_that(kit: Kit) -> None:
    box = await kit.box()
    assert await _state(kit, box) == "running"
    await box.pause()
    assert await _state(kit, box) == "paused"
    again = kit.keep(await kit.provider.attach(box.ref, resume_paused=True))
    assert await _state(kit, again) == "running"


@check("I114d", needs=["pause", "attach", "labels"])
async def who_attaches_without_a_word_does_not_wake_it(kit: Kit) -> None:
    box = await kit.box()
    await box.pause()
    with fails(ProviderError) as caught:
        await kit.provider.attach(box.ref)
    assert caught.error.remedy
    assert await _state(kit, box) == "paused"


@check("I114e", needs=["pause", "labels"])
async def a_paused_sandbox_can_be_destroyed(kit: Kit) -> None:
    box = await kit.box()
    await box.pause()
    assert await _state(kit, box) == "paused"
    assert await kit.provider.destroy(box.ref) == "destroyed"

    async def is_gone() -> bool:
        return await _state(kit, box) is None

    await until(is_gone, within=kit.options.patience, what="its end")
