"""Real sandboxes in a folder of each test, gone at its end."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from sandbook.api import (
    ExecRequest,
    ExecResult,
    Process,
    SandboxSpec,
    Settings,
    Shell,
)
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces")

LAUNCHER = "SANDBOOK_TEST_LAUNCHER"
"""Names the variable that has all sandboxes of these tests made in one way."""

LOUD = 32 << 20
"""Bytes, of which 10 MiB would be kept."""
SHOUT = f"yes 0123456 | head -c {LOUD}"

Create = Callable[..., Awaitable[LocalSandbox]]


@pytest.fixture
def anyio_backend() -> str:
    """We promise asyncio only."""
    return "asyncio"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation of its own."""
    launcher = os.environ.get(LAUNCHER)
    values = {"launcher": launcher} if launcher else {}
    return Settings(state=tmp_path / "state", cache=tmp_path / "cache", values=values)


@pytest.fixture
async def provider(settings: Settings) -> AsyncIterator[LocalProvider]:
    """A provider whose sandboxes end with the test."""
    made = LocalProvider(settings)
    yield made
    async for info in made.list({}):
        await made.destroy(info.ref)


@pytest.fixture
def create(provider: LocalProvider) -> Create:
    """Makes a sandbox; `spec` fields as keywords."""
    count = iter(range(1_000))

    async def make(**fields: object) -> LocalSandbox:
        spec = SandboxSpec(**{"network": "off", **fields})  # type: ignore[arg-type]
        return await provider.create(spec, key=f"test-{next(count)}")

    return make


@pytest.fixture
async def sandbox(create: Create) -> AsyncIterator[LocalSandbox]:
    """A sandbox without network; its channels are closed with the test."""
    made = await create()
    yield made
    await made.aclose()


_keys = iter(range(1_000_000))


def shell(text: str, *, key: str | None = None, **fields: object) -> ExecRequest:
    """A request for a shell text, under a key of its own."""
    key = key or f"key-{os.getpid()}-{next(_keys)}"
    return ExecRequest(program=Shell(text=text), key=key, **fields)  # type: ignore[arg-type]


def argv(*program: str, **fields: object) -> ExecRequest:
    """A request for a program, under a key of its own."""
    key = f"key-{os.getpid()}-{next(_keys)}"
    return ExecRequest(program=program, key=key, **fields)  # type: ignore[arg-type]


async def run(sandbox: LocalSandbox, request: ExecRequest | str) -> ExecResult:
    """Run to the end."""
    wanted = shell(request) if isinstance(request, str) else request
    return await (await sandbox.start(wanted)).wait()


async def text_of(sandbox: LocalSandbox, request: ExecRequest | str) -> str:
    """What it printed, when it went well."""
    result = await run(sandbox, request)
    assert result.code == 0, result
    return result.stdout.data().decode()


async def hears_all_of_the_shout(process: Process) -> bool:
    """Whether a reader who comes now is given all that `SHOUT` prints."""
    seen = hashlib.sha256()
    async for chunk in process.output():
        seen.update(chunk.data)
    return seen.digest() == hashlib.sha256(b"0123456\n" * (LOUD // 8)).digest()


async def until(
    claim: Callable[[], bool | Awaitable[bool]], *, within: float = 20.0
) -> None:
    """Wait until a claim holds."""
    deadline = time.monotonic() + within
    while True:
        found = claim()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline, "it never came true"
        await anyio.sleep(0.02)


def processes_with(mark: str) -> list[int]:
    """The processes of this computer whose command line contains a text."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in line:
            found.append(int(folder.name))
    return found
