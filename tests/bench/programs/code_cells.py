"""Cells of Python in sandboxes that are there; prints milliseconds as JSON."""

import json
import subprocess
import sys
import time

import anyio

from sandbook.api import Code, CodeContext, CodeRequest, Done, SandboxSpec
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.bench.programs.cold_create import settings

WARM = 20


async def rounds(count: int) -> dict[str, list[float]]:
    """A sandbox for each round; the first warms up."""
    found: dict[str, list[float]] = {}
    provider = LocalProvider(settings())
    for number in range(count + 1):
        floor = run_outside()
        sandbox = await provider.create(SandboxSpec(), key=f"cells-{number}")
        try:
            taken = await measure(sandbox)
        finally:
            await provider.destroy(sandbox.ref)
        for kind, value in {"floor": floor, **taken}.items():
            found.setdefault(kind, []).extend([value] if number else [])
    return found


def run_outside() -> float:
    """Milliseconds of an interpreter that does nothing."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - began) * 1e3


async def measure(sandbox: LocalSandbox) -> dict[str, float]:
    """Milliseconds until the first result, that of another context, and a cell more."""
    cold = await first_result(sandbox, "main")
    second = await first_result(sandbox, "second")
    code = await sandbox.code(CodeContext(language="python"))
    began = time.perf_counter()
    for number in range(WARM):
        await run(code, f"warm-{number}")
    warm = (time.perf_counter() - began) * 1e3 / WARM
    return {"cold": cold, "second": second, "warm": warm}


async def first_result(sandbox: LocalSandbox, name: str) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    code = await sandbox.code(CodeContext(language="python", name=name))
    await run(code, f"first-{name}")
    return (time.perf_counter() - began) * 1e3


async def run(code: Code, key: str) -> None:
    """Run a cell that must go well."""
    last = [event async for event in code.run(CodeRequest(key=key, source="1 + 1"))][-1]
    if not isinstance(last, Done) or last.status != "ok":
        raise RuntimeError(f"{key} gave {last!r}")


if __name__ == "__main__":
    json.dump(anyio.run(rounds, int(sys.argv[1])), sys.stdout)
