"""Calls of the real command line, each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cli.loaded import loaded

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "sandbook")
DEADLINE = 60.0
_OF_INTERPRETER = ("LANG", "LC_", "PYTHON")
"""What an interpreter reads as it begins, but for `PYTHONPATH`."""


@dataclass(frozen=True, kw_only=True)
class Called:
    """What one call gave."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        data: dict[str, Any] = json.loads(self.out)
        return data

    def rows(self, plural: str) -> list[dict[str, Any]]:
        """The rows under `plural`."""
        data = self.json()
        assert data["v"] == 1
        rows: list[dict[str, Any]] = data[plural]
        return rows


class Cli:
    """Calls commands in a folder, with a state folder and plugins of its own."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "project"
        self.state = tmp_path / "state"
        self.site = tmp_path / "site"
        self.home = tmp_path / "home"
        for each in (self.folder, self.site, self.home):
            each.mkdir()
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "SANDBOOK_STATE": str(self.state),
            "SANDBOOK_CACHE": str(tmp_path / "cache"),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "PYTHONPATH": os.pathsep.join((str(self.site), str(ROOT))),
        }

    def __call__(
        self,
        *argv: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Called:
        """Run one command to its end."""
        environ = {**self.environ, **(env or {})}
        where = cwd or self.folder
        code, out, err = _called(argv, stdin=stdin, env=environ, cwd=where)
        assert b"Traceback (most recent call last)" not in err, err
        return Called(code=code, out=out.decode(), err=err.decode())

    def start(
        self, *argv: str, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Begin a command that is to be signalled."""
        return subprocess.Popen(
            (*COMMAND, *argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self.environ, **(env or {})},
            cwd=self.folder,
        )

    def book(self, text: str, name: str = "book.yaml") -> str:
        """Write a runbook (`runbook: 1` is added); its name, to be given."""
        body = "runbook: 1\n" + textwrap.dedent(text).lstrip("\n")
        (self.folder / name).write_text(body, encoding="utf-8")
        return name

    def plugin(
        self,
        name: str,
        *,
        code: str = "",
        target: str = "",
        group: str = "sandbook.providers",
        distribution: str = "",
    ) -> None:
        """Install a plugin as pip would: a module and a real entry point."""
        module = target or f"plugin_{name}"
        if code:
            (self.site / f"{module}.py").write_text(textwrap.dedent(code))
        dist = distribution or f"sandbook_{name}"
        info = self.site / f"{dist}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n")

    def newest(self) -> Path:
        """The folder of the newest run."""
        return max((self.state / "runs").iterdir())

    def sandboxes(self) -> list[dict[str, Any]]:
        """What lives, as `sandbook sandboxes` tells."""
        return self("sandboxes", "--json").rows("sandboxes")

    def wait_for_event(self, event: str, *, after: str = "") -> Path:
        """Wait until the first run after that one has told an event; its folder."""
        found: list[Path] = []

        def told() -> bool:
            later = (self.state / "runs").glob("*/journal.jsonl")
            journals = sorted(each for each in later if each.parent.name > after)
            found[:] = [journals[0].parent] if journals else []
            return bool(found) and f'"event":"{event}"' in journals[0].read_text()

        wait_until(told)
        return found[0]


def _called(
    argv: tuple[str, ...], *, stdin: bytes, env: Mapping[str, str], cwd: Path
) -> tuple[int, bytes, bytes]:
    """In a process that is loaded already, unless that would make a difference."""
    given = {name: env[name] for name in env if name.startswith(_OF_INTERPRETER)}
    given.pop("PYTHONPATH", None)
    ready = loaded()
    if given == {"LANG": "C.UTF-8"} and ready.lock.acquire(blocking=False):
        try:
            return ready.call(argv, stdin=stdin, env=env, cwd=cwd, timeout=DEADLINE)
        finally:
            ready.lock.release()
    done = subprocess.run(
        (*COMMAND, *argv),
        input=stdin,
        capture_output=True,
        env=env,
        cwd=cwd,
        timeout=DEADLINE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def wait_until(holds: Callable[[], bool]) -> None:
    """Look again and again, for as long as a slow computer may need."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.02)


def interrupt(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Press Ctrl-C."""
    process.send_signal(signal.SIGINT)


def finish(process: subprocess.Popen[bytes]) -> Called:
    """Wait for the end of a command."""
    out, err = process.communicate(timeout=DEADLINE)
    assert b"Traceback (most recent call last)" not in err, err
    return Called(code=process.returncode, out=out.decode(), err=err.decode())


def stable(text: str) -> str:
    """The text with run ids, durations and times replaced."""
    text = re.sub(r"\b[0-9a-hjkmnp-tv-z]{13}\b", "RUN", text)
    text = re.sub(r"\d+(\.\d+)?s\b", "Ns", text)
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\dZ", "WHEN", text)


_BARE = """\
from dataclasses import replace

from sandbook import errors
from sandbook.api import Capabilities, hookimpl
from tests.providers import bare


class Base(bare.BareProvider):
    def __init__(self, settings):
        values = {{**settings.values, "pretend": {isolation!r} != "none"}}
        super().__init__(replace(settings, values=values))


{code}


def _capabilities(settings):
    native = (bare.CAPABILITIES | bare.PRETENDED | {extra!r}) - {without!r}
    emulated = frozenset({emulated!r})
    return Capabilities(native=native, emulated=emulated, isolation={isolation!r})


INFO = replace(
    bare.INFO,
    factory=f"{{__name__}}:Provider",
    credentials={credentials!r},
    capabilities=_capabilities,
)


@hookimpl
def sandbook_provider():
    return INFO
"""


def bare_plugin(
    cli: Cli,
    code: str = "class Provider(Base):\n    pass",
    *,
    isolation: str = "microvm",
    credentials: tuple[str, ...] = (),
    extra: frozenset[str] = frozenset(),
    emulated: frozenset[str] = frozenset(),
    without: frozenset[str] = frozenset(),
) -> None:
    """Install the provider "bare"; `code` defines `Provider` as a kind of `Base`."""
    module = _BARE.format(
        code=textwrap.dedent(code),
        isolation=isolation,
        credentials=credentials,
        extra=extra,
        emulated=sorted(emulated),
        without=without,
    )
    cli.plugin("bare", code=module)
