"""The first sandbox of a fresh process; prints milliseconds as JSON."""

import os
import time

START = time.perf_counter()

# ruff: noqa: E402 (the imports are what is measured)
import json
import sys
from pathlib import Path

import anyio

from sandbook.api import SandboxSpec, Settings
from sandbook_local.provider import LocalProvider


def settings() -> Settings:
    """Settings in the folders that the environment names."""
    return Settings(
        values={},
        environ=os.environ,
        state=Path(os.environ["SANDBOOK_STATE"]),
        cache=Path(os.environ["SANDBOOK_CACHE"]),
        installation="bench",
    )


async def create() -> dict[str, list[float]]:
    """Create and destroy one."""
    imported = time.perf_counter()
    provider = LocalProvider(settings())
    sandbox = await provider.create(SandboxSpec(), key=str(os.getpid()))
    created = time.perf_counter()
    await provider.destroy(sandbox.ref)
    ended = time.perf_counter()
    return {
        "import": [(imported - START) * 1e3],
        "create": [(created - imported) * 1e3],
        "destroy": [(ended - created) * 1e3],
    }


if __name__ == "__main__":
    json.dump(anyio.run(create), sys.stdout)
