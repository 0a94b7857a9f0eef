"""What a check works with: sandboxes that are destroyed after it, and patience."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

import anyio

from sandbook.api import (
    JSON,
    Capabilities,
    Chunk,
    ExecRequest,
    ExecResult,
    Network,
    Process,
    Provider,
    Sandbox,
    SandboxInfo,
    SandboxSpec,
    Shell,
)
from sandbook.errors import ProviderError
from sandbook.testing._check import Skipped
from sandbook.testing._subject import Options, Subject

TEARDOWN = 60.0
_E = TypeVar("_E", bound=Exception)


class Caught(Generic[_E]):
    """The error that `fails` waited for; `error` once the block is left."""

    error: _E


@contextmanager
def fails(kind: type[_E]) -> Generator[Caught[_E]]:
    """Require that the block raises `kind`."""
    caught: Caught[_E] = Caught()
    try:
        yield caught
    except kind as error:
        caught.error = error
    else:
        raise AssertionError(f"no {kind.__name__} was raised")


async def until(
    claim: Callable[[], Awaitable[object]], *, within: float, what: str
) -> None:
    """Ask `claim` again and again until it holds; fail after `within` seconds."""
    pause = 0.02
    with anyio.move_on_after(within):
        while not await claim():
            await anyio.sleep(pause)
            pause = min(pause * 1.5, 0.5)
        return
    raise AssertionError(f"not within {within:g} s: {what}")


class Kit:
    """One check's view of the provider."""

    def __init__(self, subject: Subject, *, folder: Path) -> None:
        """`folder` is a folder of this computer for the check alone."""
        self.subject = subject
        self.folder = folder
        self.options: Options = subject.options
        self.capabilities: Capabilities = subject.capabilities
        self.provider: Provider = subject.make()
        self._boxes: list[Sandbox] = []

    def has(self, capability: str) -> bool:
        """Whether the provider declares it."""
        return capability in self.capabilities.native | self.capabilities.emulated

    def name(self, prefix: str = "kit") -> str:
        """A word nobody else uses."""
        return f"{prefix}-{secrets.token_hex(5)}"

    def spec(self, **changes: Any) -> SandboxSpec:
        """A sandbox of the strongest kind this provider has, without network."""
        base = self.options.spec or SandboxSpec(
            lifetime=300.0,
            isolation=self.capabilities.isolation,
            network=self._network(),
        )
        return replace(base, **changes)

    def _network(self) -> Network:
        if self.has("net.off"):
            return "off"
        return "egress" if self.has("net.egress") else "host"

    async def box(self, **changes: Any) -> Sandbox:
        """A new sandbox, destroyed after the check."""
        box = await self.provider.create(self.spec(**changes), key=self.name("key"))
        return self.keep(box)

    def keep(self, box: Sandbox) -> Sandbox:
        """Destroy this one after the check, too."""
        self._boxes.append(box)
        return box

    async def start(
        self, box: Sandbox, program: str | tuple[str, ...], **request: Any
    ) -> Process:
        """Start a program; a text is run by sh."""
        shell = (
            Shell(text=program, dialect="sh") if isinstance(program, str) else program
        )
        request.setdefault("key", self.name("run"))
        return await box.start(ExecRequest(program=shell, **request))

    async def run(
        self, box: Sandbox, program: str | tuple[str, ...], **request: Any
    ) -> ExecResult:
        """Run a program to its end."""
        return await (await self.start(box, program, **request)).wait()

    async def out(
        self, box: Sandbox, program: str | tuple[str, ...], **request: Any
    ) -> bytes:
        """What a program that succeeds prints."""
        result = await self.run(box, program, **request)
        told = f"{program!r}: {result.end} {result.code} {result.stderr.data()!r}"
        if result.code != 0:
            raise AssertionError(told)
        return result.stdout.data()

    async def pid(self, box: Sandbox, path: str) -> int:
        """The number a process wrote into `path`, once it is there."""
        found: list[int] = []

        async def is_there() -> bool:
            text = (await self.run(box, ("cat", path))).stdout.data().strip()
            found.extend([int(text)] if text.isdigit() else [])
            return bool(found)

        await until(is_there, within=20, what=f"a process number in {path!r}")
        return found[0]

    async def lives(self, box: Sandbox, pid: int) -> bool:
        """Whether a process of the sandbox runs; one that nobody reaped does not."""
        text = f"kill -0 {pid} && ! grep -q '^State:.Z' /proc/{pid}/status"
        return (await self.run(box, text)).code == 0

    async def must_live(self, box: Sandbox, pid: int) -> None:
        """Show that a process is there, before something is said to end it."""
        if not await self.lives(box, pid):
            raise AssertionError(f"process {pid} was not there to begin with")

    async def must_end(self, box: Sandbox, pid: int) -> None:
        """Require that a process ends."""

        async def is_gone() -> bool:
            return not await self.lives(box, pid)

        patience = self.options.patience
        await until(is_gone, within=patience, what=f"the end of process {pid}")

    async def listed(self, labels: Mapping[str, str]) -> list[SandboxInfo]:
        """What `list` tells of these labels."""
        return [info async for info in self.provider.list(labels)]

    def decoy(self) -> Path:
        """A file of this computer, outside every sandbox, that we can read."""
        folder = self.folder / self.name("outside")
        folder.mkdir()
        secret = folder / "secret.txt"
        secret.write_text(self.name("secret"), encoding="ascii")
        if not secret.read_text(encoding="ascii").startswith("secret-"):
            raise AssertionError("the decoy cannot be read from here")
        return secret

    async def elsewhere(self, operation: str, **arguments: JSON) -> dict[str, JSON]:
        """Do an operation of `_operations` in a new process; what it returned."""
        async with self.other_process(operation, **arguments) as process:
            output, errors = await process.communicate()
        if process.returncode:
            told = errors.decode()[-2000:]
            raise AssertionError(f"the other process ({process.returncode}): {told}")
        answer: dict[str, JSON] = json.loads(output.decode().splitlines()[-1])
        return answer

    @asynccontextmanager
    async def other_process(
        self, operation: str, **arguments: JSON
    ) -> AsyncGenerator[OtherProcess]:
        """A new process that does `operation`; killed when the block is left."""
        asked = {**self.subject.to_json(), "operation": operation, "with": arguments}
        process = OtherProcess(json.dumps(asked).encode())
        try:
            yield process
        finally:
            process.kill()

    async def aclose(self) -> None:
        """Destroy what the check made, whatever happened."""
        with anyio.move_on_after(TEARDOWN, shield=True):
            for box in self._boxes:
                try:
                    await box.aclose()
                    await self.provider.destroy(box.ref)
                except ProviderError:
                    # The check told what is wrong; the others must go, too.
                    continue
            await self.provider.aclose()


class OtherProcess:
    """A new Python process that has our import path and nothing else of ours."""

    def __init__(self, asked: bytes) -> None:
        """Start it, and give it what it is asked on stdin."""
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._asked = asked
        self._process = subprocess.Popen(
            (sys.executable, "-m", "sandbook.testing._other_process"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
        )
        self.returncode: int | None = None

    async def communicate(self) -> tuple[bytes, bytes]:
        """Wait for its end; what it printed."""
        both = await anyio.to_thread.run_sync(self._communicate, abandon_on_cancel=True)
        self.returncode = self._process.returncode
        return both

    def _communicate(self) -> tuple[bytes, bytes]:
        return self._process.communicate(self._asked)

    async def line(self) -> dict[str, JSON]:
        """The first line it prints, while it runs on."""
        read = await anyio.to_thread.run_sync(self._first_line, abandon_on_cancel=True)
        if not read:
            raise AssertionError("the other process ended without a word")
        answer: dict[str, JSON] = json.loads(read)
        return answer

    def _first_line(self) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            return b""
        stdin.write(self._asked)
        stdin.close()
        return stdout.readline()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


async def collect(process: Process, *, after: int = 0) -> list[Chunk]:
    """All output of a process."""
    return [chunk async for chunk in process.output(after=after)]


def joined(chunks: list[Chunk], stream: str = "stdout") -> bytes:
    """The bytes of one stream."""
    return b"".join(chunk.data for chunk in chunks if chunk.stream == stream)


def skip(reason: str) -> NoReturn:
    """Leave a check out; `reason` is reported."""
    raise Skipped(reason)
