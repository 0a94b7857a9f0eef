"""What is accepted of a `SandboxSpec`, and the plan that comes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NoReturn

from sandbook.api import JSON, SandboxSpec, Settings, isolation_at_least
from sandbook.errors import SpecRejected, Unsupported
from sandbook_local import INFO, kernel_packages, layout
from sandbook_local.cgroups import enforceable
from sandbook_local.inside.frames import Message

Plan = Mapping[str, object]

_UID_BASE = 1_900_000_000
_UID_COUNT = 65_536
_RESERVED = ("/proc", "/dev", "/etc", "/usr", "/bin", "/sbin", "/lib", "/run")


def compose(
    spec: SandboxSpec, settings: Settings, *, launcher: str = "namespaces"
) -> Plan:
    """The plan for a sandbox, still without its folder.

    Raises:
        Unsupported, SpecRejected: What is wanted cannot be had here.
    """
    _refuse(spec, settings)
    private_hosts = _private_hosts(settings)
    folders = layout.package_folders()
    kernel = kernel_packages.known_entries(folders, settings.cache)
    binds, links = layout.read_only(kernel)
    if spec.network == "host":
        binds += layout.resolver()
    home_links, home_files = layout.home()
    network = spec.network
    allow = list(network) if isinstance(network, tuple) else None
    _refuse_hosts((*(allow or ()), *private_hosts))
    return {
        "owner": os.geteuid(),
        "launcher": launcher,
        **_uids(settings),
        "binds": binds,
        "links": links,
        "files": layout.files(kernel, binds, resolver=spec.network != "host"),
        "home_links": home_links,
        "home_files": home_files,
        "home": layout.HOME,
        "workdir": _workdir(spec, launcher),
        "env": layout.environment(spec),
        "disk": spec.resources.disk or layout.DEFAULT_DISK,
        "pids": spec.resources.pids or layout.DEFAULT_PIDS,
        "memory": spec.resources.memory,
        "usual_memory": _usual_memory(settings),
        "cpus": spec.resources.cpus,
        "enforce": not spec.resources.best_effort,
        "lifetime": spec.lifetime,
        "max_lifetime": spec.max_lifetime,
        "egress": network not in ("off", "host"),
        "host_network": network == "host",
        "allow": allow,
        "also": private_hosts,
    }


def finish(
    plan: Plan, *, folder: Path, record: Mapping[str, JSON], probe: bool = False
) -> Message:
    """The plan for the sandbox in this folder."""
    named = {"id": folder.name, "folder": str(folder), "record": json.dumps(record)}
    return {**plan, **named, "probe": probe}


def _usual_memory(settings: Settings) -> int:
    """What a sandbox may take that asks for no limit: half of this computer's."""
    chosen = settings.values.get("memory")
    if isinstance(chosen, int):
        return chosen
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _uids(settings: Settings) -> dict[str, int]:
    """The range that root gives to sandboxes; in a container there may be few."""
    wanted = settings.values.get("uid_base")
    if isinstance(wanted, int):
        return {"uid_base": wanted, "uid_count": _UID_COUNT}
    table = Path("/proc/self/uid_map").read_text(encoding="ascii")
    ranges = [(int(a), int(c)) for a, _, c in map(str.split, table.splitlines())]
    if any(a <= _UID_BASE and a + c >= _UID_BASE + _UID_COUNT for a, c in ranges):
        return {"uid_base": _UID_BASE, "uid_count": _UID_COUNT}
    start, count = max(ranges, key=sum)
    # The upper half: ordinary users of the container have the lower numbers.
    return {"uid_base": max(start + count // 2, 1), "uid_count": max(count // 2, 1)}


def _refuse(spec: SandboxSpec, settings: Settings) -> None:
    if not isolation_at_least("process", spec.isolation):
        _unsupported(
            f"isolation {spec.isolation!r} is more than namespaces give",
            "use docker or a remote provider",
        )
    _refuse_open_home()
    if isinstance(spec.template, str):
        _unsupported("a local sandbox has no templates", "leave `template` out")
    if spec.options:
        _unsupported(f"unknown option {next(iter(spec.options))!r}", "leave it out")
    if spec.network == "host" and settings.values.get("allow_host_network") is not True:
        _refuse_host_network()
    _refuse_resources(spec)


def _refuse_open_home() -> None:
    """An interpreter is shown with its folder; that must not be somebody's home."""
    home = Path.home().resolve()
    for place in map(Path, layout.interpreter_folders()):
        if home.is_relative_to(place):
            _unsupported(
                f"Python is installed in {str(place)!r}, which holds your home folder",
                "run it from a virtual environment with a folder of its own",
            )


def _refuse_host_network() -> NoReturn:
    _unsupported(
        "the host's own network is not open to sandboxes",
        "use `network: true` or a list of hosts, or allow it by `--allow-host-network`",
    )


def _private_hosts(settings: Settings) -> list[str]:
    wanted = settings.values.get("private_hosts")
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        return []
    return [host for host in wanted if isinstance(host, str)]


def _refuse_hosts(hosts: Sequence[str]) -> None:
    """The proxy would refuse them, too, but could not say what to do about it."""
    if not hosts:
        return
    # Not at the top: most sandboxes name no host.
    from sandbook_local.hosts import Refused, plain_name

    for host in hosts:
        try:
            plain_name(host)
        except Refused as error:
            raise SpecRejected(
                str(error),
                provider=INFO.name,
                operation="create",
                sent="no",
                remedy="write names as in `example.org`, or `*.example.org`",
            ) from error


def _refuse_resources(spec: SandboxSpec) -> None:
    wanted = spec.resources
    if wanted.best_effort or (wanted.cpus is None and wanted.memory is None):
        return
    enforced = enforceable()
    for name, value in (("cpus", wanted.cpus), ("memory", wanted.memory)):
        if value is not None and f"limits.{name}" not in enforced:
            _unsupported(
                f"a limit of {name} cannot be enforced: no control group may be made",
                "leave it out, allow best effort, or use docker or a remote provider",
            )


def _workdir(spec: SandboxSpec, launcher: str) -> str:
    if spec.workdir is None:
        return layout.WORKDIR
    path = PurePosixPath(layout.HOME) / spec.workdir.removeprefix("~/")
    if ".." in path.parts or path == PurePosixPath("/"):
        _reject(spec.workdir)
    if any(path.is_relative_to(place) for place in _RESERVED):
        _reject(spec.workdir)
    places = (layout.HOME, "/tmp")  # noqa: S108 (the sandbox's own)
    if launcher == "bwrap" and not any(map(path.is_relative_to, places)):
        _unsupported(
            f"workdir {spec.workdir!r} cannot be had where bubblewrap makes sandboxes",
            f"choose a folder below {layout.HOME} or /tmp",
        )
    return str(path)


def _reject(workdir: str) -> NoReturn:
    raise SpecRejected(
        f"workdir {workdir!r} cannot be the working folder",
        provider=INFO.name,
        operation="create",
        sent="no",
        remedy=f"choose a folder below {layout.HOME}, or one of its own such as /work",
    )


def _unsupported(message: str, remedy: str) -> NoReturn:
    raise Unsupported(
        message, provider=INFO.name, operation="create", sent="no", remedy=remedy
    )
