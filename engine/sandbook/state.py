"""Where this computer keeps its runs, and which process owns which run.

Decides that state is private to one uid and on a local disk, how a run is named, and
that a run belongs to whoever holds the lock on its `owner` file.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

from sandbook.api import JSON
from sandbook.errors import RunBusy, UsageError

_NETWORK_KIND = re.compile(
    "9p|afs|beegfs|ceph|cifs|coda|gfs2?|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2"
    "|orangefs|smb[23]|smbfs|fuse[.](ceph|davfs|gcsfuse|glusterfs|goofys|rclone|s3fs"
    "|smbnetfs|sshfs)"
)
_OWN_ENTRIES = frozenset({"ledger.db", "runs", "sandboxes"})
_OTHERS = 0o077
_OTHERS_WRITE = 0o022
_ELSEWHERE = "set {} to a folder of your own on a local disk"

# Crockford's alphabet is in ASCII order, so ids sort as the numbers they stand for.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_RUN_ID = re.compile(rf"[{_DIGITS}]{{13}}")
_EPOCH_US = 1_704_067_200_000_000  # 2024-01-01; ten digits of microseconds last to 2059
_LOCK_TRIES = 6
_LOCK_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """One process of one boot of one computer.

    `start` is in clock ticks after boot; it and `boot` are None where the system does
    not tell them (macOS).
    """

    pid: int
    start: int | None
    boot: str | None
    host: str

    def to_json(self) -> dict[str, JSON]:
        """A plain object that `from_json` reads back."""
        return {
            "pid": self.pid,
            "start": self.start,
            "boot": self.boot,
            "host": self.host,
        }

    @classmethod
    def from_json(cls, data: JSON) -> Self:
        """Read what `to_json` wrote; raises `ValueError` for anything else."""
        match data:
            case {
                "pid": int(pid),
                "start": int() | None as start,
                "boot": str() | None as boot,
                "host": str(host),
            }:
                return cls(pid=pid, start=start, boot=boot, host=host)
            case _:
                raise ValueError(f"not a process identity: {data!r}")


def process_identity() -> ProcessIdentity:
    """Who this process is. Never cached: a forked child is somebody else."""
    pid = os.getpid()
    return ProcessIdentity(
        pid=pid, start=_start_time(pid), boot=_boot_id(), host=os.uname().nodename
    )


def is_alive(identity: ProcessIdentity) -> bool:
    """Whether that very process is seen running here.

    False for another boot or host: what cannot be seen is judged by its lease alone.
    """
    if identity.boot != _boot_id() or identity.host != os.uname().nodename:
        return False
    if identity.start is not None:
        return _start_time(identity.pid) == identity.start
    try:
        os.kill(identity.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of `pid`; None when it is gone or unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The program's name stands in parentheses and may itself hold spaces and ")".
    fields = text.rpartition(b")")[2].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return int(fields[19])


def _boot_id() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return None


def new_run_id() -> str:
    """A new name for a run: 13 letters and digits that sort by time.

    Ten digits of microseconds and three of chance; `State.new_run` settles the rest,
    because only one process can make the folder.
    """
    chance = int.from_bytes(os.urandom(2), "big") & 0x7FFF
    number = (time.time_ns() // 1000 - _EPOCH_US) << 15 | chance
    return "".join(_DIGITS[number >> shift & 31] for shift in range(60, -1, -5))


class RunLock:
    """The ownership of a run; ends with `release` or with the process."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Give the run up; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        """Own the run until the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the run up."""
        self.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def run(self) -> str:
        """The id of the run."""
        return self.path.name

    @property
    def owner(self) -> Path:
        """Whose run it is; locked while that process lives."""
        return self.path / "owner"

    @property
    def journal(self) -> Path:
        """What happened, one JSON object a line."""
        return self.path / "journal.jsonl"

    @property
    def runbook(self) -> Path:
        """The file as it was when the run started."""
        return self.path / "runbook.yaml"

    @property
    def output(self) -> Path:
        """The folder of what steps printed."""
        return self.path / "output"

    @property
    def artifacts(self) -> Path:
        """The folder of files kept from sandboxes."""
        return self.path / "artifacts"

    @property
    def report(self) -> Path:
        """The record of the finished run."""
        return self.path / "report.json"

    def acquire(self) -> RunLock:
        """Become the owner until the lock is released; `RunBusy` after 0.1 s."""
        fd = os.open(self.owner, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock(fd)
            line = json.dumps(process_identity().to_json()).encode() + b"\n"
            # Written over the old text and cut after, so that who reads without the
            # lock never meets an empty file.
            os.pwrite(fd, line, 0)
            os.ftruncate(fd, len(line))
        except BaseException:
            os.close(fd)
            raise
        return RunLock(fd)

    def _lock(self, fd: int) -> None:
        import fcntl  # Windows has none and still checks runbooks

        for left in reversed(range(_LOCK_TRIES)):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                # `owner_alive` holds the lock for the blink of its question.
                if not left:
                    self._refuse_busy()
                time.sleep(_LOCK_PAUSE_S)
            else:
                return

    def _refuse_busy(self) -> NoReturn:
        owner = self.last_owner()
        who = f"process {owner.pid} on {owner.host!r}" if owner else "another process"
        raise RunBusy(
            f"run {self.run!r} is in use by {who}",
            remedy=f"wait for it to end, or stop it: sandbook runs cancel {self.run}",
        )

    def last_owner(self) -> ProcessIdentity | None:
        """Who owned this run last, alive or not; None when nobody did."""
        try:
            line, _, _ = self.owner.read_bytes().partition(b"\n")
            return ProcessIdentity.from_json(json.loads(line))
        except (OSError, ValueError):
            return None


def owner_alive(folder: RunFolder) -> bool:
    """Whether a live process owns this run."""
    import fcntl  # Windows has none and still checks runbooks

    try:
        fd = os.open(folder.owner, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The folders of this installation; both exist and belong to this uid."""

    root: Path
    cache: Path

    @classmethod
    def open(cls, environ: Mapping[str, str]) -> State:
        """Find the folders, and make what is missing (mode 0700).

        `SANDBOOK_STATE` and `SANDBOOK_CACHE` come from `environ`, the defaults from
        the platform. Raises `UsageError` for a folder of somebody else, a folder
        that holds other things and is open to others, or a network file system.
        """
        state = cls(
            root=_chosen(environ, "SANDBOOK_STATE"),
            cache=_chosen(environ, "SANDBOOK_CACHE"),
        )
        _refuse_network(state.root)
        _make_private(state.root, variable="SANDBOOK_STATE", forbidden=_OTHERS)
        for folder in (state.runs, state.sandboxes):
            _make_private(folder, variable="SANDBOOK_STATE", forbidden=_OTHERS)
        _make_private(state.cache, variable="SANDBOOK_CACHE", forbidden=_OTHERS_WRITE)
        return state

    @property
    def runs(self) -> Path:
        """The folder of all runs."""
        return self.root / "runs"

    @property
    def sandboxes(self) -> Path:
        """The folder of the local provider's sandboxes."""
        return self.root / "sandboxes"

    @property
    def ledger(self) -> Path:
        """The ledger's database."""
        return self.root / "ledger.db"

    def new_run(self) -> RunFolder:
        """Make the folder of a new run; no other process gets the same."""
        while True:
            folder = RunFolder(path=self.runs / new_run_id())
            try:
                folder.path.mkdir(mode=0o700)
            except FileExistsError:
                continue
            folder.output.mkdir(mode=0o700)
            folder.artifacts.mkdir(mode=0o700)
            return folder

    def run(self, run: str) -> RunFolder:
        """The folder of a run, which may not exist; `UsageError` for what is no id."""
        if not _RUN_ID.fullmatch(run):
            raise UsageError(
                f"{run!r} is not the id of a run", remedy="list them: sandbook runs"
            )
        return RunFolder(path=self.runs / run)


def _chosen(environ: Mapping[str, str], variable: str) -> Path:
    written = environ.get(variable)
    if written:
        return Path(written).absolute()
    from platformdirs import user_cache_path, user_state_path  # slow; often not needed

    find = user_state_path if variable == "SANDBOOK_STATE" else user_cache_path
    return find("sandbook", appauthor=False)


def _refuse_network(path: Path) -> None:
    try:
        mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return
    kind = file_system_kind(path.resolve(), mounts)
    if kind and _NETWORK_KIND.fullmatch(kind):
        raise UsageError(
            f"the state folder {str(path)!r} is on a network file system ({kind}),"
            " where locks and the ledger do not hold",
            remedy=_ELSEWHERE.format("SANDBOOK_STATE"),
        )


def file_system_kind(path: Path, mounts: str) -> str | None:
    """The type of file system that holds `path`; `mounts` as in /proc/self/mountinfo.

    None when no mount holds it. `path` is absolute, free of links, may be missing.
    """
    found: tuple[int, str] | None = None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(re.sub(r"\\([0-7]{3})", _unescape, left.split(" ")[4]))
        # Of two mounts on one point, the later one hides the earlier.
        if path.is_relative_to(point) and len(point.parts) >= (found or (0,))[0]:
            found = len(point.parts), right.split(" ")[0]
    return found[1] if found else None


def _unescape(octal: re.Match[str]) -> str:
    return chr(int(octal[1], 8))


def _make_private(path: Path, *, variable: str, forbidden: int) -> None:
    remedy = _ELSEWHERE.format(variable)
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
        if found.st_uid != os.geteuid():
            raise UsageError(
                f"the folder {str(path)!r} belongs to uid {found.st_uid},"
                f" not to {os.geteuid()}",
                remedy=remedy,
            )
        if found.st_mode & forbidden:
            _close_to_others(path, mode=found.st_mode, remedy=remedy)
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO).lower()
        raise UsageError(
            f"the folder {str(path)!r} cannot be used: {reason}", remedy=remedy
        ) from error


def _close_to_others(path: Path, *, mode: int, remedy: str) -> None:
    """Take everybody else's rights away, if the folder is plainly ours.

    A folder with other things in it is refused instead: closing a home folder, or
    /tmp for root, would break what others do there.
    """
    names = {entry.name for entry in path.iterdir()}
    ours = not names or not names.isdisjoint(_OWN_ENTRIES) or path.name in _OWN_ENTRIES
    if mode & stat.S_ISVTX or not ours:
        raise UsageError(
            f"the folder {str(path)!r} is open to other users and holds other things",
            remedy=remedy,
        )
    path.chmod(0o700)
