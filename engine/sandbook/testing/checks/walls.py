# ruff: noqa: S101, PLR2004 - checks are assertions about plain numbers
"""W: what the isolation levels promise against this computer.

Every check shows first that what must be hidden can be seen from here.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from sandbook.api import Sandbox
from sandbook.testing._check import check
from sandbook.testing._kit import Kit, skip, until


@check("W01", needs=["exec"], isolation="process")
async def files_of_this_computer_are_hidden(kit: Kit) -> None:
    box = await kit.box()
    secret = kit.decoy()
    secret.parent.chmod(0o755)
    secret.chmod(0o644)
    result = await kit.run(box, ("cat", str(secret)))
    assert result.code != 0
    assert secret.read_bytes() not in result.stdout.data()


@check("W02", needs=["exec"], isolation="process")
async def processes_of_this_computer_are_hidden(kit: Kit) -> None:
    box = await kit.box()
    marker = kit.name("outside")
    program = (sys.executable, "-c", "import time; time.sleep(600)", marker)
    with _running(program) as outside:

        async def is_here() -> bool:
            return outside in _words()

        await until(is_here, within=20, what="a process of this computer")
        text = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; true"
        listing = await kit.out(box, text)
    assert b"cat" in listing, "the sandbox does not even see its own"
    assert marker.encode() not in listing


@contextmanager
def _running(program: tuple[str, ...]) -> Generator[bytes]:
    """Run a program of this computer; its last argument, which /proc shows."""
    outside = subprocess.Popen(program)  # noqa: S603 - our own interpreter
    try:
        yield program[-1].encode()
    finally:
        outside.kill()
        outside.wait()


def _words() -> set[bytes]:
    """The arguments of every process here that we may look at."""
    found: set[bytes] = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.update(path.read_bytes().split(b"\0"))
    return found


@check("W03", needs=["exec"], isolation="process")
async def commands_cannot_gain_rights(kit: Kit) -> None:
    if kit.capabilities.isolation != "process":
        skip("it has a kernel or a root of its own")
    box = await kit.box()
    status = (await kit.out(box, ("cat", "/proc/self/status"))).decode()
    told = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(told[name], 16) == 0, name
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2"
    mapped = (await kit.out(box, ("cat", "/proc/self/uid_map"))).split()
    outside = [int(word) for word in mapped[1::3]]
    assert 0 not in outside, "root of this computer is mapped"


@check("W04", needs=["exec"], isolation="process")
async def open_files_of_ours_are_not_inherited(kit: Kit) -> None:
    secret = kit.decoy()
    with secret.open("rb") as file:
        os.set_inheritable(file.fileno(), True)
        assert os.path.samestat(os.fstat(file.fileno()), secret.stat())
        box = await kit.box()
        listing = await kit.out(box, "ls -l /proc/self/fd /proc/$$/fd")
        assert secret.name.encode() not in listing
        assert len(await _descriptors(kit)) <= 4


async def _descriptors(kit: Kit) -> list[bytes]:
    """What a command has open; one is the folder `ls` reads."""
    box = await kit.box()
    return (await kit.out(box, ("ls", "/proc/self/fd"))).split()


@check("W05", needs=["exec", "net.off"])
async def without_network_this_computer_is_not_reached(kit: Kit) -> None:
    await _is_not_reached(kit, await kit.box(network="off"))


@check("W06", needs=["exec", "net.egress"])
async def with_egress_this_computer_is_still_not_reached(kit: Kit) -> None:
    await _is_not_reached(kit, await kit.box(network="egress"))


async def _is_not_reached(kit: Kit, box: Sandbox) -> None:
    """Serve on the loopback here, show that it answers, and ask from inside."""
    if (await kit.run(box, "command -v python3")).code != 0:
        skip("there is no python3 in it to connect with")
    with _listening() as port:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as reached:
            assert reached.getpeername()[1] == port
        text = (
            "import socket; s = socket.socket(); s.settimeout(5); "
            f"print(s.connect_ex(('127.0.0.1', {port})))"
        )
        told = await kit.out(box, ("python3", "-c", text))
    assert told.strip() != b"0", "a command in the sandbox connected to us"


@contextmanager
def _listening() -> Generator[int]:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as server:
        yield server.getsockname()[1]


@check("W07", needs=["exec", "net.off"])
async def without_network_no_address_is_routed(kit: Kit) -> None:
    box = await kit.box(network="off")
    # Both tables are always there; ours is shown to have routes, if it has any.
    table = await kit.out(box, "cat /proc/net/route | tail -n +2")
    assert table == b""
    devices = await kit.out(box, "tail -n +3 /proc/net/dev | cut -d: -f1")
    assert devices.split() in ([], [b"lo"])
