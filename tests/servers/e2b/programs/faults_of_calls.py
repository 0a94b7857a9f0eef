"""Faults of what a sandbox answers, as the raw SDK tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false
from e2b import (
    AsyncSandbox,
    AuthenticationException,
    CommandExitException,
    NotEnoughSpaceException,
    RateLimitException,
    Sandbox,
    SandboxException,
    SandboxNotRunningException,
    SandboxUnreachableException,
    TimeoutException,
)

from tests.servers.e2b.programs.expecting import arm, ask, raises, until

START = {"path": "/process.Process/Start"}


def calls(sandbox: Sandbox) -> None:
    def run() -> None:
        sandbox.commands.run("echo done >>log")

    def write() -> None:
        sandbox.files.write("x", "y")

    for path, call, status, kind in (
        ("/process.*", run, 401, AuthenticationException),
        ("/process.*", run, 404, SandboxException),
        ("/process.*", run, 429, RateLimitException),
        ("/process.*", run, 500, SandboxException),
        ("/process.*", run, 502, SandboxUnreachableException),
        ("/process.*", run, 503, SandboxUnreachableException),
        ("/process.*", run, 504, TimeoutException),
        ("/files", write, 401, AuthenticationException),
        ("/files", write, 429, RateLimitException),
        ("/files", write, 500, SandboxException),
        ("/files", write, 502, SandboxUnreachableException),
        ("/files", write, 507, NotEnoughSpaceException),
    ):
        arm("status", status=status, message="as asked", path=path)
        with raises(kind, exactly=kind is not SandboxException):
            call()
    arm("status", status=502, message="The sandbox was not found", path="/files")
    with raises(SandboxNotRunningException):
        write()
    arm("status", status=502, message="The port is not open", path="/files")
    with raises(SandboxUnreachableException):
        write()
    assert not sandbox.files.exists("log"), "it ran all the same"


def broken_off(sandbox: Sandbox) -> None:
    """The work goes on where only the way to it broke."""
    for kind in ("reset", "cut"):
        arm(kind, **START)
        with raises(Exception, exactly=False) as caught:
            sandbox.commands.run(f"echo {kind} >>log")
        assert not isinstance(caught.error, CommandExitException | AssertionError)
    arm("cut", after=150, **START)
    handle = sandbox.commands.run(
        "echo first; until [ -e go ]; do sleep 0.05; done; seq 100; echo behind >>log",
        background=True,
    )
    heard: list[str] = []

    def hear(text: str) -> None:
        heard.append(text)
        sandbox.files.write("go", "")

    with raises(Exception, exactly=False):
        handle.wait(on_stdout=hear)
    assert heard == ["first\n"]
    until(lambda: sandbox.files.read("log") == "cut\nbehind\n")
    arm("truncate", after=150, **START)
    with raises(Exception, exactly=False):
        sandbox.commands.run("seq 100")
    arm("lost_reply", path="/files", method="POST")
    with raises(httpx.TransportError, exactly=False):
        sandbox.files.write("arrived", "all the same")
    assert sandbox.files.read("arrived") == "all the same"
    arm("cut", path="/files", method="GET", after=3)
    with raises(httpx.TransportError, exactly=False):
        sandbox.files.read("arrived")


def silent(sandbox: Sandbox) -> None:
    sandbox.files.write("arrived", "all the same")
    arm("black_hole", **START)
    with raises(TimeoutException):
        # Here `request_timeout` does not bound the wait for the start.
        sandbox.commands.run("true", timeout=1)
    arm("stall", path="/files", method="GET", after=3)
    with raises(httpx.ReadTimeout):
        sandbox.files.read("arrived", request_timeout=0.5)
    arm("stall", after=60, **START)
    with raises(TimeoutException):
        sandbox.commands.run("echo heard; sleep 1", timeout=2)


async def killed(sandbox: AsyncSandbox) -> None:
    """The sandbox dies while a command prints."""
    arm("end_machine", after=400, **START)
    heard: list[str] = []
    with raises(SandboxNotRunningException):
        await sandbox.commands.run(
            "while :; do echo on and on; sleep 0.05; done", on_stdout=heard.append
        )
    assert heard
    assert sandbox.sandbox_id not in ask("GET", "/_state")["machines"]
    assert not await sandbox.kill()


def each(call: Callable[[Sandbox], None]) -> None:
    sandbox = Sandbox.create(timeout=60)
    call(sandbox)
    ask("DELETE", "/_faults")
    assert sandbox.kill()


async def silent_at_its_start() -> None:
    sandbox = await AsyncSandbox.create(timeout=60)
    arm("black_hole", **START)
    with raises(TimeoutException):
        await sandbox.commands.run("true", request_timeout=0.5)
    assert await sandbox.kill()


async def main() -> None:
    await silent_at_its_start()
    await killed(await AsyncSandbox.create(timeout=60))


each(calls)
each(broken_off)
each(silent)
asyncio.run(main())
