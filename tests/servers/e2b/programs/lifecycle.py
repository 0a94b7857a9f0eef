"""Sandboxes are made, found, described, kept alive and ended."""

# The SDK leaves the kind of an IO open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from e2b import (
    AsyncSandbox,
    InvalidArgumentException,
    Sandbox,
    SandboxException,
    SandboxNotFoundException,
    SandboxQuery,
    SandboxState,
)

from tests.servers.e2b.programs.expecting import ask, raises, until, until_async

MARK = uuid.uuid4().hex


def made_and_found() -> None:
    before = datetime.now(UTC)
    sandbox = Sandbox.create(
        timeout=120, metadata={"mark": MARK, "a b": "c=d&e"}, envs={"COLOUR": "red"}
    )
    info = sandbox.get_info()
    assert info.sandbox_id == sandbox.sandbox_id
    assert info.metadata == {"mark": MARK, "a b": "c=d&e"}
    assert info.state == SandboxState.RUNNING
    assert info.template_id == "base"
    assert before <= info.started_at <= datetime.now(UTC)
    assert timedelta(0) < info.end_at - info.started_at <= timedelta(seconds=130)
    run = sandbox.commands.run("echo $COLOUR $E2B_SANDBOX $E2B_SANDBOX_ID")
    assert run.stdout == f"red true {sandbox.sandbox_id}\n"

    again = Sandbox.connect(sandbox.sandbox_id)
    again.files.write("note", "hello")
    assert sandbox.files.read("note") == "hello"

    assert sandbox.is_running()
    assert sandbox.kill()
    assert not sandbox.kill()
    assert not sandbox.is_running()
    for call in (sandbox.get_info, lambda: Sandbox.connect(sandbox.sandbox_id)):
        with raises(SandboxNotFoundException):
            call()


def listed() -> None:
    marks = {"run": uuid.uuid4().hex}
    made = [Sandbox.create(timeout=120, metadata=marks | {"n": str(n)}) for n in "123"]
    ids = [one.sandbox_id for one in made]

    def found(
        query: SandboxQuery, limit: int | None = None, order: str = "asc"
    ) -> list[str]:
        pages = Sandbox.list(query, limit=limit, order=order)  # type: ignore[arg-type]
        names: list[str] = []
        while pages.has_next:
            items = pages.next_items()
            assert limit is None or len(items) <= limit
            names += [item.sandbox_id for item in items]
        return names

    assert found(SandboxQuery(metadata=marks)) == ids
    assert found(SandboxQuery(metadata=marks), order="desc") == ids[::-1]
    assert found(SandboxQuery(metadata=marks), limit=1) == ids
    assert found(SandboxQuery(metadata=marks | {"n": "2"})) == ids[1:2]
    assert found(SandboxQuery(metadata=marks, state=[SandboxState.PAUSED])) == []
    assert found(SandboxQuery(metadata=marks, template="base")) == ids
    assert found(SandboxQuery(metadata=marks, template="other")) == []
    later = made[0].get_info().started_at
    assert found(SandboxQuery(metadata=marks, started_after=later)) == ids[1:]
    for one in made:
        assert one.kill()
    assert found(SandboxQuery(metadata=marks)) == []


async def ends_by_itself() -> None:
    sandbox = await AsyncSandbox.create(timeout=120)
    long = (await sandbox.get_info()).end_at
    await AsyncSandbox.connect(sandbox.sandbox_id, timeout=5)
    assert (await sandbox.get_info()).end_at == long, "connect shortened its life"
    await AsyncSandbox.connect(sandbox.sandbox_id, timeout=600)
    assert (await sandbox.get_info()).end_at > long
    assert sandbox.sandbox_id in ask("GET", "/_state")["machines"]

    await sandbox.set_timeout(1)
    await until_async(lambda: _has_ended(sandbox))
    assert sandbox.sandbox_id not in ask("GET", "/_state")["machines"]
    with raises(SandboxNotFoundException):
        await sandbox.set_timeout(60)


async def _has_ended(sandbox: AsyncSandbox) -> bool:
    return not await sandbox.is_running()


async def ends_with_its_block() -> None:
    async with await AsyncSandbox.create(timeout=60) as sandbox:
        assert await sandbox.is_running()
    assert not await sandbox.is_running()


def refused() -> None:
    with raises(SandboxException) as caught:
        Sandbox.create("no-such-template")
    assert caught.error.status_code == 404
    with raises(SandboxException) as caught:
        Sandbox.create(timeout=90_000)
    assert caught.error.status_code == 400
    with raises(InvalidArgumentException):
        Sandbox.create(idempotency_key="NOT a key")


def made_once() -> None:
    key = uuid.uuid4().hex
    first = Sandbox.create(timeout=60, idempotency_key=key)
    second = Sandbox.create(timeout=60, idempotency_key=key)
    assert first.sandbox_id == second.sandbox_id
    assert first.kill()
    until(lambda: first.sandbox_id not in ask("GET", "/_state")["machines"])


def measured() -> None:
    sandbox = Sandbox.create(timeout=60)
    before = sandbox.get_metrics()[-1]
    assert 0 < before.mem_used < before.mem_total
    assert before.cpu_count >= 1
    sandbox.commands.run("head -c 20000000 /dev/zero >large")
    after = sandbox.get_metrics()[-1]
    assert after.disk_used >= before.disk_used + 20_000_000
    assert after.disk_total == before.disk_total
    assert sandbox.kill()


def without_internet() -> None:
    look = "cut -d: -f1 -s /proc/net/dev | tr -d ' \\n'; env | grep -c ^http_proxy"
    shut = Sandbox.create(timeout=60, allow_internet_access=False)
    assert shut.get_info().allow_internet_access is False
    assert shut.commands.run(f"{look} || true").stdout == "lo0\n"
    wide = Sandbox.create(timeout=60)
    assert wide.commands.run(f"{look} || true").stdout == "lo1\n"
    wide.update_network({"deny_out": ["0.0.0.0/0"], "allow_out": ["example.org"]})
    network = wide.get_info().network
    assert network is not None
    assert network.get("deny_out") == ["0.0.0.0/0"]
    assert shut.kill()
    assert wide.kill()


async def measured_and_shut() -> None:
    sandbox = await AsyncSandbox.create(timeout=60)
    metrics = await sandbox.get_metrics(start=datetime.now(UTC) - timedelta(minutes=5))
    assert 0 < metrics[-1].mem_used < metrics[-1].mem_total
    await sandbox.update_network({"deny_out": ["0.0.0.0/0"]})
    network = (await sandbox.get_info()).network
    assert network is not None
    assert network.get("deny_out") == ["0.0.0.0/0"]
    assert await sandbox.kill()


def extended() -> None:
    sandbox = Sandbox.create(timeout=60)
    before = sandbox.get_info().end_at
    sandbox.set_timeout(600)
    assert sandbox.get_info().end_at > before + timedelta(minutes=5)
    assert sandbox.kill()


def main() -> None:
    made_and_found()
    listed()
    refused()
    made_once()
    measured()
    without_internet()
    extended()
    asyncio.run(measured_and_shut())
    asyncio.run(ends_by_itself())
    asyncio.run(ends_with_its_block())


main()
