"""Who starts a program has time to come for its output."""

from __future__ import annotations

import anyio

from sandbook.api import ExecRequest, Sandbox, Shell
from tests.sandbook_e2b.conftest import Away
from tests.sandbook_local.conftest import LOUD, SHOUT, hears_all_of_the_shout, until


def test_no_output_is_lost_before_its_first_reader_comes(away: Away) -> None:
    async def come_late() -> None:
        async with away.box() as box:
            request = ExecRequest(program=Shell(text=SHOUT), key="loud", timeout=60)
            process = await box.start(request)
            await anyio.sleep(2.0)
            assert await hears_all_of_the_shout(process)
            assert (await process.wait()).stdout.total == LOUD

    away.run(come_late)


def test_a_loud_program_that_nobody_comes_for_goes_on(away: Away) -> None:
    async def come_never() -> None:
        async with away.box() as box:
            text = f"{SHOUT} || true; touch ~/done"
            request = ExecRequest(program=Shell(text=text), key="loud", timeout=60)
            await (await box.start(request)).detach()
            await until(lambda: _is_there(box, "done"), within=50)

    away.run(come_never)


async def _is_there(box: Sandbox, name: str) -> bool:
    return any([stat.path.endswith(f"/{name}") async for stat in box.files.list("~")])
