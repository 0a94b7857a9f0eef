"""Whether this computer can make sandboxes, found out by making one.

That it can is remembered until the next boot; that it cannot is asked anew each time,
since whoever reads the remedy may have followed it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from sandbook.api import Diagnosis, SandboxSpec, Settings
from sandbook_local import causes, folders, plans
from sandbook_local.connection import Ended
from sandbook_local.launch import Refused, launch

_REMEDY = "see the log of the supervisor, and tell us"


async def diagnose(settings: Settings, *, fresh: bool) -> Diagnosis:
    """Ready, or why not and what to do; `fresh` looks at nothing remembered."""
    host = causes.this_host()
    wrong = causes.refuse_system(host)
    if wrong is not None:
        return _refused(*wrong)
    remembered = settings.cache / "local-probe.json"
    mark = _mark()
    if not fresh and _read(remembered) == mark:
        return Diagnosis(state="ready", message="namespaces work here")
    began = time.perf_counter()
    try:
        await _try(settings)
    except Refused as error:
        return _refused(*causes.explain(error, host))
    except (Ended, TimeoutError, OSError) as error:
        return _refused(f"the supervisor could not start: {error}", _REMEDY)
    _remember(remembered, mark)
    latency = time.perf_counter() - began
    return Diagnosis(state="ready", message="namespaces work here", latency=latency)


async def _try(settings: Settings) -> None:
    settings.cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="probe-", dir=settings.cache)).resolve()
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            plan = plans.compose(SandboxSpec(network="off"), settings)
            message = plans.finish(plan, folder=folder, record={}, probe=True)
            await launch(message, lock=lock, log=folder / "log")
        finally:
            os.close(lock)
    finally:
        # Whoever is first: the supervisor removes it, too.
        shutil.rmtree(folder, ignore_errors=True)


def _refused(message: str, remedy: str) -> Diagnosis:
    return Diagnosis(state="refused", message=message, remedy=remedy)


def _mark() -> dict[str, str]:
    """What the answer depends on."""
    code = b"".join(p.read_bytes() for p in sorted(_inside().glob("*.py")))
    who = f"{os.geteuid()} {hashlib.sha256(code).hexdigest()}"
    return {"boot": folders.boot_id(), "who": who}


def _inside() -> Path:
    return Path(__file__).parent / "inside"


def _read(path: Path) -> object:
    with suppress(OSError, ValueError):
        return json.loads(path.read_bytes())
    return None


def _remember(path: Path, mark: dict[str, str]) -> None:
    with suppress(OSError):
        path.write_text(json.dumps(mark), encoding="utf-8")
