"""What the other process can be asked to do; each takes and returns plain values."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pickle
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

import anyio

from sandbook.api import (
    JSON,
    CodeContext,
    CodeRequest,
    ExecRequest,
    ExecResult,
    Process,
    PtyRequest,
    Sandbox,
    SandboxRef,
    SandboxSpec,
    Shell,
    Text,
)
from sandbook.testing._subject import Subject

Arguments: TypeAlias = Mapping[str, JSON]
Operation: TypeAlias = Callable[[Subject, Arguments], Awaitable[dict[str, JSON]]]

PIECE = 1 << 20
QUIET = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.posix_spawn")
CODE_FILES = (".py", ".pyc", ".so", ".pth", ".pyd")


async def describe(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Import the description: which modules came with it, at what CPU time."""
    del asked
    before = set(sys.modules)
    began = time.process_time()
    _ = subject.info
    seconds = time.process_time() - began
    return {"seconds": seconds, "modules": sorted(set(sys.modules) - before)}


async def capabilities(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Ask for the capabilities twice, and tell what was touched meanwhile."""
    del asked
    info = subject.info
    touched: list[str] = []

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        opened = event in ("open", "os.mkdir") and not _is_harmless(str(arguments[0]))
        if event in QUIET or event in ("os.fork", "os.system") or opened:
            touched.append(f"{event} {arguments[:1]!r}")

    sys.addaudithook(hear)
    first = info.capabilities(subject.settings)
    told = list(touched)
    same = info.capabilities(subject.settings) == first
    return {"same": same, "touched": told, "isolation": first.isolation}


def _is_harmless(path: str) -> bool:
    """Code that is imported, and what the kernel says of this computer."""
    return path.endswith(CODE_FILES) or path.startswith(("/proc/", "/sys/"))


class _Block(MetaPathFinder):
    """Makes modules look as if they were not installed."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Refuse a blocked name; leave others to the next finder."""
        del path, target
        if any(f"{name}.".startswith(f"{blocked}.") for blocked in self._names):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


async def preflight(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Ask for a diagnosis without credentials, or with modules blocked."""
    blocked = asked["blocked"]
    if isinstance(blocked, Sequence) and not isinstance(blocked, str):
        sys.meta_path.insert(0, _Block([str(name) for name in blocked]))
    for name in subject.info.credentials:
        os.environ.pop(name, None)
    touched: list[str] = []

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo"):
            touched.append(f"{event} {arguments!r}")

    sys.addaudithook(hear)
    provider = subject.make()
    began = time.monotonic()
    told = await provider.preflight()
    seconds = time.monotonic() - began
    return {
        "state": told.state,
        "text": f"{told.message}\n{told.remedy}",
        "touched": list(touched),
        "seconds": seconds,
    }


async def read_file(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Attach and read."""
    box = await _attach(subject, asked)
    data = await box.files.read(str(asked["path"]))
    return {"data": base64.b64encode(data).decode()}


async def create(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Create, start a program, say so, and wait to be killed."""
    provider = subject.make()
    packed = base64.b64decode(str(asked["spec"]))
    spec: SandboxSpec = pickle.loads(packed)  # noqa: S301 - written by the kit
    box = await provider.create(spec, key=str(asked["key"]))
    await box.start(_request(asked, key="left"))
    sys.stdout.write(json.dumps({"ref": box.ref.to_json()}) + "\n")
    sys.stdout.flush()
    await anyio.sleep_forever()
    return {}


async def start_and_leave(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Attach, start a program, detach from it, and exit."""
    box = await _attach(subject, asked)
    process = await box.start(_request(asked, key=str(asked["key"])))
    await process.detach()
    await box.aclose()
    return {}


async def find(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Attach, find a command by key, and tell its output and end."""
    box = await _attach(subject, asked)
    process = await box.find(str(asked["key"]))
    if process is None:
        return {"found": False}
    chunks = [chunk async for chunk in process.output()]
    result = await process.wait()
    return {
        "found": True,
        "chunks": base64.b64encode(b"".join(c.data for c in chunks)).decode(),
        **_told(result),
    }


async def leave_pty(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Attach, start a terminal, detach from it, and exit."""
    box = await _attach(subject, asked)
    argv = ("sh", "-c", str(asked["program"]))
    pty = await box.pty(PtyRequest(argv=argv, key=str(asked["key"])))
    await pty.detach()
    await box.aclose()
    return {"id": pty.id}


async def join_pty(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Attach, join a terminal, type, and tell what it showed and how it ended."""
    box = await _attach(subject, asked)
    pty = await box.attach_pty(str(asked["id"]))
    await pty.send(str(asked["types"]).encode())
    shown = b"".join([chunk.data async for chunk in pty.output()])
    result = await pty.wait()
    return {
        "shown": base64.b64encode(shown).decode(),
        "end": result.end,
        "code": result.code,
    }


async def cell(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Attach, run a cell of the main context, and tell what it printed."""
    box = await _attach(subject, asked)
    code = await box.code(CodeContext(language="python"))
    printed = ""
    async for event in code.run(_cell(asked)):
        printed += event.data if isinstance(event, Text) else ""
    await box.aclose()
    return {"printed": printed}


async def cell_told(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Attach, run a cell, say when it prints something, and wait to be killed."""
    box = await _attach(subject, asked)
    code = await box.code(CodeContext(language="python"))
    async for event in code.run(_cell(asked)):
        if isinstance(event, Text):
            sys.stdout.write(json.dumps({"printed": event.data}) + "\n")
            sys.stdout.flush()
    return {}


def _cell(asked: Arguments) -> CodeRequest:
    return CodeRequest(key="from another process", source=str(asked["source"]))


async def flood(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Run a program with much output; how this process grew."""
    box = await _attach(subject, asked)
    await _warm_up(box)
    before = _peak()
    process = await box.start(_request(asked, key="flood"))
    result = await process.wait()
    return {"growth": _peak() - before, **_told(result)}


async def stall(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Read one chunk, then nothing for a while, then slowly, then all."""
    box = await _attach(subject, asked)
    await _warm_up(box)
    before = _peak()
    process = await box.start(_request(asked, key="stall"))
    seen, growth = await _read_slowly(process)
    result = await process.wait()
    return {"growth": growth - before, "seen": seen, **_told(result)}


async def _read_slowly(process: Process) -> tuple[str, int]:
    digest = hashlib.sha256()
    count, growth = 0, 0
    async for chunk in process.output():
        digest.update(chunk.data)
        count += 1
        if count == 1:
            await anyio.sleep(1.0)
            growth = _peak()
        elif count <= 20:  # noqa: PLR2004 - long enough to be slower than the program
            await anyio.sleep(0.01)
    return digest.hexdigest(), growth


async def stream_file(subject: Subject, asked: Arguments) -> dict[str, JSON]:
    """Write and read a large file piece by piece; how this process grew."""
    box = await _attach(subject, asked)
    await box.files.write("warm", b"x" * PIECE)
    _ = await box.files.read("warm")
    count = int(str(asked["mebibytes"]))
    before = _peak()
    sent, got = hashlib.sha256(), hashlib.sha256()

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(count):
            piece = number.to_bytes(8, "big") * (PIECE // 8)
            sent.update(piece)
            yield piece

    written = await box.files.write("large", pieces())
    async with box.files.open("large") as stream:
        async for piece in stream:
            got.update(piece)
    await box.files.remove("large")
    same = sent.digest() == got.digest()
    return {"growth": _peak() - before, "same": same, "written": written}


async def _attach(subject: Subject, asked: Arguments) -> Sandbox:
    ref = asked["ref"]
    if not isinstance(ref, Mapping):
        raise TypeError(f"no reference: {ref!r}")
    return await subject.make().attach(SandboxRef.from_json(ref))


async def _warm_up(box: Sandbox) -> None:
    """Load what the first command loads, so that it is not counted as growth."""
    process = await box.start(
        ExecRequest(program=("head", "-c", "3000000", "/dev/zero"), key="warm-up")
    )
    async for _ in process.output():
        pass
    await process.wait()


def _request(asked: Arguments, *, key: str) -> ExecRequest:
    program = Shell(text=str(asked["program"]), dialect="sh")
    background = bool(asked.get("background", False))
    return ExecRequest(program=program, key=key, background=background)


def _told(result: ExecResult) -> dict[str, JSON]:
    return {
        "end": result.end,
        "code": result.code,
        "head": base64.b64encode(result.stdout.head).decode(),
        "tail": base64.b64encode(result.stdout.tail).decode(),
        "stderr": base64.b64encode(result.stderr.data()).decode(),
        "total": result.stdout.total,
        "dropped": result.stdout.dropped,
    }


def _peak() -> int:
    """The most memory this process has held, bytes.

    Not `ru_maxrss` where there is /proc: Linux lets a new program begin with the peak
    of the one that started it, which hid every growth below that.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) * 1024


OPERATIONS: Mapping[str, Operation] = {
    "describe": describe,
    "capabilities": capabilities,
    "preflight": preflight,
    "read_file": read_file,
    "create": create,
    "start_and_leave": start_and_leave,
    "find": find,
    "leave_pty": leave_pty,
    "join_pty": join_pty,
    "cell": cell,
    "cell_told": cell_told,
    "flood": flood,
    "stall": stall,
    "stream_file": stream_file,
}
