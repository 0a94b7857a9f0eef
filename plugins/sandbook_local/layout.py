"""What a sandbox of this computer is made of: the plan its supervisor gets.

The system is shown read-only; of `/etc` only what programs need and nobody minds.
The interpreter that runs the engine is there too, wherever it lives, under a private
environment that comes first on `PATH`.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from sandbook.api import SandboxSpec
from sandbook_local import kernel_packages
from sandbook_local.inside.code import packages
from sandbook_local.inside.plan import CODE

HOME = "/home/user"
WORKDIR = f"{HOME}/work"
DEFAULT_DISK = 1 << 30
DEFAULT_PIDS = 512
PROXY_URL = "http://127.0.0.1:3128"

_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_WHOLE = ("/usr", "/nix/store", "/gnu/store")
_ETC = (
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "fonts",
    "inputrc",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "pki/ca-trust/extracted",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "protocols",
    "services",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
)
_RESOLVER = "/etc/resolv.conf"
_USERS = """\
root:x:0:0::/root:/bin/sh
user:x:1000:1000::/home/user:/bin/sh
nobody:x:65534:65534::/:/bin/false
"""
_FILES = (
    ("/etc/passwd", _USERS),
    ("/etc/group", "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n"),
    ("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n"),
    ("/etc/hostname", "sandbox\n"),
    (_RESOLVER, ""),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
)  # fmt: skip
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Rows = list[list[str]]


def environment(spec: SandboxSpec) -> dict[str, str]:
    """What every command of the sandbox finds set."""
    env = {
        "PATH": f"{HOME}/.venv/bin:{PATH}",
        "HOME": HOME,
        "USER": "user",
        "LOGNAME": "user",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TMPDIR": "/tmp",  # noqa: S108 (the sandbox's own)
    }
    if spec.network not in ("off", "host"):
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            env[name] = env[name.upper()] = PROXY_URL
        env["no_proxy"] = env["NO_PROXY"] = "localhost,127.0.0.1,::1"
    return env | dict(spec.env)


def read_only(kernel: Mapping[str, str]) -> tuple[Rows, Rows]:
    """The binds (source, target) and the links (text, path) of the system.

    `kernel` are the packages of a Python kernel, name to path.
    """
    binds, links = map(list, _system())
    for place in interpreter_folders():
        if not _is_shown(place, binds):
            binds.append([place, place])
    binds.append([str(Path(__file__).parent / "inside"), CODE])
    hidden = _hidden_packages(kernel, binds)
    binds += [
        [path, f"{packages.EXTRA_FOLDER}/{name}"] for name, path in hidden.items()
    ]
    return binds, links


def interpreter_folders() -> list[str]:
    """Where the interpreter that runs us and its packages are."""
    places = {sys.base_prefix, sys.prefix}
    return sorted(places | {os.path.realpath(place) for place in places})


def files(kernel: Mapping[str, str], binds: Rows, *, resolver: bool) -> Rows:
    """The synthetic files: path and text."""
    rows = [list(row) for row in _FILES if resolver or row[0] != _RESOLVER]
    moved = {
        name: f"{packages.EXTRA_FOLDER}/{name}"
        for name in _hidden_packages(kernel, binds)
    }
    return [*rows, [packages.LINKS_FILE, json.dumps({**kernel, **moved})]]


def has_kernel() -> bool:
    """Whether the packages of a Python kernel are installed; none is loaded."""
    return kernel_packages.is_installed(package_folders())


def resolver() -> Rows:
    """The bind that lets names be found on the host's own network."""
    path = os.path.realpath(_RESOLVER)
    return [[path, _RESOLVER]] if Path(path).is_file() else []


def home() -> tuple[Rows, Rows]:
    """The links (text, path) and files (path, text) of the private environment.

    Made by hand, since `venv` takes a hundred times as long.
    """
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = f".venv/lib/{python}/site-packages"
    executable = _base_executable()
    links = [
        [executable, f".venv/bin/{name}"] for name in ("python", "python3", python)
    ]
    version = ".".join(map(str, sys.version_info[:3]))
    settings = f"home = {Path(executable).parent}\nversion = {version}\n"
    settings += "include-system-site-packages = false\n"
    rows = [[".venv/pyvenv.cfg", settings], [f"{packages}/.keep", ""]]
    wheel = _pip_wheel()
    if wheel:
        script = f"#!{HOME}/.venv/bin/python\nimport sys\n"
        script += "from pip._internal.cli.main import main\nsys.exit(main())\n"
        rows.append([f"{packages}/bundled-pip.pth", f"{wheel}\n"])
        rows += [[f".venv/bin/{name}", script] for name in ("pip", "pip3")]
    return links, rows


def package_folders() -> list[str]:
    """Where this interpreter finds what is installed."""
    return [place for place in sys.path if place.endswith("-packages")]


def _hidden_packages(kernel: Mapping[str, str], binds: Rows) -> Mapping[str, str]:
    """Those that no shown folder holds: they are in a user's own folder."""
    folders = [
        place
        for place in package_folders()
        if not _is_shown(os.path.realpath(place), binds)
    ]
    return {
        name: path
        for name, path in kernel.items()
        if any(path.startswith(f"{folder}/") for folder in folders)
    }


@cache
def _system() -> tuple[Rows, Rows]:
    binds = [[path, path] for path in _WHOLE if Path(path).is_dir()]
    links: Rows = []
    for path in _SYSTEM:
        _show(path, binds, links)
    for name in _ETC:
        _show(f"/etc/{name}", binds, links)
    return binds, links


def _show(path: str, binds: Rows, links: Rows) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    if stat.S_ISLNK(mode) and _is_shown(os.path.realpath(path), binds):
        links.append([str(Path(path).readlink()), path])
    elif os.access(path, os.R_OK):
        binds.append([os.path.realpath(path), path])


def _is_shown(path: str, binds: Rows) -> bool:
    return any(f"{path}/".startswith(f"{target}/") for _, target in binds)


def _base_executable() -> str:
    found: object = getattr(sys, "_base_executable", None)
    return found if isinstance(found, str) and found else sys.executable


def base_executable() -> str:
    """The interpreter below the engine's virtual environment."""
    return _base_executable()


@cache
def _pip_wheel() -> str | None:
    for folder in _wheel_folders():
        wheels = sorted(folder.glob("pip-*.whl"))
        if wheels:
            return str(wheels[-1])
    return None


def _wheel_folders() -> Iterator[Path]:
    yield Path(os.__file__).parent / "ensurepip" / "_bundled"
    yield Path("/usr/share/python-wheels")
