"""Where sandboxes are found again: a folder each, locked while its supervisor lives."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sandbook.api import JSON, SandboxInfo, SandboxRef, SandboxSpec
from sandbook_local.inside.remove import remove_folder

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_HIDDEN = ".new-"
_UNFINISHED = 60.0
"""Seconds after which a folder that never got its name counts as left behind."""


class Folders:
    """The folders of the sandboxes of one installation."""

    def __init__(self, state: Path) -> None:
        self.root = (state / "sandboxes").absolute()

    def path(self, id: str) -> Path:
        """The folder of a sandbox; raises `ValueError` for what cannot be an id."""
        if not id or not set(id) <= set(f"{_ALPHABET}-"):
            raise ValueError(f"not an id of a sandbox: {id!r}")
        return self.root / id

    def make(self, key: str) -> tuple[Path, int]:
        """A new folder for this key, and the locked descriptor that holds it.

        It gets its name only when it is locked: what can be seen and is not locked
        is dead.
        """
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = new_id(key)
        hidden, folder = self.root / f"{_HIDDEN}{name}", self.root / name
        hidden.mkdir(mode=0o700)
        lock = os.open(hidden / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        hidden.rename(folder)
        return folder, lock

    def find(self, key: str) -> Path | None:
        """The folder of the live sandbox that was made for this key."""
        found = [f for f in self._all() if f.name.endswith(f"-{_mark(key)}")]
        return next((f for f in found if is_alive(f)), None)

    def alive(self) -> Iterator[Path]:
        """The folders of all live sandboxes, oldest first."""
        return (folder for folder in self._all() if is_alive(folder))

    def sweep(self) -> int:
        """Remove the folders whose supervisor is gone; how many there were."""
        gone = [folder for folder in self._all() if not is_alive(folder)]
        gone += [f for f in self.root.glob(f"{_HIDDEN}*") if _age(f) > _UNFINISHED]
        for folder in gone:
            remove_folder(str(folder))
        return len(gone)

    @contextmanager
    def try_hold(self, key: str) -> Generator[bool]:
        """Try to be the only one who makes a sandbox for this key."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.root / f".{_mark(key)}"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            held = _try_lock(lock) and os.fstat(lock).st_nlink > 0
            try:
                yield held
            finally:
                if held:
                    path.unlink(missing_ok=True)
        finally:
            os.close(lock)

    def _all(self) -> list[Path]:
        with suppress(FileNotFoundError):
            return sorted(p for p in self.root.iterdir() if not p.name.startswith("."))
        return []


def new_id(key: str) -> str:
    """A new name for what is made with this key; they sort by time."""
    return f"{_moment()}-{_mark(key)}"


def is_alive(folder: Path) -> bool:
    """Whether a supervisor holds this folder."""
    try:
        lock = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_lock(lock, shared=True)
    finally:
        os.close(lock)


def read_info(folder: Path) -> SandboxInfo | None:
    """What is known of the sandbox in this folder; None when it is going."""
    try:
        data = json.loads((folder / "sandbox.json").read_bytes())
        return SandboxInfo(
            ref=SandboxRef.from_json(data["ref"]),
            state="paused" if data.get("state") == "paused" else "running",
            labels=dict(data["labels"]),
            metadata=dict(data["metadata"]),
            expires_at=datetime.fromtimestamp(data["expires_at"], UTC),
            isolation="process",
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_supervisor(folder: Path) -> tuple[int, int] | None:
    """The pid and start time of its supervisor."""
    try:
        data = json.loads((folder / "sandbox.json").read_bytes())["supervisor"]
        return int(data["pid"]), int(data["start"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def record(spec: SandboxSpec, ref: SandboxRef) -> dict[str, JSON]:
    """What other processes may know of a sandbox; never values of its environment."""
    return {
        "v": 1,
        "ref": ref.to_json(),
        "labels": dict(spec.labels),
        "metadata": dict(spec.metadata),
        "isolation": "process",
        "created_at": ref.created_at.isoformat(),
        "boot": boot_id(),
    }


def boot_id() -> str:
    """What names this boot of the computer."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _age(folder: Path) -> float:
    with suppress(OSError):
        return time.time() - folder.stat().st_mtime
    return 0.0


def _try_lock(lock: int, *, shared: bool = False) -> bool:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]


def _moment() -> str:
    """Milliseconds in nine sortable letters, and two so that no two are equal."""
    number = time.time_ns() // 1_000_000
    letters = ""
    for _ in range(9):
        number, digit = divmod(number, len(_ALPHABET))
        letters = _ALPHABET[digit] + letters
    return letters + "".join(secrets.choice(_ALPHABET) for _ in range(2))
