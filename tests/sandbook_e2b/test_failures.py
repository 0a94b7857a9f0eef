"""What goes wrong at E2B has the meaning that the contract gives it."""

from __future__ import annotations

import pytest

from sandbook.api import ExecRequest, SandboxSpec, Shell
from sandbook.errors import (
    AtCapacity,
    AuthRejected,
    Busy,
    CreateUnknown,
    PlanLimit,
    ProviderError,
    RateLimited,
    SpecRejected,
    TeardownFailed,
    Unreachable,
    Unsupported,
)
from tests.sandbook_e2b.conftest import Away
from tests.servers.core.faults import Fault
from tests.servers.e2b.server import E2BServer
from tests.servers.running import local_provider, running

CREATE = "/v2/sandboxes"

REFUSALS: list[tuple[int, str, type[ProviderError], str]] = [
    (400, "bad request", SpecRejected, "no"),
    (401, "no such key", AuthRejected, "no"),
    (403, "the team is blocked", PlanLimit, "no"),
    (404, "template not found", SpecRejected, "no"),
    (429, "too many requests", RateLimited, "no"),
    (429, "maximum number of concurrent E2B sandboxes (20)", AtCapacity, "no"),
    (500, "internal error", Busy, "maybe"),
    (503, "no capacity", Busy, "no"),
]


@pytest.mark.parametrize(("status", "text", "kind", "sent"), REFUSALS)
def test_a_refused_create_says_why(
    away: Away, status: int, text: str, kind: type[ProviderError], sent: str
) -> None:
    away.server.arm(
        Fault(kind="status", method="POST", path=CREATE, status=status, message=text)
    )

    async def refused() -> None:
        with pytest.raises(kind) as caught:
            await away.provider().create(SandboxSpec(), key="refused")
        assert type(caught.value) is kind
        assert (caught.value.provider, caught.value.operation) == ("e2b", "create")
        assert caught.value.sent == sent
        assert caught.value.remedy
        assert caught.value.__cause__ is not None

    away.run(refused)


def test_a_create_whose_answer_is_lost_is_unknown(away: Away) -> None:
    away.server.arm(Fault(kind="lost_reply", method="POST", path=CREATE))
    labels = {"sandbook.reservation": "lost"}

    async def lost() -> None:
        provider = away.provider()
        with pytest.raises(CreateUnknown) as caught:
            await provider.create(SandboxSpec(labels=labels), key="lost")
        assert caught.value.sent == "maybe"
        # The engine finds it by its label, and decides.
        (found,) = [info async for info in provider.list(labels)]
        assert await provider.destroy(found.ref) == "destroyed"

    away.run(lost)


def test_a_service_that_cannot_be_reached_was_sent_nothing(away: Away) -> None:
    async def refused() -> None:
        nobody = away.provider(E2B_API_URL="http://127.0.0.1:9")
        with pytest.raises(Unreachable) as caught:
            await nobody.create(SandboxSpec(), key="nobody")
        assert caught.value.sent == "no"
        assert (await nobody.preflight(live=True)).state == "unreachable"

    away.run(refused)


def test_a_key_that_is_refused_is_told_before_any_sandbox(away: Away) -> None:
    async def refused() -> None:
        told = await away.provider(E2B_API_KEY="e2b_wrong").preflight(live=True)
        assert (told.state, "E2B_API_KEY" in told.remedy) == ("refused", True)
        assert "e2b_wrong" not in told.message + told.remedy

    away.run(refused)


def test_a_destroy_that_is_refused_says_that_the_sandbox_lives(away: Away) -> None:
    async def refused() -> None:
        async with away.box() as box:
            away.server.arm(
                Fault(
                    kind="status",
                    method="DELETE",
                    path=f"/sandboxes/{box.ref.id}",
                    status=500,
                    message="not now",
                )
            )
            with pytest.raises(TeardownFailed):
                await away.provider().destroy(box.ref)
            assert (await box.info()).state == "running"

    away.run(refused)


def test_a_full_account_is_at_capacity(away: Away) -> None:
    async def full(url: str) -> None:
        provider = away.provider(E2B_API_URL=url, E2B_SANDBOX_URL=url)
        first = await provider.create(SandboxSpec(), key="first")
        with pytest.raises(AtCapacity):
            await provider.create(SandboxSpec(), key="second")
        await first.aclose()
        assert await provider.destroy(first.ref) == "destroyed"
        second = await provider.create(SandboxSpec(), key="second")
        await second.aclose()
        assert await provider.destroy(second.ref) == "destroyed"

    with local_provider() as local, running(E2BServer(local, most=1)) as server:
        away.run(lambda: full(server.url))


def test_a_sandbox_without_python_is_refused_with_the_remedy(away: Away) -> None:
    async def refused() -> None:
        # Where there is no interpreter on the path, there is no driver.
        spec = SandboxSpec(env={"PATH": "/nowhere"})
        with pytest.raises(Unsupported) as caught:
            async with away.box(spec):
                pass
        assert "python3" in str(caught.value)
        assert "python3" in caught.value.remedy

    away.run(refused)


def test_a_command_goes_on_when_the_connection_to_the_driver_breaks(
    away: Away,
) -> None:
    async def broken() -> None:
        async with away.box() as box:
            text = "for i in 1 2 3; do echo $i; sleep 0.2; done; echo over; exit 4"
            process = await box.start(
                ExecRequest(program=Shell(text=text), key="on", timeout=60)
            )
            heard = b""
            async for chunk in process.output():
                if not heard:
                    await _break_connections(away, box.ref.id)
                heard += chunk.data
            assert heard == b"1\n2\n3\nover\n"
            assert (await process.wait()).code == 4

    away.run(broken)


async def _break_connections(away: Away, id: str) -> None:
    """End the driver in a sandbox, as a proxy does that cuts an old stream."""
    from e2b import AsyncSandbox  # only this test looks under the provider

    url = away.server.url
    sdk = await AsyncSandbox.connect(
        id, api_key=away.environ["E2B_API_KEY"], api_url=url, sandbox_url=url
    )
    (driver,) = [p for p in await sdk.commands.list() if "python3" in p.args[-1]]
    assert await sdk.commands.kill(driver.pid)
