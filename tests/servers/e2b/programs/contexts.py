"""Contexts: sets of variables that know nothing of each other."""

# The SDK leaves the kind of an IO open, and its second half does not say that it has
# types.
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

from __future__ import annotations

import asyncio

from e2b_code_interpreter import (
    AsyncSandbox,
    InvalidArgumentException,
    NotFoundException,
    Sandbox,
)

from tests.servers.e2b.programs.expecting import raises


def apart(sandbox: Sandbox) -> None:
    first = sandbox.list_code_contexts()
    assert [(one.language, one.cwd) for one in first] == [
        ("python", "/home/user"),
        ("javascript", "/home/user"),
    ]
    made = sandbox.create_code_context(cwd="/tmp", language="python")
    assert (made.language, made.cwd) == ("python", "/tmp")
    assert [one.id for one in sandbox.list_code_contexts()] == [
        *(one.id for one in first),
        made.id,
    ]
    sandbox.run_code("x = 'default'")
    assert sandbox.run_code("import os\nos.getcwd()", context=made).text == "/tmp"
    unknown = sandbox.run_code("x", context=made)
    assert unknown.error is not None
    assert unknown.error.name == "NameError"
    sandbox.run_code("x = 'own'", context=made)
    assert sandbox.run_code("x", context=made).text == "own"
    assert sandbox.run_code("x").text == "default"
    assert sandbox.run_code("x", context=first[0]).text == "default"
    with raises(InvalidArgumentException):
        sandbox.run_code("x", language="python", context=made)  # pyright: ignore[reportCallIssue]  # it is refused


def restarted_and_removed(sandbox: Sandbox) -> None:
    made = sandbox.create_code_context()
    sandbox.run_code("x = 1", context=made)
    sandbox.restart_code_context(made.id)
    assert sandbox.run_code("'x' in globals()", context=made).text == "False"
    sandbox.remove_code_context(made)
    with raises(NotFoundException):
        sandbox.run_code("x", context=made)


async def restarted_and_removed_async(sandbox: AsyncSandbox) -> None:
    made = await sandbox.create_code_context()
    assert made.cwd == "/home/user"
    await sandbox.run_code("x = 1", context=made)
    await sandbox.restart_code_context(made)
    gone = await sandbox.run_code("x", context=made)
    assert gone.error is not None
    assert gone.error.name == "NameError"
    assert gone.execution_count == 1
    await sandbox.remove_code_context(made.id)
    assert made.id not in [one.id for one in await sandbox.list_code_contexts()]
    with raises(NotFoundException):
        await sandbox.run_code("x", context=made)
    with raises(NotFoundException):
        await sandbox.remove_code_context(made)
    with raises(NotFoundException):
        await sandbox.restart_code_context(made)


async def main() -> None:
    sandbox = Sandbox.create(timeout=120)
    apart(sandbox)
    restarted_and_removed(sandbox)
    # The SDK's types forget which class was asked.
    same: AsyncSandbox = await AsyncSandbox.connect(sandbox.sandbox_id)  # pyright: ignore[reportAssignmentType]
    await restarted_and_removed_async(same)
    assert await same.kill()


asyncio.run(main())
