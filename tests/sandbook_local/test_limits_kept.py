"""Limits of a whole sandbox, and how a command learns that it met one."""

from __future__ import annotations

import pytest

from sandbook.api import Resources, SandboxSpec, Settings
from sandbook.errors import Unsupported
from sandbook_local import INFO
from sandbook_local.cgroups import enforceable
from sandbook_local.provider import LocalProvider
from tests.sandbook_local.conftest import Create, argv, run, shell

pytestmark = pytest.mark.anyio

_HUNGRY = "x = b'1' * (400 << 20); import time; time.sleep(20)"


async def test_memory_is_enforced_or_refused(create: Create) -> None:
    resources = Resources(memory=128 << 20)
    if "limits.memory" not in enforceable():
        with pytest.raises(Unsupported, match="memory"):
            await create(resources=resources)
        return
    sandbox = await create(resources=resources)
    result = await run(sandbox, argv("python3", "-c", _HUNGRY))
    assert result.code != 0
    assert result.limit is not None
    assert "memory" in result.limit
    assert (await run(sandbox, argv("echo", "on"))).stdout.data() == b"on\n"


async def test_memory_as_good_as_it_can_be_ends_what_takes_too_much(
    create: Create,
) -> None:
    sandbox = await create(resources=Resources(memory=128 << 20, best_effort=True))
    result = await run(sandbox, argv("python3", "-c", _HUNGRY))
    assert (result.end, result.code) == ("signalled", 137)
    assert result.limit is not None
    assert result.limit.startswith("memory")
    assert (await run(sandbox, argv("echo", "on"))).stdout.data() == b"on\n"


async def test_a_full_disk_is_named(create: Create) -> None:
    sandbox = await create(resources=Resources(disk=4 << 20))
    result = await run(sandbox, shell("head -c 8M /dev/zero > big"))
    assert result.code != 0
    assert result.limit is not None
    assert result.limit.startswith("disk")


async def test_a_failure_without_a_limit_names_none(create: Create) -> None:
    result = await run(await create(), shell("exit 3"))
    assert result.code == 3
    assert result.limit is None


async def test_what_is_declared_can_be_had(create: Create) -> None:
    declared = {n for n in INFO.capabilities(None).native if n.startswith("limits.")}  # type: ignore[arg-type]
    assert declared >= {"limits.pids", "limits.disk"}
    assert declared - {"limits.pids", "limits.disk"} == enforceable()
    if "limits.cpus" in declared:
        sandbox = await create(resources=Resources(cpus=0.5))
        assert (await run(sandbox, argv("true"))).code == 0


async def test_a_sandbox_that_asks_for_no_limit_cannot_take_all_memory(
    settings: Settings,
) -> None:
    values = {"memory": 128 << 20}
    usual = Settings(state=settings.state, cache=settings.cache, values=values)
    provider = LocalProvider(usual)
    sandbox = await provider.create(SandboxSpec(network="off"), key="usual")
    result = await run(sandbox, argv("python3", "-c", _HUNGRY))
    assert (result.end, result.code) == ("signalled", 137)
    assert result.limit is not None
    assert result.limit.startswith("memory")
    assert (await run(sandbox, argv("echo", "on"))).stdout.data() == b"on\n"
    assert await provider.destroy(sandbox.ref) == "destroyed"
