"""Runs the real file server of a sandbox in a folder, without the rest of a sandbox."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import anyio

from sandbook.api import SandboxRef
from sandbook_local.files import LocalFiles

PLAIN = 61001
REF = SandboxRef(
    provider="local", id="box", created_at=datetime(2026, 1, 1, tzinfo=UTC)
)
PLUGINS = Path(__file__).parents[2] / "plugins"

# Forks a server for each passed descriptor, as a sandbox's init does.
SERVER = """
import ctypes, os, socket, sys, types
plugins, home, workdir, jail, uid, tmpfs = sys.argv[1:]
package = types.ModuleType("sandbook_local")
package.__path__ = [plugins + "/sandbook_local"]
sys.modules["sandbook_local"] = package
sys.path.insert(0, plugins)
from sandbook_local.inside import files
libc = ctypes.CDLL(None, use_errno=True)
if tmpfs:
    assert libc.unshare(0x20000) == 0
    assert libc.mount(b"x", b"/", None, 0x44000, None) == 0
    where = os.fsencode(jail + workdir)
    assert libc.mount(b"tmpfs", where, b"tmpfs", 0, tmpfs.encode()) == 0
if jail:
    os.chroot(jail)
if uid:
    os.setgroups([]); os.setgid(int(uid)); os.setuid(int(uid))
os.chdir("/")
requests = socket.socket(fileno=0)
while True:
    data, passed, _, _ = socket.recv_fds(requests, 1, 1)
    if not data:
        break
    if os.fork() == 0:
        requests.close()
        files.serve(socket.socket(fileno=passed[0]), home, workdir)
        os._exit(0)
    os.close(passed[0])
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                break
        except ChildProcessError:
            break
"""


def names_in(folder: Path | str) -> list[str]:
    """The names in a folder, undecodable bytes and all."""
    return sorted(path.name for path in Path(folder).iterdir())


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for something another process does."""
    with anyio.fail_after(20):
        while not is_so():  # noqa: ASYNC110 (no event comes from there)
            await anyio.sleep(0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A file server's client, and the folders as seen from outside and from inside."""

    files: LocalFiles
    work: Path
    home: Path
    inside: str
    is_jailed: bool


@asynccontextmanager
async def file_box(
    folder: Path, *, jailed: bool = False, tmpfs: str = ""
) -> AsyncGenerator[Box]:
    """Serve `folder`; `jailed` as the root folder of a plain user (needs root)."""
    folder.chmod(0o755)
    for name in ("work", "home"):
        made = folder / name
        made.mkdir()
        os.chown(made, PLAIN if jailed else -1, PLAIN if jailed else -1)
    prefix = "" if jailed else str(folder)
    ours, theirs = socket.socketpair()
    jail = str(folder) if jailed else ""
    options = (jail, str(PLAIN) if jailed else "", tmpfs)
    command = (sys.executable, "-I", "-S", "-c", SERVER, str(PLUGINS))
    server = subprocess.Popen(  # noqa: ASYNC220 (quick, and ended by hanging up)
        (*command, f"{prefix}/home", f"{prefix}/work", *options), stdin=theirs.fileno()
    )
    theirs.close()

    async def open_channel() -> socket.socket:
        mine, other = socket.socketpair()
        with other:
            socket.send_fds(ours, [b"x"], [other.fileno()])
        return mine

    files = LocalFiles(
        open_channel, ref=REF, home=f"{prefix}/home", workdir=f"{prefix}/work"
    )
    try:
        yield Box(
            files=files,
            work=folder / "work",
            home=folder / "home",
            inside=f"{prefix}/work",
            is_jailed=jailed,
        )
    finally:
        await files.aclose()
        ours.close()
        server.wait(10)
