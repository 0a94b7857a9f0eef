"""Machines and their processes, by each rule that vendors differ in."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from sandbook.api import SandboxSpec
from sandbook.errors import FileMissing
from tests.sandbook_local.conftest import until
from tests.servers.core.listening import Ended, Event, Expired, Listener, Output
from tests.servers.core.machines import Machine, MachineGone, Machines
from tests.servers.core.processes import (
    NoInput,
    Processes,
    ProcessRules,
    ProgramRequest,
    RunningProcess,
    Size,
)
from tests.servers.running import local_provider

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """We promise asyncio only."""
    return "asyncio"


@asynccontextmanager
async def machine(rules: ProcessRules | None = None) -> AsyncGenerator[Machine]:
    """A machine whose processes follow these rules."""
    async with some_machines(rules) as machines:
        yield await make(machines)


@asynccontextmanager
async def some_machines(rules: ProcessRules | None = None) -> AsyncGenerator[Machines]:
    """Machines, of which none is left."""
    with local_provider() as provider:
        machines = Machines(provider, rules or ProcessRules())
        async with machines.open():
            yield machines
        assert [info async for info in provider.list({})] == []


async def make(machines: Machines, *, lifetime: float = 60.0) -> Machine:
    """A machine without network."""

    async def end(over: Machine) -> None:
        await machines.end(over)

    spec = SandboxSpec(network="off")
    return await machines.make("m", spec, lifetime=lifetime, when_over=end)


def shell(text: str, *, timeout: float | None = None) -> ProgramRequest:
    """A shell text to run."""
    return ProgramRequest(argv=("/bin/sh", "-c", text), cwd="/tmp", timeout=timeout)


async def events(processes: Processes, request: ProgramRequest) -> list[Event | None]:
    """All that is told of a program."""
    with Listener() as listener:
        await processes.start(request, listener)
        return [event async for event in listener.events()]


def text_of(told: list[Event | None], stream: str = "stdout") -> bytes:
    """What it wrote."""
    pieces = [e for e in told if isinstance(e, Output) and e.stream == stream]
    return b"".join(piece.data for piece in pieces)


@pytest.mark.parametrize("ends_at", ["exit", "output"])
async def test_output_and_end_are_told(ends_at: str) -> None:
    rules = ProcessRules(ends_at="exit" if ends_at == "exit" else "output")
    async with machine(rules) as made:
        told = await events(made.processes, shell("echo out; echo err >&2; exit 3"))
        assert text_of(told) == b"out\n"
        assert text_of(told, "stderr") == b"err\n"
        assert told[-1] == Ended(code=3, signal=None)
        told = await events(made.processes, shell("kill -TERM $$"))
        assert told == [Ended(code=None, signal=15)]
        assert list(made.processes) == []


async def test_an_end_waits_for_the_output_only_by_that_rule() -> None:
    text = "(while [ ! -e go ]; do sleep 0.05; done; echo late) & echo early"
    async with machine(ProcessRules(ends_at="exit")) as made:
        told = await events(made.processes, shell(text))
        assert text_of(told) == b"early\n"
        await made.run("touch", "/tmp/go")
    async with machine(ProcessRules(ends_at="output")) as made:
        with Listener() as listener:
            process = await made.processes.start(shell(text), listener)
            heard: list[Event | None] = []
            async for event in listener.events(silence=0.5):
                if event is None:
                    assert process.ended is None
                    await made.run("touch", "/tmp/go")
                else:
                    heard.append(event)
        assert text_of(heard) == b"early\nlate\n"
        assert heard[-1] == Ended(code=0, signal=None)


@pytest.mark.parametrize("reach", ["leader", "tree"])
async def test_a_signal_reaches_whom_the_rule_says(reach: str) -> None:
    rules = ProcessRules(reach="leader" if reach == "leader" else "tree")
    async with machine(rules) as made:
        text = "sleep 1000 & echo $! >left; echo begun; wait"
        with Listener() as listener:
            process = await made.processes.start(shell(text), listener)
            heard: list[Event | None] = []
            async for event in listener.events():
                heard.append(event)
                if isinstance(event, Output):
                    await process.signal("KILL")
        assert heard[-1] == Ended(code=None, signal=9)
        look = "kill -0 $(cat /tmp/left)"

        async def is_alive() -> bool:
            return (await made.run("/bin/sh", "-c", look)).code == 0

        if reach == "leader":
            assert await is_alive()
        else:
            await until(lambda: _not(is_alive()))


async def _not(claim: object) -> bool:
    return not await claim  # type: ignore[misc]  # what is_alive() gives


@pytest.mark.parametrize("unheard", ["kept", "dropped"])
async def test_unheard_output_is_kept_or_dropped_as_the_rule_says(unheard: str) -> None:
    rules = ProcessRules(unheard="kept" if unheard == "kept" else "dropped")
    text = "echo one; until [ -e go ]; do sleep 0.05; done; echo two"
    async with machine(rules) as made:
        with Listener() as first:
            process = await made.processes.start(shell(text), first)
            assert text_of([await anext(first.events())]) == b"one\n"
        with Listener() as second:
            process.listen(second)
            await made.run("touch", "/tmp/go")
            told = [event async for event in second.events()]
        assert text_of(told) == (b"one\ntwo\n" if unheard == "kept" else b"two\n")


async def test_a_deadline_is_told_before_the_end_that_it_brings() -> None:
    async with machine(ProcessRules(reach="leader", ends_at="output")) as made:
        told = await events(made.processes, shell("echo on; sleep 1000", timeout=0.5))
        assert told[-2:] == [Expired(), Ended(code=None, signal=9)]
        assert text_of(told) == b"on\n"


async def test_what_cannot_start_says_why_and_leaves_nothing() -> None:
    async with machine(ProcessRules(ends_at="output")) as made:
        # The way to the interpreter may be shown there.
        before = (await made.run("/bin/sh", "-c", "ls -A /tmp")).stdout.data()
        request = ProgramRequest(argv=("true",), cwd="/no/such")
        with pytest.raises(FileMissing):
            await made.processes.start(request)
        assert list(made.processes) == []
        after = (await made.run("/bin/sh", "-c", "ls -A /tmp")).stdout.data()
        assert after == before


async def test_a_terminal_is_typed_into_and_resized() -> None:
    async with machine() as made:
        request = ProgramRequest(
            argv=("/bin/sh",), cwd="/tmp", terminal=Size(cols=40, rows=10)
        )
        with Listener() as listener:
            process = await made.processes.start(request, listener)
            await process.send(b"stty size\n")
            await process.resize(Size(cols=41, rows=11))
            with pytest.raises(NoInput):
                await process.end_input()
            await process.send(b"stty size; exit\n")
            told = [event async for event in listener.events()]
        assert b"11 41\r\n" in text_of(told, "pty")


async def test_a_command_without_input_takes_none() -> None:
    async with machine() as made:
        process = await made.processes.start(shell("sleep 1000"))
        with pytest.raises(NoInput):
            await process.send(b"x")
        with pytest.raises(NoInput):
            await process.resize(Size(cols=1, rows=1))
        assert made.processes.find(pid=process.pid) is process
        assert made.processes.find(pid=process.pid + 1000) is None


async def _use(made: Machine, *, lifetime: float) -> None:
    async with made.in_use():
        await made.live(lifetime)
        await anyio.sleep_forever()


async def test_a_machine_ends_at_the_end_of_its_life_wherever_that_is_moved() -> None:
    async with some_machines() as machines:
        made = await make(machines, lifetime=60)
        process = await made.processes.start(shell("sleep 1000"))
        assert isinstance(process, RunningProcess)
        assert machines.find("m") is made
        with pytest.raises(MachineGone):
            await _use(made, lifetime=0.3)
        await until(lambda: machines.find("m") is None)
        await until(lambda: list(made.processes) == [])
        with pytest.raises(MachineGone):
            await _use(made, lifetime=60)
        assert not await machines.end(made)


async def test_a_program_that_closed_its_stdin_takes_no_input() -> None:
    async with machine() as made:
        text = "exec 0<&-; echo closed; sleep 60"
        request = ProgramRequest(argv=("/bin/sh", "-c", text), cwd="/", stdin=True)
        with Listener() as listener:
            process = await made.processes.start(request, listener)
            events = listener.events(silence=60.0)
            assert await anext(events) == Output(stream="stdout", data=b"closed\n")
            with pytest.raises(NoInput):
                await process.send(b"x")
