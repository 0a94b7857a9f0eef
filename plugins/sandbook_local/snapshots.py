"""Where the files of snapshots are kept: a folder each, until somebody deletes it."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from anyio import to_thread

from sandbook.api import JSON, SandboxRef, SandboxSpec, SnapshotRef
from sandbook.errors import (
    BuildFailed,
    ConnectionLost,
    NoSpace,
    ProviderError,
    SpecRejected,
)
from sandbook_local.connection import Connection, Ended, request
from sandbook_local.folders import new_id
from sandbook_local.inside import frames
from sandbook_local.inside.frames import Message
from sandbook_local.inside.remove import remove_folder

_PROVIDER = "local"
_HIDDEN = ".new-"
_FILES = "files"
_RECORD = "snapshot.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Snapshots:
    """The snapshots of one installation."""

    def __init__(self, state: Path) -> None:
        self.root = (state / "snapshots").absolute()

    async def take(
        self, folder: Path, ref: SandboxRef, name: str, *, workdir: str
    ) -> SnapshotRef:
        """Store the files of the sandbox in `folder`; nothing is left of a failure.

        Raises:
            NoSpace: This computer has no room for them.
            Ended: The sandbox has.
        """
        made = new_id(name)
        hidden = self.root / f"{_HIDDEN}{made}"
        await to_thread.run_sync(_make, hidden)
        try:
            told = await _pack(folder, hidden / _FILES)
            number = frames.whole(told, "errno")
            if number:
                _refuse(number, ref, f"snapshot {name!r} cannot be stored")
            record = _record(told, ref, name, workdir=workdir)
            await to_thread.run_sync(_keep, hidden, self.root / made, record)
        except BaseException:
            remove_folder(str(hidden))
            raise
        return SnapshotRef(provider=_PROVIDER, id=made, kind="files")

    def open(self, spec: SandboxSpec) -> int | None:
        """A descriptor of the files that a sandbox is to begin with.

        Raises:
            SpecRejected: There is no such snapshot.
        """
        wanted = spec.template
        if not isinstance(wanted, SnapshotRef):
            return None
        path = self._path(wanted)
        try:
            if path is not None:
                return os.open(path / _FILES, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            pass
        raise SpecRejected(
            f"there is no snapshot {wanted.id!r} on this computer",
            provider=_PROVIDER,
            operation="create",
            sent="no",
            remedy="make one with `Sandbox.snapshot`, or leave `template` out",
        )

    def workdir(self, wanted: SnapshotRef) -> str | None:
        """The work folder of the sandbox that it is of."""
        path = self._path(wanted)
        if path is None:
            return None
        try:
            record = frames.decode((path / _RECORD).read_bytes())
            return frames.optional_text(record, "workdir")
        except (OSError, frames.ProtocolError):
            return None

    def delete(self, snapshot: SnapshotRef) -> None:
        """Remove one; nothing where there is none."""
        path = self._path(snapshot)
        if path is not None:
            remove_folder(str(path))

    def _path(self, snapshot: SnapshotRef) -> Path | None:
        known = snapshot.provider == _PROVIDER and snapshot.kind == "files"
        is_name = bool(snapshot.id) and snapshot.id.replace("-", "").isalnum()
        return self.root / snapshot.id if known and is_name else None


def explain(number: int, cause: str, *, operation: str = "create") -> ProviderError:
    """The error for a snapshot whose files could not be made in a new sandbox."""
    if number in _FULL:
        return NoSpace(
            "the files of the snapshot do not fit",
            provider=_PROVIDER,
            operation=operation,
            remedy="give the sandbox a larger disk: `resources: {disk: 4GiB}`",
        )
    return BuildFailed(
        f"the snapshot cannot be unpacked: {cause}",
        provider=_PROVIDER,
        operation=operation,
        remedy="make it anew: its files may be damaged",
    )


async def _pack(folder: Path, path: Path) -> Message:
    """Have the files written to `path`, which is new; what the packer says."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    try:
        frame = await request(folder, {"do": "pack"}, descriptors=[file])
    finally:
        os.close(file)
    if not frame.descriptors:
        raise Ended(frame.message.get("text"))
    way = Connection(socket.socket(fileno=frame.descriptors.pop()))
    try:
        return (await way.receive()).message
    finally:
        way.close()


def _refuse(number: int, ref: SandboxRef, what: str) -> NoReturn:
    error = NoSpace if number in _FULL else ConnectionLost
    raise error(
        f"{what}: {os.strerror(number).lower()}",
        provider=_PROVIDER,
        operation="snapshot",
        ref=ref,
        remedy="make room on this computer" if number in _FULL else "try again",
    )


def _record(
    told: Message, ref: SandboxRef, name: str, *, workdir: str
) -> Mapping[str, JSON]:
    return {
        "v": 1,
        "name": name,
        "sandbox": ref.to_json(),
        "created_at": datetime.now(UTC).isoformat(),
        "workdir": workdir,
        "files": frames.whole(told, "files"),
        "bytes": frames.whole(told, "bytes"),
        "skipped": frames.rows(told, "skipped"),
    }


def _make(hidden: Path) -> None:
    hidden.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    hidden.mkdir(mode=0o700)


def _keep(hidden: Path, path: Path, record: Mapping[str, JSON]) -> None:
    """Give a snapshot its name, once all of it is there."""
    file = hidden / _RECORD
    file.touch(mode=0o600)
    file.write_text(json.dumps(record), encoding="utf-8")
    hidden.rename(path)
