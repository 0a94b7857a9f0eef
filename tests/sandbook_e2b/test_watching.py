"""Watches of E2B: cut off they go on, and where the kernel tells nothing they look."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from sandbook.api import Sandbox, WatchEvent, WatchRequest
from sandbook.drivers import DriverWatch, watching
from sandbook_e2b.sandbox import E2BSandbox
from tests.sandbook_e2b.conftest import Away
from tests.sandbook_e2b.test_lives import out
from tests.servers.core.faults import Fault

WITHIN = 30.0
SRC = WatchRequest(path="src")


@asynccontextmanager
async def read(watch: DriverWatch) -> AsyncGenerator[list[WatchEvent]]:
    """What a watch tells while the block runs."""
    found: list[WatchEvent] = []

    async def collect() -> None:
        async for event in watch.events():
            found.append(event)  # noqa: PERF401 - read meanwhile

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(collect)
        yield found
        tasks.cancel_scope.cancel()


async def looking(box: Sandbox, text: str, *, before: str) -> list[tuple[str, ...]]:
    """What is told of `src` where the kernel tells nothing."""
    assert isinstance(box, E2BSandbox)
    await out(box, f"mkdir -p src; {before}", key="before")
    async with watching(box.link, SRC, by="looking") as watch, read(watch) as found:
        await out(box, text, key="during")
        with anyio.fail_after(WITHIN):
            await watch.catch_up()
        return [(e.kind, e.path, e.was or "") for e in found]


def test_a_watch_without_the_kernels_help_tells_the_same_changes(away: Away) -> None:
    async def told() -> None:
        async with away.box() as box:
            text = (
                "cd src; echo 1 >new; echo longer >>old; rm gone; mv a b; "
                "mkdir -p n/m; echo 1 >n/m/f; cat old >/dev/null; chmod 600 still"
            )
            before = "cd src; for f in old gone a still; do echo $f >$f; done"
            found = await looking(box, text, before=before)
            assert sorted(found) == [
                ("created", "n", ""),
                ("created", "n/m", ""),
                ("created", "n/m/f", ""),
                ("created", "new", ""),
                ("deleted", "gone", ""),
                ("modified", "old", ""),
                ("renamed", "b", "a"),
            ]

    away.run(told)


def test_a_watch_that_is_cut_off_goes_on_and_nothing_is_missed(away: Away) -> None:
    """The stream of the driver is cut behind some bytes, in the middle of changes."""

    async def cut() -> None:
        fault = Fault(kind="cut", path="/process.Process/Start", after=12_000)
        away.server.arm(fault)
        async with away.box() as box:
            await out(box, "mkdir -p src; touch src/early", key="before")
            async with box.watch(SRC) as watch:
                assert isinstance(watch, DriverWatch)
                async with read(watch) as found:
                    count = 0
                    with anyio.fail_after(WITHIN * 4):
                        while "overflow" not in [e.kind for e in found]:
                            await out(
                                box,
                                f"for i in 0 1 2 3 4 5 6 7; do : >src/f{count}$i; done",
                                key=f"made-{count}",
                            )
                            count += 1
                        await out(box, "rm src/early; : >src/late", key="late")
                        await watch.catch_up()
                    told = [(e.kind, e.path) for e in found]
        created = [path for kind, path in told if kind == "created"]
        wanted = [f"f{n}{i}" for n in range(count) for i in range(8)]
        assert sorted(created) == sorted([*wanted, "late"])
        assert told.count(("overflow", ".")) == 1
        assert ("deleted", "early") in told

    away.run(cut)


@pytest.mark.parametrize("by", ["inotify", "looking"])
def test_whoever_leaves_a_watch_leaves_nothing_behind(away: Away, by: str) -> None:
    async def leaves() -> None:
        async with away.box() as box:
            assert isinstance(box, E2BSandbox)
            await out(box, "mkdir -p src", key="before")
            there = "ls /tmp/.sandbook-*/ | grep -c watch-"
            async with watching(box.link, SRC, by=by) as watch, read(watch):
                assert await out(box, there, key="during") == "1\n"
            with anyio.fail_after(WITHIN):
                for count in range(1000):
                    text = f"{there} || true"
                    if await out(box, text, key=f"after-{count}") == "0\n":
                        return

    away.run(leaves)
