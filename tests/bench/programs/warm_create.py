"""Sandboxes one after the other in one process; prints milliseconds as JSON."""

import json
import subprocess
import sys
import time

import anyio

from sandbook.api import SandboxSpec
from sandbook_local.provider import LocalProvider
from tests.bench.programs.cold_create import settings

FLOOR = [sys.executable, "-I", "-S", "-c", "pass"]


async def rounds(count: int) -> dict[str, list[float]]:
    """Floor, create, destroy in turn; the first round warms up."""
    found: dict[str, list[float]] = {"floor": [], "create": [], "destroy": []}
    provider = LocalProvider(settings())
    for number in range(count + 1):
        marks = [time.perf_counter()]
        subprocess.run(FLOOR, check=True)  # noqa: ASYNC221 (nothing else is to run)
        marks.append(time.perf_counter())
        sandbox = await provider.create(SandboxSpec(), key=f"warm-{number}")
        marks.append(time.perf_counter())
        await provider.destroy(sandbox.ref)
        marks.append(time.perf_counter())
        for name, began, ended in zip(found, marks, marks[1:], strict=False):
            found[name] += [(ended - began) * 1e3] if number else []
    return found


if __name__ == "__main__":
    json.dump(anyio.run(rounds, int(sys.argv[1])), sys.stdout)
