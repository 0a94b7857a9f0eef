"""Commands: what they print, how they end, what they are given."""

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import time

from e2b import (
    AsyncSandbox,
    AuthenticationException,
    CommandExitException,
    InvalidArgumentException,
    Sandbox,
    TimeoutException,
)

from tests.servers.e2b.programs.expecting import living, raises, until_async


def outcome(sandbox: Sandbox) -> None:
    run = sandbox.commands.run("echo out; echo err >&2")
    assert (run.stdout, run.stderr, run.exit_code, run.error) == (
        "out\n",
        "err\n",
        0,
        None,
    )
    with raises(CommandExitException) as caught:
        sandbox.commands.run("echo partly; exit 3")
    assert caught.error.exit_code == 3
    assert caught.error.stdout == "partly\n"
    assert caught.error.error == "exit status 3"
    with raises(CommandExitException) as caught:
        sandbox.commands.run("kill -KILL $$")
    assert (caught.error.exit_code, caught.error.error) == (-1, "signal: killed")


def surroundings(sandbox: Sandbox) -> None:
    run = sandbox.commands.run(
        "pwd; whoami; echo $HOME $USER $FLAVOUR", envs={"FLAVOUR": "sweet"}
    )
    assert run.stdout == "/home/user\nuser\n/home/user user sweet\n"
    assert sandbox.commands.run("pwd", cwd="/tmp").stdout == "/tmp\n"
    sandbox.files.make_dir("deep/er")
    assert sandbox.commands.run("pwd", cwd="deep/er").stdout == "/home/user/deep/er\n"
    assert sandbox.commands.run("whoami", user="user").stdout == "user\n"
    with raises(InvalidArgumentException):
        sandbox.commands.run("true", cwd="/no/such/folder")
    with raises(AuthenticationException):
        sandbox.commands.run("true", user="nobody-here")
    # Without `stdin` there is nothing to read.
    assert sandbox.commands.run("cat; echo over").stdout == "over\n"


def streamed(sandbox: Sandbox) -> None:
    heard: list[tuple[str, str]] = []
    run = sandbox.commands.run(
        "printf 'one '; printf two >&2; head -c 200000 /dev/zero | tr '\\0' x",
        on_stdout=lambda text: heard.append(("stdout", text)),
        on_stderr=lambda text: heard.append(("stderr", text)),
    )
    assert "".join(text for kind, text in heard if kind == "stdout") == run.stdout
    assert run.stdout == "one " + "x" * 200_000
    assert run.stderr == "two"
    assert max(len(text) for _, text in heard) <= 32 << 10
    nothing = sandbox.commands.run("echo lost", retain_output=False)
    assert nothing.stdout is None


async def heard_to_the_end_of_its_output(sandbox: AsyncSandbox) -> None:
    """What it leaves behind holds its end back, for as long as that may print."""
    run = await sandbox.commands.run("(sleep 0.5; echo late) & echo early")
    assert run.stdout == "early\nlate\n"
    began = time.monotonic()
    await sandbox.commands.run("sleep 20 >/dev/null 2>&1 & echo early")
    assert time.monotonic() - began < 15


async def deadline(sandbox: AsyncSandbox) -> None:
    """It hits the command, whoever listens, and spares what the command started."""
    handle = await sandbox.commands.run(
        "sleep 300 >/dev/null 2>&1 & echo $! >left; echo begun; sleep 300; true",
        background=True,
        timeout=2,
    )
    assert handle.pid in living(sandbox.sandbox_id)
    with raises(TimeoutException):
        await handle.wait()
    assert handle.stdout == "begun\n"
    await until_async(lambda: handle.pid not in living(sandbox.sandbox_id))
    left = int(await sandbox.files.read("left"))
    await sandbox.commands.run(f"kill {left}")

    gone = await sandbox.commands.run("sleep 300; true", background=True, timeout=1)
    await gone.disconnect()
    assert gone.pid in living(sandbox.sandbox_id)
    await until_async(lambda: gone.pid not in living(sandbox.sandbox_id))


async def at_once(sandbox: AsyncSandbox) -> None:
    runs = await asyncio.gather(*(sandbox.commands.run(f"echo {n}") for n in range(8)))
    assert [run.stdout for run in runs] == [f"{n}\n" for n in range(8)]


async def main() -> None:
    sandbox = Sandbox.create(timeout=120)
    outcome(sandbox)
    surroundings(sandbox)
    streamed(sandbox)
    same = await AsyncSandbox.connect(sandbox.sandbox_id)
    await heard_to_the_end_of_its_output(same)
    await deadline(same)
    await at_once(same)
    assert await same.kill()


asyncio.run(main())
