"""Commands in one sandbox and without any, in turn; prints milliseconds as JSON."""

import json
import subprocess
import sys
import time

import anyio

from sandbook.api import ExecRequest, Program, SandboxSpec, Shell
from sandbook_local.provider import LocalProvider
from sandbook_local.sandbox import LocalSandbox
from tests.bench.programs.cold_create import settings

TEXT = "/bin/true"
PROGRAMS: dict[str, tuple[tuple[str, ...], Program]] = {
    "sh": (("sh", "-c", TEXT), ("sh", "-c", TEXT)),
    "bash": (("bash", "-c", TEXT), Shell(text=TEXT)),
}


async def rounds(count: int) -> dict[str, list[float]]:
    """Each kind outside and inside, in turn; the first round warms up."""
    found: dict[str, list[float]] = {}
    provider = LocalProvider(settings())
    sandbox = await provider.create(SandboxSpec(), key="commands")
    try:
        for number in range(count + 1):
            for name, (outside, inside) in PROGRAMS.items():
                taken = {f"{name} outside": run_outside(outside)}
                key = f"{name}-{number}"
                taken[f"{name} inside"] = await run_inside(sandbox, inside, key)
                for kind, value in taken.items():
                    found.setdefault(kind, []).extend([value] if number else [])
    finally:
        await provider.destroy(sandbox.ref)
    return found


def run_outside(argv: tuple[str, ...]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    return (time.perf_counter() - began) * 1e3


async def run_inside(sandbox: LocalSandbox, program: Program, key: str) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    process = await sandbox.start(ExecRequest(program=program, key=key))
    result = await process.wait()
    taken = (time.perf_counter() - began) * 1e3
    if result.code != 0:
        raise RuntimeError(f"{program!r} gave {result!r}")
    return taken


if __name__ == "__main__":
    json.dump(anyio.run(rounds, int(sys.argv[1])), sys.stdout)
