"""The worker that packs or unpacks the files of a sandbox, and tells how that went."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time

from sandbook_local.inside import frames, kernel
from sandbook_local.inside.plan import CODE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import NoReturn

    from sandbook_local.inside.frames import Message
    from sandbook_local.inside.plan import Plan

LONGEST = 300.0
"""Seconds that everybody may stand still for a snapshot."""

_LOOK = 0.002
_HEADERS = 64 << 20


def work(do: str, plan: Plan, file: int, way: _socket.socket) -> NoReturn:
    """Be the worker, with the rights of a command."""
    import sandbook_local.inside

    sandbook_local.inside.__path__ = [CODE]
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        frames.send_all(way, frames.pack(_done(do, plan, file)))
        os._exit(0)
    except Exception as error:  # noqa: BLE001 (the log is the only place to say it)
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(1)


def wait_for(worker: int) -> None:
    """Wait for its end, and end it when it takes too long."""
    deadline = time.monotonic() + LONGEST
    while os.waitpid(worker, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(worker, signal.SIGKILL)
        time.sleep(_LOOK)


def _done(do: str, plan: Plan, file: int) -> Message:
    from sandbook_local.inside import archive

    roots = _roots(plan)
    try:
        if do == "unpack":
            made = [path for _, path in plan.home_links]
            made += [path for path, _ in plan.home_files]
            kept = {("home", path) for path in made}
            archive.Unpacker(file, roots, kept).unpack()
            return {"errno": 0}
        _limit(plan.disk)
        packer = archive.Packer(file)
        packer.pack(roots)
    except OSError as error:
        return {"errno": error.errno or errno.EIO}
    return {
        "errno": 0,
        "files": packer.files,
        "bytes": packer.bytes,
        "skipped": packer.skipped,
    }


def _limit(disk: int) -> None:
    """Write no more into a file of the host than a full sandbox can come to."""
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    most = 3 * disk + _HEADERS
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def _roots(plan: Plan) -> dict[str, str]:
    roots = {"home": plan.home, "tmp": "/tmp"}  # noqa: S108 (the sandbox's own)
    if not any(f"{plan.workdir}/".startswith(f"{path}/") for path in roots.values()):
        roots["work"] = plan.workdir
    return roots
