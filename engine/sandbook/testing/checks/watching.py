# ruff: noqa: S101 - checks are assertions about plain numbers
"""I: watches of files."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio

from sandbook.api import Sandbox, Watch, WatchEvent, WatchKind, WatchRequest
from sandbook.errors import FileMissing, SandboxLost
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails

WITHIN = 20.0
"""Seconds that what happened may take to be told on a slow machine."""

QUIET = 75.0
"""Seconds of silence; some services end a watch after 60."""

MANY = 500

Told = tuple[WatchKind, str]


class Reader:
    """What a watch has told so far."""

    def __init__(self, watch: Watch) -> None:
        self.events: list[WatchEvent] = []
        self.watch = watch
        self.error: Exception | None = None
        self.ended = anyio.Event()

    async def read(self) -> None:
        """Collect until it ends."""
        try:
            async for event in self.watch.events():
                self.events.append(event)
        except (SandboxLost, OSError) as error:
            self.error = error
        self.ended.set()

    def told(self) -> list[Told]:
        """Kind and path of each."""
        return [(event.kind, event.path) for event in self.events]

    async def until(self, enough: Callable[[list[Told]], bool]) -> list[Told]:
        """Wait until there is enough."""
        with anyio.move_on_after(WITHIN):
            while not enough(self.told()):  # noqa: ASYNC110 - a list tells nobody
                await anyio.sleep(0.02)
        return self.told()


@asynccontextmanager
async def reading(
    box: Sandbox, path: str, *, recursive: bool = True, ignore: tuple[str, ...] = ()
) -> AsyncGenerator[Reader]:
    """Watch and read while the block runs."""
    request = WatchRequest(path=path, recursive=recursive, ignore=ignore)
    async with box.watch(request) as watch, anyio.create_task_group() as tasks:
        reader = Reader(watch)
        tasks.start_soon(reader.read)
        yield reader
        tasks.cancel_scope.cancel()


async def _during(
    kit: Kit,
    text: str,
    *,
    before: str = "true",
    recursive: bool = True,
    ignore: tuple[str, ...] = (),
) -> list[WatchEvent]:
    """What is told of `src` while a shell text runs; a file at its end marks that."""
    box = await kit.box()
    await kit.out(box, f"mkdir -p src; {before}")
    async with reading(box, "src", recursive=recursive, ignore=ignore) as reader:
        await kit.out(box, f"{text}\n: >src/end.mark")
        told = await reader.until(lambda told: ("created", "end.mark") in told)
    assert ("created", "end.mark") in told, told
    return [event for event in reader.events if event.path != "end.mark"]


def _words(events: list[WatchEvent]) -> list[Told]:
    return [(event.kind, event.path) for event in events]


@check("I107", needs=["watch", "exec"])
async def what_happens_to_a_file_is_told_by_kind_and_name(kit: Kit) -> None:
    text = "cd src; echo 1 >a; echo 2 >>old; mv a b; rm gone; cd .."
    before = "echo 1 >src/old; : >src/gone"
    events = await _during(kit, text, before=before)
    told = _words(events)
    for wanted in (
        ("created", "a"),
        ("modified", "old"),
        ("renamed", "b"),
        ("deleted", "gone"),
    ):
        assert wanted in told
    assert {event.was for event in events if event.kind == "renamed"} == {"a"}
    assert {event.was for event in events if event.kind != "renamed"} == {None}


@check("I107b", needs=["watch", "exec"])
async def events_come_in_the_order_of_what_happened(kit: Kit) -> None:
    text = "cd src; for i in 0 1 2 3 4 5 6 7 8 9; do : >f$i; rm f$i; done; cd .."
    told = _words(await _during(kit, text))
    assert told == [
        (kind, f"f{i}") for i in range(10) for kind in ("created", "deleted")
    ]


@check("I107c", needs=["watch", "exec"])
async def what_only_reads_or_changes_rights_is_no_event(kit: Kit) -> None:
    text = "cat src/old; ls -l src; chmod 600 src/old; touch src/old"
    assert _words(await _during(kit, text, before="echo 1 >src/old")) == []


@check("I107d", needs=["watch", "exec"])
async def what_was_told_before_a_catch_up_is_all_that_had_happened(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, "mkdir src")
    async with reading(box, "src") as reader:
        for number in range(20):
            await kit.out(box, f": >src/f{number}")
            with anyio.fail_after(WITHIN):
                await reader.watch.catch_up()
            assert ("created", f"f{number}") in reader.told()


@check("I108", needs=["watch.recursive", "exec"])
async def what_happens_below_is_told_with_its_path(kit: Kit) -> None:
    events = await _during(
        kit, "echo 2 >>src/sub/f", before="mkdir src/sub; : >src/sub/f"
    )
    assert {event.path for event in events} == {"sub/f"}


@check("I108b", needs=["watch", "exec"])
async def folders_below_are_silent_where_they_are_not_wanted(kit: Kit) -> None:
    text = "echo 2 >>src/sub/f; : >src/a"
    before = "mkdir src/sub; : >src/sub/f"
    events = await _during(kit, text, before=before, recursive=False)
    assert _words(events) == [("created", "a")]


@check("I108c", needs=["watch.recursive", "exec"])
async def what_is_made_in_a_new_folder_at_once_is_told(kit: Kit) -> None:
    text = (
        "cd src; i=0; while [ $i -lt 10 ]; do mkdir -p n$i/a; : >n$i/a/f; "
        "i=$((i+1)); done; cd .."
    )
    told = _words(await _during(kit, text))
    wanted = [f"n{i}{below}" for i in range(10) for below in ("", "/a", "/a/f")]
    created = [path for kind, path in told if kind == "created"]
    assert sorted(created) == sorted(wanted)


@check("I108d", needs=["watch.recursive", "exec"])
async def what_fits_an_ignored_pattern_is_not_told(kit: Kit) -> None:
    text = "cd src; : >a.tmp; mkdir cache; : >cache/x; : >sub/b.tmp; : >sub/c; cd .."
    events = await _during(
        kit, text, before="mkdir src/sub", ignore=("*.tmp", "cache", "*/d?")
    )
    assert _words(events) == [("created", "sub/c")]


@check("I108e", needs=["watch.recursive", "exec"])
async def no_link_leads_a_watch_out_of_its_folder(kit: Kit) -> None:
    before = "mkdir out; : >out/f; ln -s ../out src/link"
    events = await _during(
        kit, "echo 2 >>out/f; : >src/link/g; : >src/a", before=before
    )
    assert _words(events) == [("created", "a")]


@check("I109", needs=["watch"])
async def what_is_not_there_cannot_be_watched(kit: Kit) -> None:
    box = await kit.box()
    with fails(FileMissing) as caught:
        async with box.watch(WatchRequest(path="nowhere")):
            pass
    assert "nowhere" in str(caught.error)


@check("I109b", needs=["watch", "exec"])
async def a_watched_file_is_told_by_its_own_name(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, "mkdir src; echo 1 >src/one; echo 1 >src/two")
    async with reading(box, "src/one") as reader:
        await kit.out(box, "echo 2 >>src/two; echo 2 >>src/one; rm src/one")
        told = await reader.until(lambda told: ("deleted", "one") in told)
    assert told[-1] == ("deleted", "one")
    assert {path for _, path in told} == {"one"}
    assert ("modified", "one") in told


@check("I110", needs=["watch", "exec"], stress=True, limit=QUIET + 60)
async def a_watch_lives_through_a_long_silence(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, "mkdir src")
    async with reading(box, "src") as reader:
        await anyio.sleep(QUIET)
        await kit.out(box, ": >src/late")
        told = await reader.until(bool)
    assert told[0] == ("created", "late")


@check("I111", needs=["watch", "exec"])
async def the_events_end_when_a_watch_is_left(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, "mkdir src")
    async with anyio.create_task_group() as tasks:
        async with box.watch(WatchRequest(path="src")) as watch:
            reader = Reader(watch)
            tasks.start_soon(reader.read)
            await kit.out(box, ": >src/a")
            assert ("created", "a") in await reader.until(bool)
        with anyio.fail_after(WITHIN):
            await reader.ended.wait()
        assert reader.error is None
        await kit.out(box, ": >src/b")
        assert "b" not in {path for _, path in reader.told()}


@check("I111b", needs=["watch", "exec"])
async def a_watch_whose_sandbox_is_lost_says_so(kit: Kit) -> None:
    box = await kit.box()
    await kit.out(box, "mkdir src")
    async with reading(box, "src") as reader:
        await kit.out(box, ": >src/a")
        assert ("created", "a") in await reader.until(bool)
        await kit.provider.destroy(box.ref)
        with anyio.fail_after(WITHIN):
            await reader.ended.wait()
    assert isinstance(reader.error, SandboxLost), reader.error


@check("I112", needs=["watch", "exec"])
async def many_files_at_once_are_all_told_or_an_overflow_is_said(kit: Kit) -> None:
    text = f"cd src; i=0; while [ $i -lt {MANY} ]; do : >f$i; i=$((i+1)); done; cd .."
    told = _words(await _during(kit, text))
    if all(kind != "overflow" for kind, _ in told):
        created = [path for kind, path in told if kind == "created"]
        assert created == [f"f{i}" for i in range(MANY)]
