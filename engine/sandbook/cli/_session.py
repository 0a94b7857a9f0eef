"""A session of a person in a sandbox, of which a transcript is made."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import anyio

from sandbook.api import EchoState, ExecRequest, PtyRequest, Sandbox, Shell
from sandbook.cli import _tty
from sandbook.cli._joining import open_live
from sandbook.cli._opening import Calling, here
from sandbook.cli._terminal import converse
from sandbook.cli._words import warn
from sandbook.errors import SandbookError, SandboxLost
from sandbook.installation import Installation
from sandbook.loader import load_text
from sandbook.runner import RunRequest, borrow_sandbox
from sandbook.state import new_run_id
from sandbook.transcript import (
    Draft,
    Ended,
    Resized,
    Setting,
    Shown,
    Transcript,
    Typed,
)

SHELL = ("bash", "--norc")
_SHELL_ENV = {"PS1": "$ "}
"""A prompt that is the same in every sandbox."""

_TERM = "xterm-256color"
_LANG = "C.UTF-8"
"""As `pty` gives them, so that the replay looks the same."""

_BOOK = """\
runbook: 1
name: record
steps:
  - pty: ["true"]
    script: [{expect_exit: 0}]
"""
"""What says of the sandbox that it needs a terminal."""

_ASKED_S = 10.0


def hold(
    argv: Sequence[str],
    *,
    calling: Calling,
    where: str | None,
    size: tuple[int, int] | None,
) -> tuple[Setting, Draft]:
    """Let the person work until the program ends; what it became.

    Raises:
        SandbookError: There is no sandbox, or no terminal in it.
    """
    cols, rows = size or _tty.size(sys.stdout.fileno())
    setting = Setting(
        argv=tuple(argv),
        cols=cols,
        rows=rows,
        env=_SHELL_ENV if tuple(argv) == SHELL else {},
    )

    async def session() -> Draft:
        async with _sandbox(calling, where) as sandbox:
            return await _held(sandbox, setting, is_fixed=size is not None)

    return setting, anyio.run(session)


@asynccontextmanager
async def _sandbox(calling: Calling, where: str | None) -> AsyncGenerator[Sandbox]:
    async with AsyncExitStack() as stack:
        installation = await stack.enter_async_context(here(calling))
        if where is not None:
            yield await stack.enter_async_context(open_live(installation, where))
            return
        request = _request(installation)
        yield await stack.enter_async_context(borrow_sandbox(request, installation))


def _request(installation: Installation) -> RunRequest:
    from pathlib import Path

    specs = {name: verb.spec for name, verb in installation.verbs.items()}
    book = load_text(_BOOK, Path.cwd() / "record", specs)
    return RunRequest(runbook=book, handle_signals=False)


async def _held(sandbox: Sandbox, setting: Setting, *, is_fixed: bool) -> Draft:
    pty = await sandbox.pty(
        PtyRequest(
            argv=setting.argv,
            key=f"record/{new_run_id()}",
            cols=setting.cols,
            rows=setting.rows,
            env={"LANG": _LANG, **setting.env},
            term=_TERM,
        )
    )
    watcher = _Watcher(
        Transcript(
            cols=setting.cols,
            rows=setting.rows,
            changing=[sandbox.ref.id, await _host_name(sandbox)],
        )
    )
    warn(f"recording in sandbox {sandbox.ref.id}; end it by leaving the program")
    result = await converse(pty, watcher=watcher, follows_size=not is_fixed)
    if result.end == "lost":
        raise SandboxLost(
            f"sandbox {sandbox.ref.id!r} ended during the session",
            provider=sandbox.ref.provider,
            operation="pty",
            ref=sandbox.ref,
            remedy="record it again",
        )
    watcher.transcript.take(Ended(result.code))
    return watcher.transcript.draft()


class _Watcher:
    """Tells a transcript what happens."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript

    def shown(self, data: bytes) -> None:
        """Something was shown."""
        self.transcript.take(Shown(data))

    def typed(self, data: bytes, echo: EchoState | None) -> None:
        """Something is about to be typed."""
        self.transcript.take(Typed(data, echo, time.monotonic()))

    def resized(self, cols: int, rows: int) -> None:
        """The window has another size."""
        self.transcript.take(Resized(cols, rows))


async def _host_name(sandbox: Sandbox) -> str:
    """What a prompt may say of this sandbox and of no other; empty = not known."""
    request = ExecRequest(
        program=Shell(text="uname -n", dialect="sh"),
        key=f"record/{new_run_id()}/name",
        timeout=_ASKED_S,
    )
    try:
        result = await (await sandbox.start(request)).wait()
    except SandbookError:
        return ""
    return result.stdout.data().decode(errors="replace").strip()
