"""The Python surface: run, load, open_sandbox, and their synchronous twins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

import sandbook
from sandbook.api import ExecRequest
from sandbook.errors import NoProvider, RunbookError, UsageError
from tests.runner.conftest import Runs

HELLO = """
    inputs: {who: {default: world}}
    steps:
      - id: hi
        command: echo "Hello, ${{ inputs.who }}!"
    outputs: {said: "${{ steps.hi.text }}"}
"""


@pytest.fixture(autouse=True)
def _own_folders(run: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SANDBOOK_STATE", "SANDBOOK_CACHE", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, run.environ[name])


def test_run_gives_the_report(run: Runs) -> None:
    async def call() -> sandbook.Report:
        return await sandbook.run(run.write(HELLO), inputs={"who": "you"})

    report = anyio.run(call)
    assert report.status == "passed"
    assert report.outputs == {"said": "Hello, you!"}


def test_a_red_run_is_a_report_and_no_exception(run: Runs) -> None:
    report = sandbook.run_sync(run.write("steps: [{command: exit 3}]"))
    assert (report.status, report.exit) == ("failed", 1)


def test_load_raises_with_every_problem_of_the_file(run: Runs) -> None:
    path = run.write("steps:\n  - comand: echo\n  - write: x\n    conten: y\n")
    with pytest.raises(RunbookError) as caught:
        sandbook.load(path)
    assert len(caught.value.problems) >= 2


def test_a_missing_secret_is_refused_before_anything_starts(run: Runs) -> None:
    path = run.write("secrets: [NOWHERE_TO_BE_FOUND]\nsteps: [{command: 'true'}]")
    with pytest.raises(UsageError, match="NOWHERE_TO_BE_FOUND"):
        sandbook.run_sync(path)
    assert not (run.state / "runs").exists() or not list((run.state / "runs").iterdir())


def test_open_sandbox_gives_a_sandbox_and_ends_it(run: Runs) -> None:
    async def call() -> bytes:
        async with sandbook.open_sandbox(providers=("local",)) as box:
            await box.files.write("in.txt", b"from here")
            process = await box.start(ExecRequest(program=("cat", "in.txt"), key="cat"))
            assert len(run.sandboxes()) == 1
            return (await process.wait()).stdout.data()

    assert anyio.run(call) == b"from here"
    assert run.sandboxes() == []


def test_open_sandbox_ends_it_when_the_block_fails(run: Runs) -> None:
    async def call() -> None:
        async with sandbook.open_sandbox(providers=("local",)):
            raise KeyError("mine")

    with pytest.raises(KeyError):
        anyio.run(call)
    assert run.sandboxes() == []


def test_open_sandbox_says_why_nobody_could_make_one() -> None:
    async def call() -> None:
        async with sandbook.open_sandbox(isolation="microvm"):
            raise AssertionError("it must not get here")

    with pytest.raises(NoProvider, match="isolation microvm"):
        anyio.run(call)


def test_a_program_without_an_event_loop_opens_a_sandbox_too(run: Runs) -> None:
    with sandbook.open_sandbox_sync(providers=("local",)) as (box, portal):
        portal.call(box.files.write, "a.txt", b"sync")
        assert portal.call(box.files.read, "a.txt") == b"sync"
    assert run.sandboxes() == []


def test_every_public_name_can_be_imported() -> None:
    for name in sandbook.__all__:
        assert getattr(sandbook, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(sandbook, "no_such_name")  # noqa: B009 (a plain one is no error yet)


def test_importing_the_package_loads_almost_nothing() -> None:
    code = "import sandbook, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"anyio", "asyncio", "yaml", "jsonschema", "click", "e2b"}
    assert Path(sandbook.__file__).name == "__init__.py"
