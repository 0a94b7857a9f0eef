"""Clients with a key and addresses of their own, whatever the environment says."""

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import os

from e2b import E2B, AsyncSandbox, AuthenticationException, Sandbox, SandboxQuery

from tests.servers.e2b.programs.expecting import raises

URL = os.environ.pop("E2B_API_URL")
KEY = os.environ.pop("E2B_API_KEY")
os.environ.pop("E2B_SANDBOX_URL")


def bound() -> None:
    """Two accounts in one process, neither of them in the environment."""
    known = E2B(api_key=KEY, api_url=URL, sandbox_url=URL)
    stranger = E2B(api_key="e2b_nobody", api_url=URL, sandbox_url=URL)
    sandbox = known.Sandbox.create(timeout=60, metadata={"of": "one"})
    assert sandbox.commands.run("echo bound").stdout == "bound\n"
    found = known.Sandbox.list(SandboxQuery(metadata={"of": "one"})).next_items()
    assert [one.sandbox_id for one in found] == [sandbox.sandbox_id]
    with raises(AuthenticationException):
        stranger.Sandbox.create(timeout=60)
    with raises(AuthenticationException):
        stranger.Sandbox.connect(sandbox.sandbox_id)
    assert known.Sandbox.kill(sandbox.sandbox_id)


async def bound_async() -> None:
    client = E2B(api_key=KEY, api_url=URL, sandbox_url=URL, request_timeout=20)
    async with await client.AsyncSandbox.create(timeout=60) as sandbox:
        assert (await sandbox.commands.run("echo bound")).stdout == "bound\n"
        same = await client.AsyncSandbox.connect(sandbox.sandbox_id)
        assert await same.is_running()
        assert not await client.AsyncSandbox.kill("none")


def told_each_time() -> None:
    """Each call may say where and as whom it asks."""
    with raises(AuthenticationException):
        Sandbox.create(timeout=60, api_url=URL, sandbox_url=URL)
    sandbox = Sandbox.create(timeout=60, api_key=KEY, api_url=URL, sandbox_url=URL)
    sandbox.set_timeout(90)
    assert sandbox.commands.run("echo told").stdout == "told\n"
    assert Sandbox.kill(sandbox.sandbox_id, api_key=KEY, api_url=URL)


async def told_each_time_async() -> None:
    sandbox = await AsyncSandbox.create(
        timeout=60, api_key=KEY, api_url=URL, sandbox_url=URL, request_timeout=20
    )
    await sandbox.set_timeout(90, request_timeout=20)
    info = await AsyncSandbox.get_info(sandbox.sandbox_id, api_key=KEY, api_url=URL)
    assert info.sandbox_id == sandbox.sandbox_id
    assert await sandbox.kill()


bound()
told_each_time()
asyncio.run(bound_async())
asyncio.run(told_each_time_async())
