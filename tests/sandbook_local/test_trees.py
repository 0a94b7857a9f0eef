"""Who is killed with a command, and who is not."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid

import anyio
import pytest

from sandbook.errors import SandboxLost
from sandbook_local.inside import processes
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import (
    argv,
    processes_with,
    run,
    shell,
    text_of,
    until,
)

pytestmark = pytest.mark.anyio

_DAEMON = """
import os, sys, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
time.sleep(float(sys.argv[1]))
"""


def _seconds() -> str:
    """A time to sleep that no other process has on its command line."""
    return f"600.{uuid.uuid4().int % 10**12}"


def _family(mark: str, *, ignore: str = "") -> str:
    return f"""
    {ignore}
    sleep {mark} &
    setsid sleep {mark} &
    (setsid sh -c 'sleep {mark} & sleep {mark}' &)
    python3 -c '{_DAEMON}' {mark}
    echo ready
    sleep {mark}
    """


async def test_a_deadline_ends_the_whole_tree(sandbox: LocalSandbox) -> None:
    mark = _seconds()
    process = await sandbox.start(shell(_family(mark), timeout=3, grace=0.5))
    await until(lambda: len(processes_with(mark)) >= 6)
    result = await process.wait()
    assert (result.end, result.code) == ("timed_out", None)
    assert result.stdout.data() == b"ready\n"
    assert processes_with(mark) == []


async def test_a_tree_that_ignores_term_is_killed(sandbox: LocalSandbox) -> None:
    mark = _seconds()
    request = shell(_family(mark, ignore="trap '' TERM"), timeout=3, grace=0.3)
    process = await sandbox.start(request)
    await until(lambda: len(processes_with(mark)) >= 6)
    assert (await process.wait()).end == "timed_out"
    assert processes_with(mark) == []


async def test_a_deadline_leaves_other_commands_alone(sandbox: LocalSandbox) -> None:
    mark = _seconds()
    other = await sandbox.start(argv("sleep", mark))
    assert (
        await run(sandbox, shell("sleep 60", timeout=0.2, grace=0.1))
    ).end == "timed_out"
    await until(lambda: len(processes_with(mark)) == 1)
    assert await other.signal("KILL")
    assert (await other.wait()).code == 137


async def test_endless_output_ends_at_the_deadline(sandbox: LocalSandbox) -> None:
    began = time.monotonic()
    result = await run(sandbox, argv("yes", timeout=0.5, grace=0.5))
    assert result.end == "timed_out"
    assert result.stdout.total > 0
    assert time.monotonic() - began < 30


async def test_a_tree_that_forks_faster_than_one_can_kill_is_killed(
    sandbox: LocalSandbox,
) -> None:
    bomb = "f() { sleep 0.01; f | f & }; f; f; wait; sleep 30"
    request = shell(bomb, timeout=1, grace=0.2)
    assert (await run(sandbox, request)).end == "timed_out"
    assert (await run(sandbox, argv("echo", "on"))).stdout.data() == b"on\n"


async def test_what_a_command_leaves_behind_does_not_hold_it(
    sandbox: LocalSandbox,
) -> None:
    mark = _seconds()
    with anyio.fail_after(30):
        result = await run(sandbox, f"sleep {mark} & echo done")
    assert (result.code, result.stdout.data()) == (0, b"done\n")
    await until(lambda: len(processes_with(mark)) == 1)


async def test_what_is_left_behind_may_print_without_harm(
    sandbox: LocalSandbox,
) -> None:
    late = "(sleep 0.2; seq 1 100000; seq 1 100000 >&2; touch survived) & echo done"
    result = await run(sandbox, late)
    assert result.stdout.data() == b"done\n"

    async def survived() -> bool:
        return (await run(sandbox, "test -e survived")).code == 0

    await until(survived)


async def test_the_last_words_before_the_end_are_kept(sandbox: LocalSandbox) -> None:
    for number in range(20):
        result = await run(sandbox, f"seq 1 5000; echo last{number} >&2; sleep 60 &")
        assert result.stdout.data().endswith(b"\n5000\n")
        assert result.stderr.data() == f"last{number}\n".encode()


async def test_int_reaches_a_program_as_ctrl_c_does(sandbox: LocalSandbox) -> None:
    text = "import time; print('up', flush=True); time.sleep(60)"
    process = await sandbox.start(argv("python3", "-c", text))
    async for _ in process.output():
        break
    assert await process.signal("INT")
    result = await process.wait()
    assert b"KeyboardInterrupt" in result.stderr.data()
    assert result.code == 130


async def test_a_signal_to_what_has_ended_is_told(sandbox: LocalSandbox) -> None:
    process = await sandbox.start(argv("true"))
    await process.wait()
    assert not await process.signal("TERM")


async def test_a_cancelled_wait_stops_the_command(sandbox: LocalSandbox) -> None:
    mark = _seconds()
    process = await sandbox.start(argv("sleep", mark))
    await until(lambda: len(processes_with(mark)) == 1)
    with anyio.move_on_after(0.05):
        await process.wait()
    await until(lambda: processes_with(mark) == [])


async def test_a_cancelled_wait_after_detach_stops_nothing(
    sandbox: LocalSandbox,
) -> None:
    mark = _seconds()
    process = await sandbox.start(argv("sleep", mark))
    await process.detach()
    with anyio.move_on_after(0.05):
        await process.wait()
    await anyio.sleep(0.2)
    await until(lambda: len(processes_with(mark)) == 1)


_NESTED = 'sh -c \'sh -c "sh -c \\"sleep 60 & wait\\" & wait" & wait\' & wait'


def test_a_tree_is_signalled_from_its_root_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A shell whose child ends first may end of that, and never see its own signal.
    # Often, since an order by number is right more often than not.
    told: list[int] = []

    def hear(pid: int, _: int) -> None:
        told.append(pid)

    for _ in range(20):
        root = subprocess.Popen(["sh", "-c", _NESTED], start_new_session=True)
        try:
            while len(processes.descendants(root.pid)) < 4:
                time.sleep(0.005)
            parents = processes.parents()
            told.clear()
            with monkeypatch.context() as spied:
                spied.setattr(os, "kill", hear)
                assert processes.signal_below(root.pid, signal.SIGTERM) == 4
            assert [parents[pid] for pid in told] == [root.pid, *told[:-1]]
        finally:
            os.killpg(root.pid, signal.SIGKILL)
            root.wait()


async def test_a_command_whose_keeper_is_killed_from_inside_is_signalled(
    sandbox: LocalSandbox,
) -> None:
    mark = _seconds()
    result = await run(sandbox, f"setsid sleep {mark} & kill -9 $PPID; sleep {mark}")
    assert (result.end, result.code) == ("signalled", 137)
    await until(lambda: processes_with(mark) == [])
    assert (await run(sandbox, argv("echo", "on"))).stdout.data() == b"on\n"


async def test_a_stopped_keeper_does_not_outlive_the_deadline(
    sandbox: LocalSandbox,
) -> None:
    request = shell("kill -STOP $PPID; exit 0", timeout=0.5, grace=0.2)
    with anyio.fail_after(30):
        assert (await run(sandbox, request)).end == "timed_out"


_SIGNAL = """
import os, sys, time
while not os.path.exists("go"):
    time.sleep(0.01)
os.kill(int(open("go").read()), int(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
async def test_a_keeper_that_is_met_between_two_commands_costs_nothing(
    sandbox: LocalSandbox, number: int
) -> None:
    hit = await sandbox.start(argv("python3", "-c", _SIGNAL, str(int(number))))
    keeper = await text_of(sandbox, "echo $PPID")
    assert await text_of(sandbox, "echo $PPID") == keeper  # it waits for the next
    await sandbox.files.write("new", keeper.encode())
    await sandbox.files.rename("new", "go")
    assert (await hit.wait()).code == 0
    with anyio.fail_after(30):
        assert await text_of(sandbox, argv("echo", "on")) == "on\n"


async def test_whatever_is_killed_from_inside_the_next_command_runs(
    sandbox: LocalSandbox,
) -> None:
    for _ in range(20):
        assert (await run(sandbox, "kill -9 -1; kill -9 $PPID")).code == 137
        assert await text_of(sandbox, argv("echo", "on")) == "on\n"


async def test_an_order_that_is_too_long_to_be_handed_over_is_obeyed(
    sandbox: LocalSandbox,
) -> None:
    text = "x" * 100_000
    result = await run(sandbox, argv("printf", "%s", text))
    assert result.stdout.data() == text.encode()


async def test_init_cannot_be_killed_from_inside(sandbox: LocalSandbox) -> None:
    await run(
        sandbox, "for s in INT TERM HUP CHLD USR1 STOP KILL; do kill -$s 1; done; true"
    )
    assert (await run(sandbox, argv("echo", "on"))).stdout.data() == b"on\n"


async def test_a_sandbox_destroyed_under_a_command_is_lost(
    sandbox: LocalSandbox, provider: LocalProvider
) -> None:
    process = await sandbox.start(argv("sleep", "600"))

    async def destroy() -> None:
        await anyio.sleep(0.1)
        assert await provider.destroy(sandbox.ref) == "destroyed"

    async with anyio.create_task_group() as group:
        group.start_soon(destroy)
        with anyio.fail_after(15), pytest.raises(SandboxLost, match="ended"):
            await process.wait()


async def test_a_command_that_kills_all_it_can_see_ends_only_the_others(
    sandbox: LocalSandbox,
) -> None:
    mark = _seconds()
    other = await sandbox.start(argv("sleep", mark))
    await run(sandbox, "kill -9 -1; sleep 30")
    assert (await other.wait()).code == 137
    await until(lambda: processes_with(mark) == [])
    assert (await run(sandbox, argv("echo", "on"))).stdout.data() == b"on\n"


async def test_threads_of_an_ended_first_thread_are_killed(
    sandbox: LocalSandbox,
) -> None:
    mark = _seconds()
    text = """
import ctypes, sys, threading, time
threading.Thread(target=time.sleep, args=(float(sys.argv[1]),)).start()
print("up", flush=True)
ctypes.CDLL(None).syscall(60 if sys.platform == "linux" else 0, 0)
"""
    request = argv("python3", "-c", text, mark, timeout=1, grace=0.2)
    process = await sandbox.start(request)
    with anyio.fail_after(30):
        assert (await process.wait()).end == "timed_out"
    # Its command line is empty by now, so it is looked for by number.
    assert (await run(sandbox, argv("test", "-d", f"/proc/{process.pid}"))).code == 1
