"""Sandboxes of E2B that are paused, copied and measured, and the way to their ports."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from e2b_code_interpreter import AsyncSandbox  # pyright: ignore[reportMissingTypeStubs]  # it has types

from sandbook.api import ExecRequest, Sandbox, SandboxSpec, Shell, SnapshotRef
from sandbook.errors import PortClosed, SandboxLost, SpecRejected, UsageError
from sandbook_e2b import ports
from sandbook_e2b.sandbox import E2BSandbox
from tests.sandbook_e2b.conftest import Away
from tests.servers.conftest import E2B_KEY


async def out(box: Sandbox, text: str, *, key: str) -> str:
    """What a text for a shell prints."""
    process = await box.start(ExecRequest(program=Shell(text=text), key=key))
    result = await process.wait()
    assert result.code == 0, result
    return result.stdout.data().decode()


async def known(away: Away, box: Sandbox) -> Any:
    """The sandbox as the SDK knows it, whose second half does not tell its types."""
    return await AsyncSandbox.connect(
        box.ref.id,
        api_key=E2B_KEY,
        api_url=away.server.url,
        sandbox_url=away.server.url,
    )


def test_whoever_uses_a_paused_sandbox_is_told_that_and_wakes_nothing(
    away: Away,
) -> None:
    async def told() -> None:
        async with away.box() as box:
            assert await out(box, "echo here", key="before") == "here\n"
            await box.pause()
            with pytest.raises(SpecRejected, match="is paused"):
                await box.files.read("anything")
            assert (await box.info()).state == "paused"
            await box.pause()  # once more is no failure
            again = await away.provider().attach(box.ref, resume_paused=True)
            assert await out(again, "echo there", key="after") == "there\n"
            await again.aclose()

    away.run(told)


def test_a_paused_sandbox_that_was_destroyed_is_lost(away: Away) -> None:
    async def lost() -> None:
        async with away.box() as box:
            await box.pause()
            assert await away.provider().destroy(box.ref) == "destroyed"
            with pytest.raises(SandboxLost):
                await box.files.read("anything")
            assert await away.provider().destroy(box.ref) == "already_gone"

    away.run(lost)


def test_a_sandbox_that_goes_on_lives_as_long_as_at_first(away: Away) -> None:
    async def lives() -> None:
        async with away.box(SandboxSpec(lifetime=700.0)) as box:
            made = await known(away, box)
            await made.set_timeout(8)
            await box.pause()
            before = (await box.info()).expires_at
            assert before is not None
            assert before < datetime.now(UTC) + timedelta(seconds=9)
            await anyio.sleep((before - datetime.now(UTC)).total_seconds() + 0.5)
            again = await away.provider().attach(box.ref, resume_paused=True)
            end = (await again.info()).expires_at
            assert end is not None
            assert 640 < (end - datetime.now(UTC)).total_seconds() <= 701
            await again.aclose()

    away.run(lives)


def test_a_copy_knows_no_command_of_the_sandbox_it_is_made_of(away: Away) -> None:
    async def knows_none() -> None:
        provider = away.provider()
        async with away.box(SandboxSpec(workdir="work")) as box:
            await out(box, "echo 1 >file", key="known")
            snapshot = await box.snapshot("A copy, by NAME")
            assert snapshot.kind == "memory"
            assert await box.find("known") is not None
            try:
                spec = SandboxSpec(template=snapshot)
                async with away.box(spec) as copy:
                    assert await copy.find("known") is None
                    assert await out(copy, "cat work/file", key="known") == "1\n"
                    assert await copy.find("known") is not None
            finally:
                await provider.delete_snapshot(snapshot)
            await provider.delete_snapshot(snapshot)  # gone already is no failure

    away.run(knows_none)


def test_two_copies_may_have_one_name(away: Away) -> None:
    async def two() -> None:
        provider = away.provider()
        async with away.box() as box:
            made: list[SnapshotRef] = []
            try:
                for content in (b"one", b"two"):
                    await box.files.write("file", content)
                    made.append(await box.snapshot("same"))
                async with away.box(SandboxSpec(template=made[0])) as copy:
                    assert await copy.files.read("file") == b"one"
            finally:
                for snapshot in made:
                    await provider.delete_snapshot(snapshot)

    away.run(two)


def test_what_a_sandbox_uses_is_measured(away: Away) -> None:
    async def measured() -> None:
        async with away.box() as box:
            assert isinstance(box, E2BSandbox)
            told = await box.metrics()
            assert told is not None
            assert 0 < told.memory_used <= told.memory
            assert 0 <= told.disk_used <= told.disk
            assert 0 <= told.cpu <= told.cpus

    away.run(measured)


def test_a_port_has_a_host_of_its_own_where_the_service_gives_one(away: Away) -> None:
    async def own() -> None:
        async with away.box() as box:
            made = await known(away, box)
            found = ports.place(made, 8080, sandbox_url=None)
            assert found.url == f"https://8080-{box.ref.id}.e2b.app"
            assert found.headers == {}
            shared = ports.place(made, 8080, sandbox_url="http://all")
            assert shared.url == "http://all"
            assert shared.headers["E2b-Sandbox-Id"] == box.ref.id
            assert shared.headers["E2b-Sandbox-Port"] == "8080"

    away.run(own)


def test_asking_for_a_port_makes_no_connection_to_it(away: Away) -> None:
    serve = (
        "import socket; s = socket.create_server(('127.0.0.1', 8091)); "
        "open('up', 'w'); c, _ = s.accept(); c.recv(4096); "
        "c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\nonce'); c.close()"
    )

    async def asked() -> None:
        async with away.box() as box:
            with pytest.raises(PortClosed):
                await box.port(8091)
            with pytest.raises(UsageError):
                await box.port(0)
            request = ExecRequest(program=("python3", "-c", serve), key="serve")
            process = await box.start(replace(request, background=True))
            await process.detach()
            await out(box, "until test -e up; do sleep 0.1; done", key="up")
            for _ in range(3):
                await box.port(8091)
            fetch = "curl -s http://127.0.0.1:8091/ || wget -qO- http://127.0.0.1:8091/"
            assert await out(box, fetch, key="fetch") == "once"
            assert (await process.wait()).code == 0

    away.run(asked)
