"""Decides how `packages` come into a sandbox: once, before the first step in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import anyio

from sandbook.api import (
    Arguments,
    Bound,
    ExecRequest,
    ExecResult,
    Process,
    Sandbox,
    StreamName,
)
from sandbook.errors import ProviderError, SandbookError, SandboxLost
from sandbook.plan import refuse_package
from sandbook.runner._context import BookContext

TIMEOUT = 600.0
"""Seconds for each of pip, `apt-get update` and `apt-get install`."""
KILL_TIMEOUT = 5.0
LAST_LINES = 3
LONGEST_LINE = 200
KEPT = 4096

_PIP = ("python3", "-m", "pip", "install", "--disable-pip-version-check")
_PIP_FLAGS = ("--no-input", "--progress-bar", "off", "--")
_APT = ("apt-get", "install", "--yes", "--no-install-recommends", "--")
_ENV: Mapping[str, str] = MappingProxyType(
    {
        # Nobody else uses this Python: what protects a computer from pip is in the way.
        "PIP_BREAK_SYSTEM_PACKAGES": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "DEBIAN_FRONTEND": "noninteractive",
    }
)


class Audience(Protocol):
    """Who hears of it: the step that needs the sandbox."""

    def show(self, stream: StreamName, data: bytes) -> None:
        """Take output; it is masked and kept from here on."""
        ...

    def note(self, text: str) -> None:
        """Take a sentence for the person who watches."""
        ...


@dataclass(slots=True, kw_only=True)
class Packages:
    """What a sandbox is to have, until it has it.

    What failed or was cancelled is tried again by the next step that needs the
    sandbox: no step may run in it without them.
    """

    pip: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    done: bool = False
    tries: int = 0

    @classmethod
    def of(cls, options: Arguments) -> Packages:
        """Read `packages`; raises `UsageError` for what is no name of a package."""
        value = options.get("packages")
        lists: Arguments = value if isinstance(value, Mapping) else {}
        return cls(
            pip=_names(lists.get("pip"), "pip"), apt=_names(lists.get("apt"), "apt")
        )

    def __bool__(self) -> bool:
        """Whether something is still to be installed."""
        return not self.done and bool(self.pip or self.apt)

    def __str__(self) -> str:
        """For people."""
        lists = (("apt", self.apt), ("pip", self.pip))
        return "; ".join(f"{by}: {', '.join(names)}" for by, names in lists if names)

    def programs(self) -> Iterator[_Program]:
        """What to run, in order: a package of pip may need one of apt."""
        if self.apt:
            yield _Program(by="apt", key="apt-update", argv=("apt-get", "update"))
            yield _Program(by="apt", key="apt", argv=(*_APT, *self.apt))
        if self.pip:
            yield _Program(by="pip", key="pip", argv=(*_PIP, *_PIP_FLAGS, *self.pip))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    by: str
    key: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The sandbox that gets them, its name in the run, and what `create` says of it."""

    name: str
    sandbox: Sandbox
    env: Mapping[str, str]


async def install(
    packages: Packages, place: Place, context: BookContext, audience: Audience | None
) -> None:
    """Install what is missing.

    Raises:
        ProviderError: It could not be installed; the message has the last lines.
    """
    if not packages:
        return
    text = f"installing packages in sandbox {place.name!r}: {packages}"
    if audience is None:
        context.recorder.note("", text)
    else:
        audience.note(text)
    packages.tries += 1
    key = f"{context.run}/packages/{place.name}/{packages.tries}"
    env = {**_ENV, **context.env_with(place.env)}
    for program in packages.programs():
        request = ExecRequest(
            program=program.argv,
            key=f"{key}/{program.key}",
            env=env,
            user="root" if program.by == "apt" else None,
            timeout=TIMEOUT,
        )
        await _run(program, request, place, audience)
    packages.done = True


async def _run(
    program: _Program, request: ExecRequest, place: Place, audience: Audience | None
) -> None:
    process = await place.sandbox.start(request)
    said = _Said()
    try:
        async for chunk in process.output():
            said.add(chunk.stream, chunk.data)
            if audience is not None:
                audience.show(chunk.stream, chunk.data)
        result = await process.wait()
    except anyio.get_cancelled_exc_class():
        await _kill(process)
        raise
    if result.code != 0:
        raise _failed(program, place, result, said)


async def _kill(process: Process) -> None:
    """End it: the next try would meet it at work on the same files."""
    with anyio.move_on_after(KILL_TIMEOUT, shield=True):
        try:
            await process.signal("KILL")
        except SandbookError:
            # It ends at its own time limit, or with its sandbox.
            return


@dataclass(slots=True)
class _Said:
    """The last bytes of each stream."""

    last: dict[StreamName, bytes] = field(default_factory=dict["StreamName", bytes])

    def add(self, stream: StreamName, data: bytes) -> None:
        self.last[stream] = (self.last.get(stream, b"") + data)[-KEPT:]

    def words(self) -> str:
        """The last lines, of stderr if it has any: usually the cause."""
        both = (self.last.get("stderr", b""), self.last.get("stdout", b""))
        data = next((each for each in both if each.strip()), b"")
        lines = [line.strip() for line in data.decode(errors="replace").splitlines()]
        told = [line for line in lines if line][-LAST_LINES:]
        # A cut must be marked: masking looks there for pieces of secrets.
        if len(data) == KEPT and told and told[0] == lines[0]:
            told[0] = f"…{told[0]}"
        short = (
            line[:LONGEST_LINE] + "…" * (len(line) > LONGEST_LINE) for line in told
        )
        return " / ".join(short)


def _failed(
    program: _Program, place: Place, result: ExecResult, said: _Said
) -> ProviderError:
    ref = place.sandbox.ref
    message, remedy = _why(program, result, said.words())
    kind = SandboxLost if result.end == "lost" else ProviderError
    return kind(
        f"the packages of sandbox {place.name!r} could not be installed: {message}",
        provider=ref.provider,
        operation="exec",
        ref=ref,
        remedy=remedy,
    )


def _why(program: _Program, result: ExecResult, words: str) -> tuple[str, str]:
    """What happened, and what to do."""
    by = program.by
    if result.end == "lost":
        return f"it was lost while {by} ran", ""
    if result.end == "timed_out":
        return f"{by} was still running after {TIMEOUT:g} s", ""
    if by == "pip" and (result.code == 127 or "No module named pip" in words):  # noqa: PLR2004
        return (
            f"there is no {'pip' if result.code == 1 else 'python3'} in it",
            "use a template that has it, or leave `packages.pip` out",
        )
    if by == "apt" and result.code == 127:  # noqa: PLR2004 (the shell's "not found")
        return (
            "there is no apt-get in it",
            "use a template of Debian or Ubuntu, or leave `packages.apt` out",
        )
    end = f"{by} ended with exit code {result.code}"
    limit = f", {result.limit}" if result.limit else ""
    return f"{end}{limit}" + (f": {words}" if words else ""), ""


def _names(value: Bound, key: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return ()
    names = tuple(str(item) for item in value)
    for index, name in enumerate(names):
        refuse_package(name, f"packages.{key}[{index}]")
    return names
