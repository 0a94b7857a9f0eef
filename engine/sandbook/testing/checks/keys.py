# ruff: noqa: S101 - checks are assertions
"""K: a key names an execution for good; commands are found again by it."""

from __future__ import annotations

import base64

import anyio

from sandbook.api import Process
from sandbook.errors import ConnectionLost
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, collect, joined


@check("K01", needs=["exec"])
async def a_known_key_never_starts_twice(kit: Kit) -> None:
    box = await kit.box()
    key = kit.name("step")
    text = "echo once >>count; cat count"
    first = await kit.run(box, text, key=key)
    second = await kit.run(box, text, key=key)
    assert await kit.out(box, "cat count") == b"once\n"
    assert (first.stdout, first.code) == (second.stdout, second.code)


@check("K02", needs=["exec"])
async def a_key_asked_for_twice_at_once_starts_once(kit: Kit) -> None:
    box = await kit.box()
    key = kit.name("step")

    async def run() -> None:
        await kit.run(box, "echo once >>count; sleep 0.2", key=key)

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(run)
    assert await kit.out(box, "cat count") == b"once\n"


@check("K03", needs=["exec.attach"], probe=True)
async def an_ended_command_is_found_with_its_whole_output_and_code(kit: Kit) -> None:
    box = await kit.box()
    key = kit.name("step")
    first = await kit.run(box, "echo out; echo err >&2; exit 7", key=key)
    found = await box.find(key)
    assert found is not None
    assert found.key == key
    again = await found.wait()
    assert (again.end, again.code) == ("exited", 7)
    assert (again.stdout, again.stderr) == (first.stdout, first.stderr)
    chunks = await collect(found)
    assert joined(chunks) == b"out\n"
    assert joined(chunks, "stderr") == b"err\n"


@check("K04", needs=["exec.attach"])
async def an_unknown_key_finds_nothing(kit: Kit) -> None:
    box = await kit.box()
    known = await kit.start(box, ("true",))
    assert await box.find(known.key) is not None
    assert await box.find(kit.name("step")) is None


@check("K05", needs=["exec.attach", "attach"])
async def another_process_finds_an_ended_command(kit: Kit) -> None:
    box = await kit.box()
    key = kit.name("step")
    text = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 9"
    first = await kit.run(box, text, key=key)
    told = await kit.elsewhere("find", ref=box.ref.to_json(), key=key)
    assert told["found"]
    assert (told["end"], told["code"]) == ("exited", 9)
    assert base64.b64decode(str(told["head"])) == first.stdout.data()
    assert base64.b64decode(str(told["chunks"])) == first.stdout.data()


@check("K06", needs=["exec.attach", "attach"])
async def another_process_takes_over_a_running_command(kit: Kit) -> None:
    box = await kit.box()
    key = kit.name("step")
    text = "echo early; until [ -e go ]; do sleep 0.05; done; echo late; exit 4"
    process = await kit.start(box, text, key=key)
    await process.detach()
    told: list[object] = []

    async def take_over() -> None:
        found = await kit.elsewhere("find", ref=box.ref.to_json(), key=key)
        assert found["found"], "it is not found from another process"
        told.extend([base64.b64decode(str(found["chunks"])), found["code"]])

    async with anyio.create_task_group() as group:
        group.start_soon(take_over)
        await anyio.sleep(0.5)
        await kit.out(box, ("touch", "go"))
    assert told == [b"early\nlate\n", 4]


@check("K07", needs=["exec.attach", "attach"])
async def a_command_lives_on_when_its_process_leaves(kit: Kit) -> None:
    box = await kit.box()
    key = kit.name("step")
    text = "echo $$ >left; echo begun; until [ -e go ]; do sleep 0.05; done; echo done"
    await kit.elsewhere("start_and_leave", ref=box.ref.to_json(), key=key, program=text)
    await kit.must_live(box, await kit.pid(box, "left"))
    found = await box.find(key)
    assert found is not None
    await kit.out(box, ("touch", "go"))
    result = await found.wait()
    assert (result.code, result.stdout.data()) == (0, b"begun\ndone\n")


@check("K08", needs=["exec.attach"])
async def the_newest_reader_wins_and_the_older_is_told(kit: Kit) -> None:
    box = await kit.box()
    text = "echo first; until [ -e go ]; do sleep 0.05; done; echo last"
    process = await kit.start(box, text)
    older = _Reader(process)
    newer = _Reader(process)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(older.read)
            await older.begun.wait()
            group.start_soon(newer.read)
            await newer.begun.wait()
            await older.done.wait()
            await kit.out(box, ("touch", "go"))
    assert (older.heard, older.was_told) == (b"first\n", True)
    assert (newer.heard, newer.was_told) == (b"first\nlast\n", False)


class _Reader:
    """Somebody who reads the output of a command."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.heard = b""
        self.was_told = False
        self.begun = anyio.Event()
        self.done = anyio.Event()

    async def read(self) -> None:
        try:
            async for chunk in self._process.output():
                self.heard += chunk.data
                self.begun.set()
        except ConnectionLost:
            self.was_told = True
        self.done.set()


@check("K09", needs=["exec"])
async def waiting_again_tells_the_same(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, "echo out; exit 3")
    first = await process.wait()
    assert first.stdout.data() == b"out\n"
    assert await process.wait() == first


@check("K10", needs=["exec"])
async def a_background_command_outlives_the_handle(kit: Kit) -> None:
    box = await kit.box()
    key = kit.name("step")
    text = "echo $$ >left; exec sleep 600"
    process = await kit.start(box, text, key=key, background=True)
    pid = await kit.pid(box, "left")
    await kit.must_live(box, pid)
    await process.detach()
    again = await kit.start(box, text, key=key, background=True)
    assert await kit.pid(box, "left") == pid
    assert await again.signal("KILL")
    await kit.must_end(box, pid)
