# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""E: time-outs, signals, cancellation and loss."""

from __future__ import annotations

import anyio

from sandbook.api import ExecResult, Process, Sandbox
from sandbook.errors import SandboxGone, SandboxLost
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, collect, joined, until

CHILD = "sh -c 'echo $$ >child; exec sleep 600' &"
IN_SESSION = "setsid sh -c 'echo $$ >child; exec sleep 600' &"
DAEMON = "(setsid sh -c 'echo $$ >child; exec sleep 600' &);"
WAIT = "until [ -s child ]; do sleep 0.02; done; echo ready; sleep 600"


@check("E54", needs=["exec"])
async def a_command_ends_at_its_timeout(kit: Kit) -> None:
    box = await kit.box()
    with anyio.fail_after(30):
        result = await kit.run(box, ("sleep", "600"), timeout=1.0)
    assert (result.end, result.code) == ("timed_out", None)
    assert 0.9 < result.seconds < 20


@check("E54b", needs=["exec"])
async def a_command_that_exits_with_124_did_not_time_out(kit: Kit) -> None:
    box = await kit.box()
    result = await kit.run(box, "exit 124", timeout=30.0)
    assert (result.end, result.code) == ("exited", 124)


@check("E55", needs=["exec"])
async def what_was_said_before_the_timeout_is_kept(kit: Kit) -> None:
    box = await kit.box()
    result = await _run_out(kit, box, "echo up; : >said; sleep 600", grace=2.0)
    assert result.stdout.data() == b"up\n"
    process = await kit.start(box, "echo up; sleep 600", timeout=result.seconds)
    assert joined(await collect(process)) == b"up\n"


@check("E56", needs=["exec"])
async def a_timeout_ends_the_children_of_a_command(kit: Kit) -> None:
    await _ends_with_the_timeout(kit, CHILD)


@check("E57", needs=["exec"])
async def a_timeout_ends_a_child_in_a_session_of_its_own(kit: Kit) -> None:
    await _ends_with_the_timeout(kit, IN_SESSION)


@check("E57b", needs=["exec"])
async def a_timeout_ends_a_daemon(kit: Kit) -> None:
    await _ends_with_the_timeout(kit, DAEMON)


async def _ends_with_the_timeout(kit: Kit, child: str) -> None:
    """Start `child` behind a command, see it run, see it gone after the time-out."""
    box = await kit.box()
    process = await kit.start(box, f"{child} {WAIT}", timeout=3.0, grace=1.0)
    pid = await kit.pid(box, "child")
    await kit.must_live(box, pid)
    assert (await process.wait()).end == "timed_out"
    await kit.must_end(box, pid)


@check("E57c", needs=["exec"])
async def a_timeout_leaves_other_commands_alone(kit: Kit) -> None:
    box = await kit.box()
    other = await kit.start(box, "echo $$ >other; exec sleep 600", background=True)
    pid = await kit.pid(box, "other")
    assert (await kit.run(box, ("sleep", "600"), timeout=0.5)).end == "timed_out"
    await kit.must_live(box, pid)
    assert await other.signal("KILL")


@check("E58", needs=["exec"])
async def a_command_that_ignores_term_is_killed_after_the_grace(kit: Kit) -> None:
    box = await kit.box()
    loop = "while :; do sleep 0.2 || :; done"
    text = f"trap 'echo term' TERM; echo $$ >child; echo up; : >said; {loop}"
    with anyio.fail_after(80):
        result = await _run_out(kit, box, text, grace=1.5)
    assert b"term" in result.stdout.data(), "it was not given the chance to clean up"
    await kit.must_end(box, await kit.pid(box, "child"))


@check("E58b", needs=["exec"])
async def a_command_has_the_grace_to_clean_up(kit: Kit) -> None:
    box = await kit.box()
    trap = "trap 'sleep 0.3; echo cleaned; exit 0' TERM"
    text = f"{trap}; echo up; : >said; sleep 600 & wait || :"
    result = await _run_out(kit, box, text, grace=40.0)
    assert result.stdout.data() == b"up\ncleaned\n"
    assert result.seconds < 40, "it waited for the whole grace"


async def _run_out(kit: Kit, box: Sandbox, text: str, *, grace: float) -> ExecResult:
    """Let a command time out after it wrote `said`; a busy computer needs longer."""
    for timeout in (1.0, 4.0, 16.0):
        result = await kit.run(box, text, timeout=timeout, grace=grace)
        assert result.end == "timed_out"
        if (await kit.run(box, "test -e said")).code == 0:
            return result
    raise AssertionError("it did not come so far within 16 s")


@check("E59", needs=["exec"])
async def a_command_that_timed_out_is_not_run_again(kit: Kit) -> None:
    box = await kit.box()
    result = await kit.run(box, "echo once >>count; sleep 600", timeout=2.5)
    assert result.end == "timed_out"
    await anyio.sleep(0.5)
    assert await kit.out(box, "cat count") == b"once\n"


@check("E60", needs=["exec"])
async def after_a_timeout_the_next_command_works(kit: Kit) -> None:
    box = await kit.box()
    assert (await kit.run(box, ("cat",), timeout=0.5, stdin=None)).code == 0
    assert (await kit.run(box, ("sleep", "600"), timeout=0.5)).end == "timed_out"
    with anyio.fail_after(20):
        assert await kit.out(box, ("echo", "next")) == b"next\n"


@check("E61", needs=["exec.signal"], probe=True)
async def an_interrupt_reaches_the_command(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, "echo $$ >child; exec sleep 600")
    await kit.must_live(box, await kit.pid(box, "child"))
    assert await process.signal("INT")
    result = await process.wait()
    assert (result.end, result.code) == ("signalled", 130)


@check("E61b", needs=["exec.signal"])
async def a_command_may_answer_a_signal(kit: Kit) -> None:
    box = await kit.box()
    for name, code in (("INT", 5), ("TERM", 6)):
        trap = f"trap 'echo {name}; exit {code}' {name}"
        text = f"{trap}; echo up; while :; do sleep 0.1 || :; done"
        process = await kit.start(box, text)
        heard = b""
        async for chunk in process.output():
            # The shell says on stderr that its `sleep` was terminated.
            if chunk.stream == "stderr":
                continue
            heard += chunk.data
            if heard == b"up\n":
                assert await process.signal("INT" if name == "INT" else "TERM")
        result = await process.wait()
        assert (result.end, result.code) == ("exited", code)
        assert heard == f"up\n{name}\n".encode()


@check("E61c", needs=["exec"])
async def kill_ends_the_whole_tree(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, f"{IN_SESSION} {WAIT}")
    pid = await kit.pid(box, "child")
    await kit.must_live(box, pid)
    assert await process.signal("KILL")
    result = await process.wait()
    assert (result.end, result.code) == ("signalled", 137)
    await kit.must_end(box, pid)


@check("E62", needs=["exec"])
async def signalling_what_has_ended_says_so(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, ("true",))
    assert (await process.wait()).code == 0
    assert await process.signal("KILL") is False


@check("E63", needs=["exec"])
async def cancelling_the_wait_ends_the_command(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, "echo $$ >child; exec sleep 600")
    pid = await kit.pid(box, "child")
    await kit.must_live(box, pid)
    with anyio.move_on_after(0.3) as scope:
        await process.wait()
    assert scope.cancelled_caught, "cancellation was swallowed"
    await kit.must_end(box, pid)


@check("E63b", needs=["exec"])
async def cancelling_a_detached_wait_leaves_the_command(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, "echo $$ >child; exec sleep 600")
    pid = await kit.pid(box, "child")
    await process.detach()
    with anyio.move_on_after(0.3) as scope:
        await process.wait()
    assert scope.cancelled_caught, "cancellation was swallowed"
    await anyio.sleep(0.3)
    await kit.must_live(box, pid)


@check("E64", needs=["exec"])
async def a_command_whose_sandbox_is_destroyed_is_lost(kit: Kit) -> None:
    box = await kit.box()
    process = await kit.start(box, "echo $$ >child; exec sleep 600")
    await kit.must_live(box, await kit.pid(box, "child"))
    ends: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(_wait_for_loss, process, ends)
        await anyio.sleep(0.2)
        await kit.provider.destroy(box.ref)
    assert ends == ["lost"]


async def _wait_for_loss(process: Process, ends: list[str]) -> None:
    with anyio.fail_after(20):
        try:
            ends.append((await process.wait()).end)
        except SandboxLost:
            ends.append("lost")


@check("E64b", needs=["exec"])
async def a_destroyed_sandbox_runs_nothing(kit: Kit) -> None:
    box = await kit.box()
    assert await kit.out(box, ("echo", "there")) == b"there\n"
    await kit.provider.destroy(box.ref)

    async def is_lost() -> bool:
        return await _refuses(kit, box)

    await until(is_lost, within=20, what="SandboxLost from a destroyed sandbox")


async def _refuses(kit: Kit, box: Sandbox) -> bool:
    with anyio.fail_after(20):
        try:
            result = await kit.run(box, ("echo", "still there"))
        except (SandboxLost, SandboxGone):
            return True
    return result.end == "lost"
