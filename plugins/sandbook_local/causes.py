"""Why this computer refuses sandboxes, and what its owner can do about it."""

from __future__ import annotations

import errno
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbook_local.inside.seccomp import is_known
from sandbook_local.launch import Refused

_ELSEWHERE = "use docker, or a remote provider"
_DENIED = (errno.EPERM, errno.EACCES)
_NEED_NAMESPACES = ("namespaces", "map", "tree", "mounts")

_SWITCHED_OFF = (
    "user namespaces are switched off (user.max_user_namespaces is 0)",
    "switch them on: `sudo sysctl user.max_user_namespaces=15000`",
)
_ONLY_ROOT = (
    "only root may make user namespaces (kernel.unprivileged_userns_clone is 0)",
    "allow it: `sudo sysctl kernel.unprivileged_userns_clone=1`",
)
_APPARMOR = (
    "AppArmor lets no unknown program use user namespaces",
    f"""allow it: `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or \
{_ELSEWHERE}""",
)
_CONTAINER = (
    "this container may not make user namespaces",
    f"""start it with `--security-opt seccomp=unconfined --security-opt \
apparmor=unconfined`, or {_ELSEWHERE}""",
)
_MASKED_PROC = (
    "this container hides parts of /proc, so a sandbox cannot have its own",
    f"""start it with `--security-opt systempaths=unconfined` (podman: \
`--security-opt unmask=ALL`), or {_ELSEWHERE}""",
)
_NOT_BUILT = ("this kernel is built without the namespaces we need", _ELSEWHERE)
_NO_NAMESPACES = {
    errno.ENOSPC: (
        "no user namespace is left, or they are nested too deep",
        "raise the limit: `sudo sysctl user.max_user_namespaces=15000`",
    ),
    errno.EUSERS: ("user namespaces are nested too deep", _ELSEWHERE),
    errno.EINVAL: _NOT_BUILT,
    errno.ENOSYS: _NOT_BUILT,
}
_BY_STAGE = {
    "machine": ("no system-call filter is known for this machine", _ELSEWHERE),
    "filter": ("this kernel has no system-call filters (seccomp)", _ELSEWHERE),
    "uid": (
        "root may not become an ordinary user here",
        "run as an ordinary user, or set `uid_base` to a range this computer has",
    ),
    "bwrap": ("bubblewrap cannot make a sandbox here", _ELSEWHERE),
    "proxy": (
        "the way to the network cannot be opened",
        f"take the network away (`network: false`), or {_ELSEWHERE}",
    ),
    "limits": ("a limit cannot be enforced", "allow best effort, or leave it out"),
}
_KERNEL = Path("/proc/sys/kernel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What is known of this computer; None = it has no such setting."""

    system: str
    machine: str
    max_user_namespaces: int | None
    unprivileged_userns_clone: int | None
    apparmor_restricts: int | None
    in_container: bool


def this_host() -> Host:
    """This computer."""
    return Host(
        system=sys.platform,
        machine=platform.machine(),
        max_user_namespaces=_setting(Path("/proc/sys/user/max_user_namespaces")),
        unprivileged_userns_clone=_setting(_KERNEL / "unprivileged_userns_clone"),
        apparmor_restricts=_setting(_KERNEL / "apparmor_restrict_unprivileged_userns"),
        in_container=_in_container(),
    )


def refuse_system(host: Host) -> tuple[str, str] | None:
    """What is wrong with the system as such, and the remedy; None for nothing."""
    if host.system == "darwin":
        return "macOS has no namespaces to make a sandbox of", _ELSEWHERE
    if host.system == "win32":
        return "Windows has no namespaces to make a sandbox of", _ELSEWHERE
    if host.system != "linux":
        return f"{host.system!r} has no namespaces to make a sandbox of", _ELSEWHERE
    if not is_known(host.machine):
        return f"no system-call filter is known for {host.machine!r}", _ELSEWHERE
    return None


def is_denial(refused: Refused) -> bool:
    """Whether namespaces were refused to us, and so perhaps not to bubblewrap."""
    codes = (*_DENIED, errno.ENOSPC, errno.EUSERS)
    return refused.stage in (*_NEED_NAMESPACES, "proc") and refused.code in codes


def explain(refused: Refused, host: Host) -> tuple[str, str]:
    """What is wrong and what to do about it, in words."""
    if refused.stage in _BY_STAGE:
        message, remedy = _BY_STAGE[refused.stage]
        return f"{message} ({refused.cause})", remedy
    if refused.stage == "proc" and refused.code in _DENIED:
        return _MASKED_PROC
    if refused.stage == "namespaces" and refused.code in _NO_NAMESPACES:
        return _NO_NAMESPACES[refused.code]
    if refused.stage in _NEED_NAMESPACES and refused.code in _DENIED:
        return _explain_denial(refused, host)
    return f"a sandbox cannot be made here ({refused})", _ELSEWHERE


def _explain_denial(refused: Refused, host: Host) -> tuple[str, str]:
    if host.max_user_namespaces == 0:
        return _SWITCHED_OFF
    if host.unprivileged_userns_clone == 0:
        return _ONLY_ROOT
    if host.apparmor_restricts:
        return _APPARMOR
    if host.in_container:
        return _CONTAINER
    return f"user namespaces are refused ({refused.cause})", _ELSEWHERE


def _setting(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _in_container() -> bool:
    marks = ("/.dockerenv", "/run/.containerenv")
    return any(Path(mark).exists() for mark in marks) or "container" in os.environ
