"""The local provider: makes sandboxes on this computer and finds them again."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import anyio
from anyio import to_thread

from sandbook.api import (
    Destroyed,
    Diagnosis,
    ProviderInfo,
    SandboxInfo,
    SandboxRef,
    SandboxSpec,
    Settings,
    SnapshotRef,
)
from sandbook.errors import NotConfigured, SandboxGone, TeardownFailed
from sandbook_local import INFO, causes, cgroups, folders, plans, probe
from sandbook_local.connection import Ended, ask, connect, request
from sandbook_local.folders import Folders
from sandbook_local.inside import frames
from sandbook_local.inside.remove import remove_folder
from sandbook_local.launch import Refused, launch
from sandbook_local.sandbox import LocalSandbox
from sandbook_local.snapshots import Snapshots, explain

_HOLD_PAUSE = 0.02
_END_TIMEOUT = 10.0
_END_PAUSE = 0.005


class LocalProvider:
    """Sandboxes made of Linux namespaces, one supervisor each."""

    info: ProviderInfo = INFO

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folders = Folders(settings.state)
        self._snapshots = Snapshots(settings.state)

    async def preflight(self, *, live: bool = False) -> Diagnosis:
        """Whether sandboxes can be made here; `live` makes one, remembered or not."""
        return await probe.diagnose(self._settings, fresh=live)

    async def create(self, spec: SandboxSpec, *, key: str) -> LocalSandbox:
        """Make a sandbox; the same key gives the same one, while it lives."""
        self._refuse_system()
        launcher = probe.launcher_of(self._settings)
        try:
            return await self._create(spec, key, launcher)
        except Refused as error:
            other = await probe.find_another(self._settings, error, launcher)
            if other is None:
                self._refuse(error)
        try:
            return await self._create(spec, key, other)
        except Refused as error:
            self._refuse(error)

    async def _create(
        self, spec: SandboxSpec, key: str, launcher: probe.Launcher
    ) -> LocalSandbox:
        if isinstance(spec.template, SnapshotRef) and spec.workdir is None:
            spec = replace(spec, workdir=self._snapshots.workdir(spec.template))
        plan = plans.compose(spec, self._settings, launcher=launcher)
        while True:
            with self._folders.try_hold(key) as held:
                if held:
                    return await self._find_or_make(plan, spec, key)
            await anyio.sleep(_HOLD_PAUSE)

    async def attach(
        self, ref: SandboxRef, *, resume_paused: bool = False
    ) -> LocalSandbox:
        """Open a live sandbox, and let a paused one go on.

        Raises:
            SandboxGone: There is none.
            SpecRejected: It is paused, and nobody said that it may go on.
        """
        try:
            return await self._open(self._folders.path(ref.id), resume=resume_paused)
        except (Ended, ValueError) as error:
            raise SandboxGone(
                f"there is no sandbox {ref.id!r} on this computer",
                provider=INFO.name,
                operation="attach",
                ref=ref,
                remedy="its life is over, or this computer was restarted: run afresh",
            ) from error

    async def list(self, labels: Mapping[str, str]) -> AsyncIterator[SandboxInfo]:
        """Every live sandbox that has all these labels."""
        for folder in self._folders.alive():
            found = folders.read_info(folder)
            if found is not None and labels.items() <= found.labels.items():
                yield found

    async def destroy(self, ref: SandboxRef) -> Destroyed:
        """End a sandbox with everything that runs in it."""
        try:
            folder = self._folders.path(ref.id)
        except ValueError:
            return "already_gone"
        was_alive = folders.is_alive(folder)
        if was_alive:
            await self._end(folder, ref)
        remove_folder(str(folder))
        return "destroyed" if was_alive else "already_gone"

    async def delete_snapshot(self, snapshot: SnapshotRef) -> None:
        """Remove a stored copy; nothing where there is none."""
        await to_thread.run_sync(self._snapshots.delete, snapshot)

    async def aclose(self) -> None:
        """Nothing is open between calls."""

    def sweep(self) -> int:
        """Remove what is left where the supervisor is gone; how many folders."""
        cgroups.sweep()
        return self._folders.sweep()

    async def _find_or_make(
        self, plan: plans.Plan, spec: SandboxSpec, key: str
    ) -> LocalSandbox:
        existing = self._folders.find(key)
        if existing is not None:
            with contextlib.suppress(Ended):
                return await self._open(existing)
        folder, lock = self._folders.make(key)
        try:
            return await self._make(plan, spec, folder, lock)
        except (Ended, TimeoutError) as error:
            raise Refused("supervisor", _last_line(folder), 0) from error
        finally:
            if not folders.is_alive(folder):
                remove_folder(str(folder))

    async def _make(
        self, plan: plans.Plan, spec: SandboxSpec, folder: Path, lock: int
    ) -> LocalSandbox:
        now = datetime.now(UTC)
        ref = SandboxRef(provider=INFO.name, id=folder.name, created_at=now)
        message = plans.finish(plan, folder=folder, record=folders.record(spec, ref))
        try:
            held = [lock]
            try:
                files = self._snapshots.open(spec)
                held += [] if files is None else [files]
                await launch(message, lock=lock, log=folder / "log", files=files)
            finally:
                for descriptor in held:  # its supervisor holds them now, or nobody
                    os.close(descriptor)
            return await self._open(folder)
        except anyio.get_cancelled_exc_class():
            # It may have begun to live, and nobody else knows of it.
            with anyio.CancelScope(shield=True), contextlib.suppress(TeardownFailed):
                await self._end(folder, ref)
            raise

    async def _open(self, folder: Path, *, resume: bool = True) -> LocalSandbox:
        answer = (await request(folder, {"do": "info"})).message
        if answer.get("error") is not None:
            raise Ended(answer.get("text"))
        info = folders.read_info(folder)
        if info is None:
            raise Ended
        if answer.get("paused") is True:
            await self._let_go_on(folder, info, resume=resume)
        home, workdir = frames.text(answer, "home"), frames.text(answer, "workdir")
        return LocalSandbox(folder, info, home=home, workdir=workdir)

    async def _let_go_on(
        self, folder: Path, info: SandboxInfo, *, resume: bool
    ) -> None:
        # Nearly none is ever paused.
        from sandbook_local import pausing

        if not resume:
            raise pausing.refused(info.ref, "attach")
        await pausing.resume(folder)

    async def _end(self, folder: Path, ref: SandboxRef) -> None:
        with anyio.move_on_after(_END_TIMEOUT):
            with contextlib.suppress(Ended):
                async with connect(folder) as connection:
                    await connection.send(ask({"do": "destroy"}))
                    await connection.receive()
            while folders.is_alive(folder):  # noqa: ASYNC110 (a lock tells nobody)
                await anyio.sleep(_END_PAUSE)
        if folders.is_alive(folder):
            _kill_supervisor(folder)
            await anyio.sleep(_END_PAUSE)
        if folders.is_alive(folder):
            raise TeardownFailed(
                f"sandbox {ref.id!r} does not end",
                provider=INFO.name,
                operation="destroy",
                ref=ref,
                remedy=f"see {str(folder / 'log')!r}",
            )

    def _refuse_system(self) -> None:
        wrong = causes.refuse_system(causes.this_host())
        if wrong is not None:
            raise _unavailable(*wrong)

    def _refuse(self, refused: Refused) -> NoReturn:
        if refused.stage == "snapshot":
            raise explain(refused.code, refused.cause) from refused
        wrong = causes.explain(refused, causes.this_host())
        raise _unavailable(*wrong) from refused


def _unavailable(message: str, remedy: str) -> NotConfigured:
    return NotConfigured(
        message, provider=INFO.name, operation="create", sent="no", remedy=remedy
    )


def _kill_supervisor(folder: Path) -> None:
    found = folders.read_supervisor(folder)
    if found is None:
        return
    pid, start = found
    with contextlib.suppress(OSError, ValueError):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        if int(fields[19]) == start:
            os.kill(pid, signal.SIGKILL)


def _last_line(folder: Path) -> str:
    try:
        lines = (
            (folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        )
    except OSError:
        lines = []
    return lines[-1] if lines else "the supervisor ended without a word"
