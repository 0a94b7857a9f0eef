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
from typing import Literal

from sandbook.api import Diagnosis, SandboxSpec, Settings
from sandbook_local import causes, folders, plans
from sandbook_local.connection import Ended
from sandbook_local.inside import bwrap
from sandbook_local.launch import Refused, launch

Launcher = Literal["namespaces", "bwrap"]

_FILE = "local-probe.json"
_WORKS: dict[Launcher, str] = {
    "namespaces": "namespaces work here",
    "bwrap": "namespaces work here by bubblewrap",
}
_REMEDY = "see the log of the supervisor, and tell us"


async def diagnose(settings: Settings, *, fresh: bool) -> Diagnosis:
    """Ready, or why not and what to do; `fresh` looks at nothing remembered."""
    host = causes.this_host()
    wrong = causes.refuse_system(host)
    if wrong is not None:
        return _refused(*wrong)
    remembered = settings.cache / _FILE
    mark = _mark()
    if not fresh:
        known = _launcher_in(_read(remembered), mark)
        if known in _candidates(settings):
            return Diagnosis(state="ready", message=_WORKS[known])
    began = time.perf_counter()
    try:
        launcher = await _find(settings)
    except Refused as error:
        return _refused(*causes.explain(error, host))
    except (Ended, TimeoutError, OSError) as error:
        return _refused(f"the supervisor could not start: {error}", _REMEDY)
    _remember(remembered, mark | {"launcher": launcher})
    latency = time.perf_counter() - began
    return Diagnosis(state="ready", message=_WORKS[launcher], latency=latency)


def launcher_of(settings: Settings) -> Launcher:
    """What makes sandboxes here, as far as it is known."""
    candidates = _candidates(settings)
    found = _read(settings.cache / _FILE)
    # The mark is looked at only where it matters: it reads our code.
    if candidates[0] == "bwrap" or not _names_bwrap(found):
        return candidates[0]
    return _launcher_in(found, _mark()) or candidates[0]


async def find_another(
    settings: Settings, refused: Refused, launcher: Launcher
) -> Launcher | None:
    """What may make sandboxes where this launcher was refused."""
    if launcher not in _candidates(settings)[:-1] or not causes.is_denial(refused):
        return None
    await diagnose(settings, fresh=True)
    found = launcher_of(settings)
    return None if found == launcher else found


async def _find(settings: Settings) -> Launcher:
    first, *others = _candidates(settings)
    try:
        await _try(settings, first)
    except Refused as error:
        if not others or not causes.is_denial(error):
            raise
    else:
        return first
    await _try(settings, others[0])
    return others[0]


def _candidates(settings: Settings) -> tuple[Launcher, ...]:
    """In the order in which they are tried."""
    wanted = settings.values.get("launcher")
    if wanted == "bwrap":
        return ("bwrap",)
    has_bwrap = Path(bwrap.PATH).exists()
    if wanted == "namespaces" or not has_bwrap:
        return ("namespaces",)
    return ("namespaces", "bwrap")


async def _try(settings: Settings, launcher: Launcher) -> None:
    settings.cache.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="probe-", dir=settings.cache)).resolve()
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            spec = SandboxSpec(network="off")
            plan = plans.compose(spec, settings, launcher=launcher)
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


def _launcher_in(found: object, mark: dict[str, str]) -> Launcher | None:
    if found == mark | {"launcher": "namespaces"}:
        return "namespaces"
    return "bwrap" if found == mark | {"launcher": "bwrap"} else None


def _names_bwrap(found: object) -> bool:
    return isinstance(found, dict) and "bwrap" in found.values()


def _inside() -> Path:
    return Path(__file__).parent / "inside"


def _read(path: Path) -> object:
    with suppress(OSError, ValueError):
        return json.loads(path.read_bytes())
    return None


def _remember(path: Path, mark: dict[str, str]) -> None:
    with suppress(OSError):
        path.write_text(json.dumps(mark), encoding="utf-8")
