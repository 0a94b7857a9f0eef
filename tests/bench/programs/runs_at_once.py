"""A runbook once, then so many times at once in this process; prints what they took."""

import json
import resource
import sys
import time

import anyio

import sandbook

WARM = "alone"


def _memory() -> float:
    """The most that this process ever held, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main(file: str, count: int) -> dict[str, list[float]]:
    """Milliseconds of a run, megabytes of each, and how many were not green."""
    book = sandbook.load(file)
    red: list[str] = []

    async def one() -> None:
        report = await sandbook.run(book, providers=("e2b",))
        if report.exit:
            red.append(f"{report.status}: {report.cause}")

    found: dict[str, list[float]] = {}
    for name, number in ((WARM, 1), ("each", count)):
        memory, cpu, began = _memory(), _cpu(), time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(number):
                tasks.start_soon(one)
        found[name] = [(time.perf_counter() - began) * 1e3 / number]
        found[f"{name} cpu"] = [(_cpu() - cpu) * 1e3 / number]
        found["megabytes"] = [(_memory() - memory) / number]
    sys.stderr.write("\n".join(red[:5]))
    return {**found, "errors": [len(red)]}


if __name__ == "__main__":
    told = anyio.run(main, sys.argv[1], int(sys.argv[2]))
    json.dump(told, sys.stdout)
    sys.exit(1 if told["errors"][0] else 0)
