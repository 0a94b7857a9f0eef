# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""H: how terminals are found, left, joined again and ended."""

from __future__ import annotations

import base64

import anyio

from sandbook.api import Pty, Sandbox
from sandbook.errors import ConnectionLost, SandboxGone, SandboxLost
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, fails, skip
from sandbook.testing._same import must_be_same
from sandbook.testing._screen import open_pty, sitting_at, watch

MIB = 1 << 20
STAYS = "echo $$ >left; exec sleep 600"


@check("H102", needs=["pty"])
async def kill_ends_the_tree_of_a_terminal(kit: Kit) -> None:
    box = await kit.box()
    child = "setsid sh -c 'echo $$ >child; exec sleep 600' &"
    pty = await open_pty(kit, box, "sh", "-c", f"{child} {STAYS}")
    pids = [await kit.pid(box, name) for name in ("left", "child")]
    for pid in pids:
        await kit.must_live(box, pid)
    assert await pty.signal("KILL") is True
    result = await pty.wait()
    assert (result.end, result.code) == ("signalled", 137)
    for pid in pids:
        await kit.must_end(box, pid)


@check("H102b", needs=["pty"])
async def signalling_a_terminal_that_has_ended_says_so(kit: Kit) -> None:
    box = await kit.box()
    pty = await open_pty(kit, box, "true")
    assert (await pty.wait()).code == 0
    assert await pty.signal("KILL") is False


@check("H103", needs=["pty.attach", "attach"])
async def another_process_joins_a_terminal(kit: Kit) -> None:
    box = await kit.box()
    text = 'echo $$ >left; read x; echo "after $x"; exit 4'
    pty = await open_pty(kit, box, "sh", "-c", text)
    pid = await kit.pid(box, "left")
    await pty.detach()
    await kit.must_live(box, pid)
    told = await kit.elsewhere(
        "join_pty", ref=box.ref.to_json(), id=pty.id, types="all\n"
    )
    assert b"after all" in base64.b64decode(str(told["shown"]))
    assert (told["end"], told["code"]) == ("exited", 4)


@check("H103b", needs=["pty.attach", "attach"])
async def a_terminal_lives_on_when_its_process_leaves(kit: Kit) -> None:
    box = await kit.box()
    text = 'echo $$ >left; read x; echo "after $x"; exit 6'
    told = await kit.elsewhere(
        "leave_pty", ref=box.ref.to_json(), key=kit.name("tty"), program=text
    )
    await kit.must_live(box, await kit.pid(box, "left"))
    async with watch(kit, await box.attach_pty(str(told["id"]))) as screen:
        await screen.types(b"us\n")
        await screen.until(b"after us")
        assert (await screen.end()).code == 6


@check("H103c", needs=["pty.attach", "pty.replay", "attach"])
async def what_was_shown_while_nobody_looked_is_kept(kit: Kit) -> None:
    box = await kit.box()
    wait = "until [ -e go ]; do sleep 0.05; done"
    text = f"stty raw -echo; {wait}; seq 1 250000; echo $$ >left; read x"
    pty = await open_pty(kit, box, "sh", "-c", text)
    await pty.detach()
    await kit.out(box, ("touch", "go"))
    await kit.pid(box, "left")
    told = await kit.elsewhere("join_pty", ref=box.ref.to_json(), id=pty.id, types="\n")
    shown = base64.b64decode(str(told["shown"]))
    wanted = "".join(f"{number}\n" for number in range(1, 250_001)).encode()
    assert len(wanted) > MIB
    must_be_same(shown[-MIB:], wanted[-MIB:])


@check("H103d", needs=["pty", "pty.replay"])
async def the_output_of_a_terminal_goes_on_after_the_chunk_named(kit: Kit) -> None:
    box = await kit.box()
    text = "stty -echo; echo one; read x; echo two; read x; echo three"
    async with sitting_at(kit, box, text) as screen:
        await screen.until(b"one\r\n")
        last = screen.chunks[-1].seq
        await screen.pty.detach()
        again = screen.pty
    async with watch(kit, again, after=last) as screen:
        await screen.types(b"\n")
        await screen.until(b"two\r\n")
        await screen.types(b"\n")
        await screen.end()
        assert screen.shown == b"two\r\nthree\r\n"


@check("H103e", needs=["pty.attach"])
async def a_terminal_that_nobody_knows_is_gone(kit: Kit) -> None:
    box = await kit.box()
    known = await open_pty(kit, box, "sh", "-c", STAYS)
    assert (await box.attach_pty(known.id)).id == known.id
    with fails(SandboxGone):
        await box.attach_pty(kit.name("nobody"))


@check("H107", needs=["pty"])
async def the_same_key_is_the_same_terminal(kit: Kit) -> None:
    box = await kit.box()
    key = kit.name("tty")
    text = f"echo once >>count; {STAYS}"
    found: list[Pty] = []

    async def ask() -> None:
        found.append(await open_pty(kit, box, "sh", "-c", text, key=key))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        tasks.start_soon(ask)
    await kit.pid(box, "left")
    await ask()
    assert len({(pty.id, pty.pid) for pty in found}) == 1
    assert await kit.out(box, ("cat", "count")) == b"once\n"


@check("H108", needs=["pty"])
async def a_terminal_whose_sandbox_is_destroyed_is_lost(kit: Kit) -> None:
    box = await kit.box()
    pty = await open_pty(kit, box, "sh", "-c", STAYS)
    await kit.must_live(box, await kit.pid(box, "left"))
    ends: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_wait_for_loss, pty, ends)
        await anyio.sleep(0.2)
        await kit.provider.destroy(box.ref)
    assert ends == ["lost"]


async def _wait_for_loss(pty: Pty, ends: list[str]) -> None:
    with anyio.fail_after(20):
        try:
            ends.append((await pty.wait()).end)
        except (SandboxLost, ConnectionLost):
            ends.append("lost")


@check("H109", needs=["pty"])
async def cancelling_the_wait_ends_a_terminal(kit: Kit) -> None:
    box = await kit.box()
    pid = await _give_up(kit, box, detached=False)
    await kit.must_end(box, pid)


@check("H109b", needs=["pty"])
async def cancelling_a_detached_wait_leaves_the_terminal(kit: Kit) -> None:
    box = await kit.box()
    pid = await _give_up(kit, box, detached=True)
    await anyio.sleep(0.3)
    await kit.must_live(box, pid)


async def _give_up(kit: Kit, box: Sandbox, *, detached: bool) -> int:
    """Wait for a terminal, and stop waiting; the program in it."""
    pty = await open_pty(kit, box, "sh", "-c", STAYS)
    pid = await kit.pid(box, "left")
    await kit.must_live(box, pid)
    if detached:
        await pty.detach()
    with anyio.move_on_after(0.3) as scope:
        await pty.wait()
    assert scope.cancelled_caught, "cancellation was swallowed"
    return pid


@check("H110", needs=["pty"])
async def its_process_number_is_that_inside(kit: Kit) -> None:
    box = await kit.box()
    pty = await open_pty(kit, box, "sh", "-c", STAYS)
    inside = await kit.pid(box, "left")
    if pty.pid is None:
        skip("it tells no process numbers")
    assert pty.pid == inside
    text = f"tr '\\0' ' ' </proc/{inside}/cmdline"
    assert await kit.out(box, text) == b"sleep 600 "


@check("H113", needs=["pty"])
async def a_terminal_hangs_up(kit: Kit) -> None:
    box = await kit.box()
    loop = "while :; do sleep 0.05; done"
    text = f"trap 'echo bye >said; exit 3' HUP; echo $$ >left; {loop}"
    pty = await open_pty(kit, box, "sh", "-c", text)
    pid = await kit.pid(box, "left")
    await kit.must_live(box, pid)
    await pty.hang_up()
    result = await pty.wait()
    assert (result.end, result.code) == ("exited", 3)
    assert await box.files.read("said") == b"bye\n"
    await pty.hang_up()


@check("H113b", needs=["pty"])
async def what_does_not_hang_up_is_killed(kit: Kit) -> None:
    box = await kit.box()
    pty = await open_pty(kit, box, "sh", "-c", f"trap '' HUP TERM; {STAYS}")
    pid = await kit.pid(box, "left")
    await kit.must_live(box, pid)
    await pty.hang_up()
    assert (await pty.wait()).end == "signalled"
    await kit.must_end(box, pid)


@check("H114", needs=["pty", "pty.attach", "attach"])
async def a_terminal_is_found_by_its_process_number(kit: Kit) -> None:
    box = await kit.box()
    pty = await open_pty(kit, box, "sh", "-c", STAYS)
    inside = await kit.pid(box, "left")
    if pty.pid is None:
        skip("it tells no process numbers")
    await pty.detach()
    other = await kit.provider.attach(box.ref)
    found = await other.find_pty(inside)
    assert found is not None
    assert (found.id, found.pid) == (pty.id, inside)
    await other.aclose()


@check("H114b", needs=["pty"])
async def a_command_without_a_terminal_is_not_found_as_one(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, STAYS, background=True)
    pid = await kit.pid(box, "left")
    await kit.must_live(box, pid)
    assert await box.find_pty(pid) is None
    await process.signal("KILL")
