"""Terminals of local sandboxes."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from sandbook.api import ExecRequest, Pty, PtyRequest, Settings
from sandbook.errors import SandboxGone, UsageError
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.sandbook_local.conftest import until

pytestmark = pytest.mark.anyio


class Screen:
    """Reads a terminal in the background of a test."""

    def __init__(self, pty: Pty) -> None:
        self.pty = pty
        self.shown = b""
        self.last = 0

    async def read(self) -> None:
        """Collect everything until the program ends."""
        async for chunk in self.pty.output():
            self.shown += chunk.data
            self.last = chunk.seq

    async def until(self, text: bytes) -> None:
        """Wait until it is shown."""
        await until(lambda: text in self.shown)


def _request(*argv: str, **fields: object) -> PtyRequest:
    return PtyRequest(argv=argv, **{"key": "t", **fields})  # type: ignore[arg-type]


async def test_a_program_sees_a_terminal_of_the_size_asked_for(
    sandbox: LocalSandbox,
) -> None:
    text = "test -t 0 && test -t 1 && test -t 2 && stty size && tty && echo $TERM"
    pty = await sandbox.pty(_request("sh", "-c", text, cols=100, rows=30))
    shown = b"".join([chunk.data async for chunk in pty.output()])
    assert shown.split() == [b"30", b"100", b"/dev/pts/0", b"xterm-256color"]
    assert (await pty.wait()).code == 0


async def test_what_is_typed_arrives_and_the_exit_code_comes_back(
    sandbox: LocalSandbox,
) -> None:
    pty = await sandbox.pty(_request("sh", env={"PS1": "> "}))
    screen = Screen(pty)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(screen.read)
        await screen.until(b"> ")
        await pty.send(b"echo one$((1+1))\n")
        await screen.until(b"one2")
        await pty.send(b"exit 7\n")
    assert (await pty.wait()).code == 7


async def test_control_c_interrupts_what_runs_in_front(sandbox: LocalSandbox) -> None:
    pty = await sandbox.pty(_request("sh", env={"PS1": "> "}))
    screen = Screen(pty)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(screen.read)
        await screen.until(b"> ")
        await pty.send(b"sleep 100\n")
        await screen.until(b"sleep 100")
        await anyio.sleep(0.2)
        await pty.send(b"\x03")
        await pty.send(b"echo code $?\n")
        await screen.until(b"code 130")
        await pty.send(b"exit\n")


async def test_another_size_reaches_the_program(sandbox: LocalSandbox) -> None:
    text = "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done"
    pty = await sandbox.pty(_request("sh", "-c", text))
    screen = Screen(pty)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(screen.read)
        await screen.until(b"ready")
        await pty.resize(cols=132, rows=50)
        await screen.until(b"50 132")


async def test_a_terminal_is_left_and_joined_again_with_what_it_showed(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    pty = await sandbox.pty(_request("sh", "-c", "echo before; read x; echo got $x"))
    screen = Screen(pty)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(screen.read)
        await screen.until(b"before")
        await pty.detach()
        tasks.cancel_scope.cancel()
    other = await LocalProvider(settings).attach(sandbox.ref)
    joined = await other.attach_pty(pty.id)
    assert joined.pid == pty.pid
    again = Screen(joined)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(again.read)
        await again.until(b"before")
        await joined.send(b"it\n")
        await again.until(b"got it")
    await other.aclose()


async def test_a_terminal_nobody_knows_is_refused(sandbox: LocalSandbox) -> None:
    with pytest.raises(SandboxGone, match="'nowhere'"):
        await sandbox.attach_pty("nowhere")


async def test_a_program_that_hangs_up_leaves_nothing_behind(
    sandbox: LocalSandbox, tmp_path: Path
) -> None:
    del tmp_path
    pty = await sandbox.pty(_request("sh", "-c", "echo there; sleep 300"))
    assert await pty.signal("KILL")
    result = await pty.wait()
    assert (result.end, result.code) == ("signalled", 137)


async def test_a_terminal_is_found_by_the_pid_that_its_program_has_inside(
    sandbox: LocalSandbox, settings: Settings
) -> None:
    pty = await sandbox.pty(_request("sh", "-c", "echo pid $$; read x; echo got $x"))
    screen = Screen(pty)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(screen.read)
        await screen.until(b"pid ")
        await pty.detach()
        tasks.cancel_scope.cancel()
    pid = int(screen.shown.split()[1])
    assert pid == pty.pid
    other = await LocalProvider(settings).attach(sandbox.ref)
    found = await other.find_pty(pid)
    assert found is not None
    assert (found.id, found.pid) == (pty.id, pid)
    await other.aclose()


async def test_a_command_without_a_terminal_is_not_found_as_one(
    sandbox: LocalSandbox,
) -> None:
    process = await sandbox.start(ExecRequest(program=("sleep", "300"), key="plain"))
    assert process.pid is not None
    assert await sandbox.find_pty(process.pid) is None


async def test_what_becomes_of_typed_text_is_known(sandbox: LocalSandbox) -> None:
    text = (
        "echo one; read x; stty -echo; echo two; read x; stty -icanon; echo three; "
        "read x"
    )
    pty = await sandbox.pty(_request("sh", "-c", text))
    screen = Screen(pty)
    found: list[str | None] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(screen.read)
        for word in (b"one", b"two", b"three"):
            await screen.until(word)
            found.append(await pty.echo())
            await pty.send(b"\r")
    assert found == ["shown", "hidden", "program"]


async def test_a_terminal_hangs_up(sandbox: LocalSandbox) -> None:
    text = "trap 'echo bye >left; exit 3' HUP; echo ready; while :; do sleep 0.05; done"
    pty = await sandbox.pty(_request("sh", "-c", text))
    screen = Screen(pty)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(screen.read)
        await screen.until(b"ready")
        await pty.hang_up()
    assert (await pty.wait()).code == 3
    assert await sandbox.files.read("left") == b"bye\n"


async def test_a_program_that_does_not_hang_up_is_killed(sandbox: LocalSandbox) -> None:
    pty = await sandbox.pty(_request("sh", "-c", "trap '' HUP; echo ready; sleep 300"))
    screen = Screen(pty)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(screen.read)
        await screen.until(b"ready")
        await pty.hang_up()
    assert (await pty.wait()).end == "signalled"


async def test_typing_into_a_full_terminal_ends_with_its_program(
    sandbox: LocalSandbox,
) -> None:
    pty = await sandbox.pty(_request("sh", "-c", "stty raw -echo; echo on; sleep 300"))
    screen = Screen(pty)
    refused: list[UsageError] = []

    async def fill() -> None:
        try:
            await pty.send(b"x" * 1_000_000)
        except UsageError as error:
            refused.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(screen.read)
        await screen.until(b"on")
        tasks.start_soon(fill)
        await anyio.sleep(0.1)
        await pty.signal("KILL")
        assert (await pty.wait()).code == 137
    assert refused
