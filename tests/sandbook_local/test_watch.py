"""Watches of local sandboxes: what is told, what is not, and when they end."""

from __future__ import annotations

import sys
from collections.abc import Callable

import anyio
import pytest

from sandbook.api import Settings, Watch, WatchEvent, WatchRequest
from sandbook.errors import ConnectionLost, FileMissing, SandboxLost
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import argv, run, text_of, until

pytestmark = pytest.mark.anyio

Told = tuple[str, str]
WATCHER = "pgrep -f '[m]ain.py watch'"
LIMIT = 60.0
"""Seconds that a busy computer may take to tell what it has seen."""


def _watch(path: str, *ignore: str, recursive: bool = True) -> WatchRequest:
    return WatchRequest(path=path, recursive=recursive, ignore=ignore)


def _told(event: WatchEvent) -> Told:
    return event.kind, event.path


async def _until(
    watch: Watch, enough: Callable[[list[WatchEvent]], bool]
) -> list[WatchEvent]:
    """The events until there are enough."""
    found: list[WatchEvent] = []
    with anyio.fail_after(LIMIT):
        async for event in watch.events():
            found.append(event)
            if enough(found):
                break
    return found


async def _during(
    sandbox: LocalSandbox, request: WatchRequest, text: str
) -> list[WatchEvent]:
    """What is told of a shell text."""
    events: list[WatchEvent] = []

    async def read(watch: Watch) -> None:
        async for event in watch.events():
            events.append(event)  # noqa: PERF401 (each as it comes)

    async with (
        sandbox.watch(request) as watch,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(read, watch)
        await text_of(sandbox, text)
        with anyio.fail_after(LIMIT):
            await watch.catch_up()
        tasks.cancel_scope.cancel()
    return events


async def _words(sandbox: LocalSandbox, request: WatchRequest, text: str) -> list[Told]:
    return [_told(event) for event in await _during(sandbox, request, text)]


@pytest.fixture
async def box(sandbox: LocalSandbox) -> LocalSandbox:
    """A sandbox with a folder to watch: `src/old`, and `src/sub` with `f` in it."""
    await text_of(sandbox, "mkdir -p src/sub; echo old >src/old; echo f >src/sub/f")
    return sandbox


async def test_what_happens_to_a_file_is_told_in_order(box: LocalSandbox) -> None:
    text = "cd src; echo 1 >a; mv a b; echo 2 >>b; rm b"
    events = await _during(box, _watch("src"), text)
    assert [(e.kind, e.path, e.was) for e in events] == [
        ("created", "a", None),
        ("modified", "a", None),
        ("renamed", "b", "a"),
        ("modified", "b", None),
        ("deleted", "b", None),
    ]
    assert events == sorted(events, key=lambda e: e.at)


async def test_reading_and_rights_are_no_changes(box: LocalSandbox) -> None:
    text = "cd src; cat old; chmod 600 old; ls -R; touch old; mkdir new; rmdir new"
    assert await _words(box, _watch("src"), text) == [
        ("created", "new"),
        ("deleted", "new"),
    ]


async def test_folders_below_are_told_with_their_paths(box: LocalSandbox) -> None:
    assert await _words(box, _watch("src"), "echo 2 >>src/sub/f") == [
        ("modified", "sub/f")
    ]


async def test_folders_below_are_not_watched_where_that_is_not_wanted(
    box: LocalSandbox,
) -> None:
    text = "echo 2 >>src/sub/f; mkdir src/new; echo >src/new/g; rm src/old"
    assert await _words(box, _watch("src", recursive=False), text) == [
        ("created", "new"),
        ("deleted", "old"),
    ]


async def test_what_is_made_in_a_new_folder_at_once_is_not_lost(
    box: LocalSandbox,
) -> None:
    text = (
        "cd src; for i in $(seq 30); do mkdir -p n$i/a/b; echo >n$i/a/b/f; "
        "echo >n$i/g; done"
    )
    told = await _words(box, _watch("src"), text)
    created = [path for kind, path in told if kind == "created"]
    wanted = [
        f"n{i}{below}"
        for i in range(1, 31)
        for below in ("", "/a", "/a/b", "/a/b/f", "/g")
    ]
    assert sorted(created) == sorted(wanted)


async def test_what_comes_from_elsewhere_is_created_and_what_leaves_is_deleted(
    box: LocalSandbox,
) -> None:
    await text_of(box, "mkdir -p out/deep; echo >out/deep/f; echo >lone")
    text = "mv out src/in; mv lone src/; mv src/sub .; mv src/old ."
    assert await _words(box, _watch("src"), text) == [
        ("created", "in"),
        ("created", "in/deep"),
        ("created", "in/deep/f"),
        ("created", "lone"),
        ("deleted", "sub/f"),
        ("deleted", "sub"),
        ("deleted", "old"),
    ]


async def test_what_left_is_watched_no_more(box: LocalSandbox) -> None:
    text = "mv src/sub away; sleep 0.3; echo >away/g; echo 1 >>away/f"
    told = await _words(box, _watch("src"), text)
    assert told == [("deleted", "sub/f"), ("deleted", "sub")]


async def test_a_renamed_folder_is_told_with_all_that_is_in_it(
    box: LocalSandbox,
) -> None:
    events = await _during(box, _watch("src"), "cd src; mv sub new; echo 2 >>new/f")
    assert [(e.kind, e.path, e.was) for e in events] == [
        ("renamed", "new", "sub"),
        ("renamed", "new/f", "sub/f"),
        ("modified", "new/f", None),
    ]


async def test_a_file_that_is_replaced_at_once_is_modified(box: LocalSandbox) -> None:
    text = "cd src; echo 2 >t; mv t old; echo 3 >../u; mv ../u old"
    events = await _during(box, _watch("src"), text)
    assert [(e.kind, e.path, e.was) for e in events] == [
        ("created", "t", None),
        ("modified", "t", None),
        ("renamed", "old", "t"),
        ("modified", "old", None),
        ("modified", "old", None),
    ]


async def test_files_we_write_have_no_other_name_before(box: LocalSandbox) -> None:
    async with box.watch(_watch("src")) as watch:
        await box.files.write("src/new", b"1")
        await box.files.write("src/old", b"2")
        events = await _until(watch, lambda found: len(found) == 2)
    await box.aclose()
    assert [_told(e) for e in events] == [("created", "new"), ("modified", "old")]


async def test_a_watched_file_is_told_by_its_name(box: LocalSandbox) -> None:
    text = "cd src; echo 2 >>old; echo >other; rm old; echo 3 >old; echo 4 >t; mv t old"
    async with box.watch(_watch("src/old")) as watch:
        await text_of(box, text)
        events = await _until(watch, lambda found: len(found) == 5)
    assert [_told(e) for e in events] == [
        ("modified", "old"),
        ("deleted", "old"),
        ("created", "old"),
        ("modified", "old"),
        ("modified", "old"),
    ]


async def test_a_folder_that_is_made_anew_is_watched_on(box: LocalSandbox) -> None:
    text = "rm -r src; mkdir src; echo >src/g; mkdir src/sub; echo >src/sub/h"
    told = await _words(box, _watch("src"), text)
    deleted = {path for kind, path in told if kind == "deleted"}
    assert deleted == {"sub/f", "sub", "old", "."}
    assert [t for t in told if t[0] == "created"] == [
        ("created", each) for each in (".", "g", "sub", "sub/h")
    ]


@pytest.mark.parametrize(
    ("pattern", "silent"),
    [
        ("*.log", ["a.log", "sub/b.log"]),
        ("sub", ["sub/b.log", "sub/c", "sub/deep/d"]),
        ("sub/*", ["sub/b.log", "sub/c", "sub/deep/d"]),
        ("**/d", ["sub/deep/d"]),
        ("?.log", ["a.log", "sub/b.log"]),
        ("b.*", ["sub/b.log"]),
    ],
)
async def test_what_fits_a_pattern_is_ignored(
    box: LocalSandbox, pattern: str, silent: list[str]
) -> None:
    await text_of(box, "mkdir src/sub/deep")
    files = ["a.log", "sub/b.log", "sub/c", "sub/deep/d", "e"]
    text = f"cd src; for f in {' '.join(files)}; do : >$f; done"
    told = await _words(box, _watch("src", pattern), text)
    assert told == [("created", file) for file in files if file not in silent]


async def test_a_rename_out_of_what_is_ignored_is_told_as_what_it_looks_like(
    box: LocalSandbox,
) -> None:
    text = "cd src; echo >a.tmp; mv a.tmp a; echo >b.tmp; mv b.tmp old; mv a a.tmp"
    assert await _words(box, _watch("src", "*.tmp"), text) == [
        ("created", "a"),
        ("modified", "old"),
        ("deleted", "a"),
    ]


async def test_names_may_hold_any_byte(box: LocalSandbox) -> None:
    text = "cd src; : >$'a\\nb'; : >$'\\xff\\xfe'; : >' \"ö'"
    told = await _words(box, _watch("src"), text)
    assert [path for _, path in told] == ["a\nb", "\udcff\udcfe", ' "ö']


@pytest.mark.parametrize("path", ["none", "src/none", "src/old/none"])
async def test_what_is_not_there_cannot_be_watched(
    box: LocalSandbox, path: str
) -> None:
    with pytest.raises((FileMissing, NotADirectoryError), match="none"):
        async with box.watch(_watch(path)):
            pass
    assert (await run(box, WATCHER)).code == 1


async def test_links_are_not_followed_out_of_the_folder(box: LocalSandbox) -> None:
    await text_of(box, "mkdir out; echo >out/f; ln -s ../out src/planted")
    text = "echo 2 >>out/f; echo >src/planted/g; ln -s ../out src/second; echo >out/h"
    assert await _words(box, _watch("src"), text) == [("created", "second")]


async def test_a_folder_swapped_for_a_link_is_not_entered(box: LocalSandbox) -> None:
    await text_of(box, "mkdir out")
    text = "cd src; rm -r sub; ln -s ../out sub; echo >../out/g; echo >sub/h"
    told = await _words(box, _watch("src"), text)
    assert told == [("deleted", "sub/f"), ("deleted", "sub"), ("created", "sub")]


async def test_a_link_that_is_named_is_followed(box: LocalSandbox) -> None:
    await text_of(box, "ln -s src current")
    assert await _words(box, _watch("current"), "echo >src/new") == [
        ("created", "new"),
        ("modified", "new"),
    ]


async def test_five_hundred_files_at_once_are_all_told(box: LocalSandbox) -> None:
    text = "cd src; for i in $(seq 500); do : >f$i; done"
    told = await _words(box, _watch("src"), text)
    assert told == [("created", f"f{i}") for i in range(1, 501)]


async def test_ten_thousand_files_are_told_or_it_is_said_that_some_are_not(
    box: LocalSandbox,
) -> None:
    text = (
        "import os; os.chdir('src')\n"
        "for i in range(10_000): open(f'f{i}', 'w').write('x')"
    )
    async with box.watch(_watch("src")) as watch:
        process = await box.start(argv("python3", "-c", text))
        events = await _until(watch, lambda found: found[-1].path == "f9999")
        await process.wait()
    created = {e.path for e in events if e.kind == "created"}
    if all(e.kind != "overflow" for e in events):
        assert created == {f"f{i}" for i in range(10_000)}


async def test_an_overflow_is_said_and_what_was_missed_is_looked_for(
    box: LocalSandbox,
) -> None:
    limit = int(await text_of(box, "cat /proc/sys/fs/inotify/max_queued_events"))
    text = (
        "import os; os.chdir('src'); os.mkdir('new')\n"
        f"for i in range({limit}): open(f'f{{i}}', 'w').close()\n"
        "open('new/late', 'w').close(); open('old', 'a').write('x'); os.remove('sub/f')"
    )
    async with box.watch(_watch("src")) as watch:
        # It cannot read while it is stopped, so the kernel's queue fills.
        await text_of(box, f"kill -STOP $({WATCHER})")
        await text_of(box, argv("python3", "-c", text))
        await text_of(box, f"kill -CONT $({WATCHER})")
        wanted = {
            ("overflow", "."),
            ("created", "new/late"),
            ("modified", "old"),
            ("deleted", "sub/f"),
        }
        events = await _until(
            watch, lambda found: len(found) > limit and _has(found, wanted)
        )
        await text_of(box, "echo >src/new/afterwards")
        await _until(watch, lambda found: _told(found[-1]) == _AFTERWARDS)
    created = [e.path for e in events if e.kind == "created"]
    assert sorted(created) == sorted(
        ["new", "new/late", *(f"f{i}" for i in range(limit))]
    )


_AFTERWARDS = ("created", "new/afterwards")


def _has(events: list[WatchEvent], wanted: set[Told]) -> bool:
    return wanted <= set(map(_told, events))


async def test_a_reader_that_was_given_up_misses_nothing(box: LocalSandbox) -> None:
    async with box.watch(_watch("src")) as watch:
        with anyio.move_on_after(0.2):
            await _until(watch, lambda _: False)
        await text_of(box, "echo >src/a; echo >src/b")
        events = await _until(watch, lambda found: len(found) == 1)
        events += await _until(watch, lambda found: found[-1].path == "b")
    assert [_told(e) for e in events][:2] == [("created", "a"), ("modified", "a")]


async def test_who_leaves_leaves_no_program_behind(box: LocalSandbox) -> None:
    async with box.watch(_watch("src")):
        assert (await run(box, WATCHER)).code == 0
    assert (await run(box, WATCHER)).code == 1


_CLIENT = """
import sys
from pathlib import Path

import anyio

from sandbook.api import SandboxRef, Settings, WatchRequest
from sandbook_local.provider import LocalProvider


async def watch(state, ref):
    provider = LocalProvider(Settings(state=Path(state), cache=Path(state)))
    box = await provider.attach(SandboxRef.from_json(eval(ref)))
    async with box.watch(WatchRequest(path="src")):
        print("watching", flush=True)
        await anyio.sleep_forever()


anyio.run(watch, *sys.argv[1:])
"""


async def test_a_watch_whose_client_died_ends(
    box: LocalSandbox, settings: Settings
) -> None:
    ref = repr(box.ref.to_json())
    client = [sys.executable, "-c", _CLIENT, str(settings.state), ref]
    async with await anyio.open_process(client) as process:
        assert process.stdout is not None
        assert (await process.stdout.receive()).startswith(b"watching")
        assert (await run(box, WATCHER)).code == 0
        process.kill()
    await until(lambda: _is_gone(box))


async def test_a_watch_ends_with_its_sandbox_and_says_so(
    box: LocalSandbox, provider: LocalProvider
) -> None:
    async with box.watch(_watch("src")) as watch:
        await provider.destroy(box.ref)
        with pytest.raises(SandboxLost):
            await _until(watch, lambda _: False)


async def test_a_watch_that_something_inside_ended_says_so(box: LocalSandbox) -> None:
    async with box.watch(_watch("src")) as watch:
        await text_of(box, f"kill -9 $({WATCHER})")
        with pytest.raises(ConnectionLost, match="'src' was ended from inside"):
            await _until(watch, lambda _: False)


async def test_nobody_waits_for_a_watch_that_has_ended(box: LocalSandbox) -> None:
    async with box.watch(_watch("src")) as watch:
        await run(box, "kill -9 -1")
        with pytest.raises(ConnectionLost):
            await _until(watch, lambda _: False)
        with anyio.fail_after(LIMIT):
            await watch.catch_up()


async def test_a_command_that_speaks_for_the_watch_ends_it(box: LocalSandbox) -> None:
    async with box.watch(_watch("src")) as watch:
        await text_of(box, f"echo '[]' >/proc/$({WATCHER})/fd/1")
        with pytest.raises(ConnectionLost, match="'src' tells what is no event"):
            await _until(watch, lambda _: False)


async def test_two_watches_do_not_disturb_each_other(box: LocalSandbox) -> None:
    async with (
        box.watch(_watch("src")) as one,
        box.watch(_watch("src/sub")) as other,
    ):
        await text_of(box, "echo 2 >>src/sub/f")
        assert _told((await _until(one, bool))[0]) == ("modified", "sub/f")
        assert _told((await _until(other, bool))[0]) == ("modified", "f")


async def test_a_watch_comes_to_an_end_while_nobody_reads(box: LocalSandbox) -> None:
    text = "import os; os.chdir('src')\nfor i in range(30_000): open(f'f{i}', 'w')"
    async with box.watch(_watch("src")):
        await text_of(box, argv("python3", "-c", text))
    await until(lambda: _is_gone(box))


async def _is_gone(box: LocalSandbox) -> bool:
    return (await run(box, WATCHER)).code == 1
