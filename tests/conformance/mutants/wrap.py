"""Wrappers that change nothing, for mutants to break one thing of.

A mutant is a subclass of one of them, entered with `breaks(number)`. It wraps whatever
provider `base` names, so the same mutants can be tried on another one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar, TypeVar

import anyio

from sandbook.api import (
    JSON,
    READ_LIMIT,
    Chunk,
    Code,
    CodeContext,
    CodeEvent,
    CodeRequest,
    Destroyed,
    Diagnosis,
    EchoState,
    ExecRequest,
    ExecResult,
    Files,
    PortUrl,
    Process,
    Provider,
    ProviderInfo,
    Pty,
    PtyRequest,
    Sandbox,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Settings,
    SignalName,
    SnapshotRef,
    Stat,
    Transfer,
    Watch,
    WatchRequest,
)
from sandbook.testing._subject import resolve

BARE = "tests.providers.bare:INFO"
LOCAL = "sandbook_local:INFO"
"""For what the bare provider has not: terminals."""


class MutantProcess:
    """A process, unchanged."""

    def __init__(
        self, box: MutantSandbox, inner: Process, request: ExecRequest
    ) -> None:
        self.box = box
        self.inner = inner
        self.request = request
        self.key = inner.key
        self.pid = inner.pid

    def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        return self.inner.output(after=after)

    async def send(self, data: bytes) -> None:
        await self.inner.send(data)

    async def end_input(self) -> None:
        await self.inner.end_input()

    async def signal(self, name: SignalName) -> bool:
        return await self.inner.signal(name)

    async def wait(self) -> ExecResult:
        return await self.inner.wait()

    async def detach(self) -> None:
        await self.inner.detach()


class MutantFiles:
    """Files, unchanged."""

    def __init__(self, box: MutantSandbox, inner: Files) -> None:
        self.box = box
        self.inner = inner

    async def write(
        self, path: str, data: bytes | AsyncIterable[bytes], *, mode: int | None = None
    ) -> int:
        return await self.inner.write(path, data, mode=mode)

    async def read(self, path: str, *, limit: int = READ_LIMIT) -> bytes:
        return await self.inner.read(path, limit=limit)

    def open(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return self.inner.open(path)

    async def stat(self, path: str, *, follow: bool = False) -> Stat:
        return await self.inner.stat(path, follow=follow)

    def list(self, path: str, *, depth: int = 1) -> AsyncIterator[Stat]:
        return self.inner.list(path, depth=depth)

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        await self.inner.remove(path, recursive=recursive)

    async def rename(self, old: str, new: str) -> None:
        await self.inner.rename(old, new)

    async def upload(self, local: Path, path: str) -> Transfer:
        return await self.inner.upload(local, path)

    async def download(self, path: str, local: Path) -> Transfer:
        return await self.inner.download(path, local)


class MutantPty:
    """A terminal, unchanged; `request` None = it was joined."""

    def __init__(
        self, box: MutantSandbox, inner: Pty, request: PtyRequest | None
    ) -> None:
        self.box = box
        self.inner = inner
        self.request = request
        self.id = inner.id
        self.pid = inner.pid

    def output(self, *, after: int = 0) -> AsyncIterator[Chunk]:
        return self.inner.output(after=after)

    async def send(self, data: bytes) -> None:
        await self.inner.send(data)

    async def resize(self, *, cols: int, rows: int) -> None:
        await self.inner.resize(cols=cols, rows=rows)

    async def echo(self) -> EchoState | None:
        return await self.inner.echo()

    async def hang_up(self) -> None:
        await self.inner.hang_up()

    async def signal(self, name: SignalName) -> bool:
        return await self.inner.signal(name)

    async def wait(self) -> ExecResult:
        return await self.inner.wait()

    async def detach(self) -> None:
        await self.inner.detach()


class MutantCode:
    """A context of code cells, unchanged."""

    def __init__(self, box: MutantSandbox, inner: Code, request: CodeContext) -> None:
        self.box = box
        self.inner = inner
        self.request = request
        self.id = inner.id

    def run(self, cell: CodeRequest) -> AsyncIterator[CodeEvent]:
        return self.inner.run(cell)

    async def interrupt(self) -> None:
        await self.inner.interrupt()

    async def restart(self) -> None:
        await self.inner.restart()


class MutantSandbox:
    """A sandbox, unchanged."""

    def __init__(self, provider: MutantProvider, inner: Sandbox) -> None:
        self.provider = provider
        self.inner = inner
        self.ref = inner.ref
        self.home = inner.home
        self.files: Files = provider.files_type(self, inner.files)

    def wrap(self, inner: Process, request: ExecRequest) -> MutantProcess:
        return self.provider.process_type(self, inner, request)

    def wrap_pty(self, inner: Pty, request: PtyRequest | None) -> MutantPty:
        return self.provider.pty_type(self, inner, request)

    async def start(self, request: ExecRequest) -> Process:
        return self.wrap(await self.inner.start(request), request)

    async def find(self, key: str) -> Process | None:
        found = await self.inner.find(key)
        if found is None:
            return None
        return self.wrap(found, ExecRequest(program=("found",), key=key))

    async def code(self, request: CodeContext) -> Code:
        inner = await self.inner.code(request)
        return self.provider.code_type(self, inner, request)

    async def pty(self, request: PtyRequest) -> Pty:
        return self.wrap_pty(await self.inner.pty(request), request)

    async def attach_pty(self, id: str) -> Pty:
        return self.wrap_pty(await self.inner.attach_pty(id), None)

    async def find_pty(self, pid: int) -> Pty | None:
        found = await self.inner.find_pty(pid)
        return None if found is None else self.wrap_pty(found, None)

    def watch(self, request: WatchRequest) -> AbstractAsyncContextManager[Watch]:
        return self.inner.watch(request)

    async def port(self, number: int) -> PortUrl:
        return await self.inner.port(number)

    async def extend(self, lifetime: float) -> datetime | None:
        return await self.inner.extend(lifetime)

    async def pause(self) -> None:
        await self.inner.pause()

    async def snapshot(self, name: str) -> SnapshotRef:
        return await self.inner.snapshot(name)

    async def info(self) -> SandboxInfo:
        return await self.inner.info()

    async def aclose(self) -> None:
        await self.inner.aclose()


class MutantProvider:
    """A provider, unchanged; it ends what a mutant left when it is closed."""

    base: ClassVar[str] = BARE
    sandbox_type: ClassVar[type[MutantSandbox]] = MutantSandbox
    process_type: ClassVar[type[MutantProcess]] = MutantProcess
    pty_type: ClassVar[type[MutantPty]] = MutantPty
    files_type: ClassVar[type[MutantFiles]] = MutantFiles
    code_type: ClassVar[type[MutantCode]] = MutantCode
    info: ProviderInfo

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        described = resolve(self.base)
        assert isinstance(described, ProviderInfo)
        make: Callable[[Settings], Provider] = resolve(described.factory)  # type: ignore[assignment]  # a class named by a string
        self.inner = make(settings)
        self.made: list[SandboxRef] = []

    def wrap(self, inner: Sandbox) -> MutantSandbox:
        return self.sandbox_type(self, inner)

    async def preflight(self, *, live: bool = False) -> Diagnosis:
        return await self.inner.preflight(live=live)

    async def create(self, spec: SandboxSpec, *, key: str) -> Sandbox:
        box = await self.inner.create(spec, key=key)
        self.made.append(box.ref)
        return self.wrap(box)

    async def attach(self, ref: SandboxRef, *, resume_paused: bool = False) -> Sandbox:
        return self.wrap(await self.inner.attach(ref, resume_paused=resume_paused))

    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        async for info in self.inner.list(labels):
            yield info

    async def destroy(self, ref: SandboxRef) -> Destroyed:
        return await self.inner.destroy(ref)

    async def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        await self.inner.delete_snapshot(snapshot)

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            for ref in self.made:
                await self.inner.destroy(ref)
        await self.inner.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One broken provider: which check must find it, and what it is made with.

    `options` replace fields of the kit's options; `provider` is its import path.
    """

    number: str
    name: str
    provider: str
    values: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    options: Mapping[str, object] = field(default_factory=dict[str, object])


MUTANTS: list[Mutant] = []
PROVIDERS = SimpleNamespace()
INFOS = SimpleNamespace()
_M = TypeVar("_M", bound=type)


def breaks(
    number: str,
    *,
    base: str = BARE,
    values: Mapping[str, JSON] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Callable[[_M], _M]:
    """Enter a class of this module's kinds as the mutant that `number` must find."""

    def enter(broken: _M) -> _M:
        name = f"{number}_{broken.__name__}"
        provider = _provider_of(broken, name, base)
        described = resolve(base)
        assert isinstance(described, ProviderInfo)
        factory = f"tests.conformance.mutants:PROVIDERS.{name}"
        info = getattr(broken, "described", None) or described
        provider.info = dataclasses.replace(info, factory=factory)
        setattr(PROVIDERS, name, provider)
        setattr(INFOS, name, provider.info)
        MUTANTS.append(
            Mutant(
                number=number,
                name=broken.__name__,
                provider=f"tests.conformance.mutants:INFOS.{name}",
                values=values or {},
                environ=environ or {},
            )
        )
        return broken

    return enter


def _provider_of(broken: type, name: str, base: str) -> type[MutantProvider]:
    """A provider of its own, with the broken class in its place."""
    places = (
        (MutantProcess, "process_type"),
        (MutantPty, "pty_type"),
        (MutantSandbox, "sandbox_type"),
        (MutantFiles, "files_type"),
        (MutantCode, "code_type"),
    )
    for kind, place in places:
        if issubclass(broken, kind):
            return type(name, (MutantProvider,), {place: broken, "base": base})
    assert issubclass(broken, MutantProvider)
    return type(name, (broken,), {"base": base})
