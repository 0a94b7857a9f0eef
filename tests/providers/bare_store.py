"""Where bare sandboxes are kept: a folder each, alive as long as its `life` says.

```
<id>/record.json   labels, metadata, spec's environment
<id>/life          end of life, seconds since the epoch; missing = ended
<id>/home          home and working folder
<id>/commands/<hash of key>/   one keeper
```
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandbook.api import Destroyed, SandboxInfo, SandboxRef, SandboxSpec

KEEPER_PATIENCE = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is fixed when a sandbox is made."""

    ref: SandboxRef
    key: str
    labels: Mapping[str, str]
    metadata: Mapping[str, str]
    env: Mapping[str, str]
    workdir: str
    hard_end: float


class Store:
    """The sandboxes of one state folder; every call may block."""

    def __init__(self, folder: Path) -> None:
        """Touches nothing until a sandbox is made."""
        self.folder = folder

    def path(self, id: str) -> Path:
        """The folder of a sandbox; an id that is no plain name leads nowhere."""
        safe = id if id.startswith("bare-") and "/" not in id else "none"
        return self.folder / safe

    def create(self, spec: SandboxSpec, *, key: str) -> Record:
        """Make a sandbox, or find the live one that has this key."""
        with self._locked():
            for record in self.live():
                if record.key == key:
                    return record
            name = f"bare-{secrets.token_hex(6)}"
            path = self.path(name)
            (path / "commands").mkdir(parents=True, mode=0o700)
            (path / "home").mkdir()
            (path / "tmp").mkdir()
            record = self._describe(spec, id=name, key=key)
            Path(record.workdir).mkdir(parents=True, exist_ok=True)
            (path / "record.json").write_text(_to_text(record), encoding="utf-8")
            self._set_life(path, min(time.time() + spec.lifetime, record.hard_end))
            return record

    def _describe(self, spec: SandboxSpec, *, id: str, key: str) -> Record:
        created_at = datetime.now(UTC)
        return Record(
            ref=SandboxRef(provider="bare", id=id, created_at=created_at),
            key=key,
            labels=dict(spec.labels),
            metadata=dict(spec.metadata),
            env=dict(spec.env),
            workdir=str(self.path(id) / "home" / (spec.workdir or "").lstrip("/")),
            hard_end=created_at.timestamp() + spec.max_lifetime,
        )

    def live(self) -> list[Record]:
        """Every sandbox that has not ended."""
        if not self.folder.is_dir():
            return []
        found = (self.find(path.name) for path in sorted(self.folder.iterdir()))
        return [record for record in found if record is not None]

    def find(self, id: str) -> Record | None:
        """The live sandbox with this id."""
        if self.end_of_life(id) is None:
            return None
        with contextlib.suppress(FileNotFoundError):
            text = (self.path(id) / "record.json").read_text(encoding="utf-8")
            return _from_text(text)
        return None

    def end_of_life(self, id: str) -> float | None:
        """When it ends, seconds since the epoch; None when it has ended."""
        try:
            end = float((self.path(id) / "life").read_text(encoding="ascii"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return end if end > time.time() else None

    def extend(self, record: Record, lifetime: float) -> float | None:
        """Move the end of life forward, not past the hard end; None = it has ended."""
        with self._locked():
            end = self.end_of_life(record.ref.id)
            if end is None:
                return None
            end = max(end, min(time.time() + lifetime, record.hard_end))
            self._set_life(self.path(record.ref.id), end)
            return end

    def info(self, record: Record) -> SandboxInfo:
        """The sandbox as it is now."""
        end = self.end_of_life(record.ref.id)
        return SandboxInfo(
            ref=record.ref,
            state="ended" if end is None else "running",
            labels=record.labels,
            metadata=record.metadata,
            expires_at=None if end is None else datetime.fromtimestamp(end, UTC),
            isolation="none",
        )

    def destroy(self, id: str) -> Destroyed:
        """End its life, wait until every keeper has ended its tree, remove it."""
        path = self.path(id)
        was_alive = self.end_of_life(id) is not None
        (path / "life").unlink(missing_ok=True)
        if not path.is_dir():
            return "already_gone"
        for lock in path.glob("commands/*/lock"):
            _wait_for(lock)
        shutil.rmtree(path, ignore_errors=True)
        return "destroyed" if was_alive else "already_gone"

    def _set_life(self, path: Path, end: float) -> None:
        fresh = path / "life.new"
        fresh.write_text(f"{end:.6f}", encoding="ascii")
        fresh.rename(path / "life")

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def _wait_for(lock: Path) -> None:
    """Wait until the keeper that holds `lock` is gone."""
    give_up = time.monotonic() + KEEPER_PATIENCE
    with lock.open("rb") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.01)
            else:
                return


def command_folder(path: Path, key: str) -> Path:
    """Where the command with this key is kept."""
    return path / "commands" / hashlib.sha256(key.encode()).hexdigest()[:24]


def _to_text(record: Record) -> str:
    return json.dumps(
        {
            "ref": record.ref.to_json(),
            "key": record.key,
            "labels": dict(record.labels),
            "metadata": dict(record.metadata),
            "env": dict(record.env),
            "workdir": record.workdir,
            "hard_end": record.hard_end,
        }
    )


def _from_text(text: str) -> Record:
    data = json.loads(text)
    return Record(
        ref=SandboxRef.from_json(data["ref"]),
        key=data["key"],
        labels=data["labels"],
        metadata=data["metadata"],
        env=data["env"],
        workdir=data["workdir"],
        hard_end=data["hard_end"],
    )
