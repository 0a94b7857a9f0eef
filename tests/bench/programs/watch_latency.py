"""How late a change is told, from a sandbox and by `watchdog` here; prints JSON.

Whoever makes the file notes the moment just before: both sides read one clock.
"""

import json
import queue
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
from watchdog.events import FileCreatedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from sandbook.api import ExecRequest, Process, SandboxSpec, WatchEvent, WatchRequest
from sandbook_local.provider import LocalProvider
from tests.bench.programs.cold_create import settings

PAUSE = 0.01
"""Seconds between two changes, so that each is told alone."""

WRITER = """
import sys, time
for line in sys.stdin:
    moment = time.time()
    open("src/" + line.strip(), "x").close()
    print(moment, flush=True)
"""


class _Times(FileSystemEventHandler):
    def __init__(self) -> None:
        self.seen: queue.SimpleQueue[float] = queue.SimpleQueue()

    def on_created(self, event: FileSystemEvent) -> None:
        if isinstance(event, FileCreatedEvent):
            self.seen.put(time.time())


@contextmanager
def observed(folder: str) -> Generator[_Times]:
    """Watch a folder of this computer."""
    handler, observer = _Times(), Observer()
    observer.schedule(handler, folder, recursive=True)
    observer.start()
    try:
        yield handler
    finally:
        observer.stop()
        observer.join()


def outside(handler: _Times, path: Path) -> float:
    """Make a file here; milliseconds until it is told."""
    moment = time.time()
    path.touch()
    return (handler.seen.get() - moment) * 1e3


class Inside:
    """Makes files in a sandbox and hears of them."""

    def __init__(self, writer: Process, events: AsyncIterator[WatchEvent]) -> None:
        self.writer = writer
        self.output = writer.output()
        self.events = events

    async def make(self, name: str) -> float:
        """Make a file; milliseconds until it is told."""
        await self.writer.send(f"{name}\n".encode())
        async for event in self.events:
            if event.path == name:
                break
        told = time.time()
        moment = float((await anext(self.output)).data)
        return (told - moment) * 1e3


async def rounds(count: int) -> dict[str, list[float]]:
    """Both in turn; the first round warms up."""
    found: dict[str, list[float]] = {"watchdog": [], "sandbox": [], "enter": []}
    provider = LocalProvider(settings())
    box = await provider.create(SandboxSpec(network="off"), key="watch")
    await box.files.write("src/first", b"")
    program = ("python3", "-c", WRITER)
    request = ExecRequest(program=program, key="writer", stdin="pipe")
    writer = await box.start(request)
    with tempfile.TemporaryDirectory() as folder, observed(folder) as handler:
        began = time.perf_counter()
        async with box.watch(WatchRequest(path="src")) as watch:
            found["enter"] = [(time.perf_counter() - began) * 1e3]
            inside = Inside(writer, watch.events())
            for number in range(count + 1):
                late = outside(handler, Path(folder, f"f{number}"))
                ours = await inside.make(f"f{number}")
                if number:
                    found["watchdog"].append(late)
                    found["sandbox"].append(ours)
                await anyio.sleep(PAUSE)
    await provider.destroy(box.ref)
    return found


if __name__ == "__main__":
    json.dump(anyio.run(rounds, int(sys.argv[1])), sys.stdout)
