"""The same from Python: run a runbook, load one, open a sandbox without one."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from sandbook.api import Isolation, Sandbox
from sandbook.errors import SandbookError
from sandbook.events import Observer
from sandbook.expressions import Value
from sandbook.inputs import InputValue, resolve_inputs
from sandbook.installation import Installation
from sandbook.loader import load_runbook
from sandbook.report import Report, ReportFold
from sandbook.runbook import Runbook
from sandbook.runner import RunRequest, borrow_sandbox, execute
from sandbook.secrets import find_secrets


def load(path: str | Path) -> Runbook:
    """Read and check a runbook.

    Raises:
        RunbookError: It is wrong; `problems` holds every problem of the file.
    """
    file = Path(path)
    installation = Installation(environ=os.environ, project=file.parent)
    specs = {name: verb.spec for name, verb in installation.verbs.items()}
    return load_runbook(file, specs)


async def run(
    file: str | Path | Runbook,
    *,
    inputs: Mapping[str, InputValue] | None = None,
    secrets: Mapping[str, str] | None = None,
    providers: Sequence[str] = (),
    keep: bool = False,
    observers: Sequence[Observer] = (),
) -> Report:
    """Run a runbook to its end; a red run is a report, not an exception.

    `inputs` may be of their types or texts; a file is relative to the current folder.
    `secrets` default to the environment's variables of their names, then to plugins.
    Signals are left to the caller's program.

    Raises:
        SandbookError: Nothing ran: the file, an input or a secret is wrong.
    """
    book = file if isinstance(file, Runbook) else load(file)
    fold = ReportFold()
    async with Installation(
        environ=os.environ, project=book.project, providers=tuple(providers)
    ) as installation:
        request = RunRequest(
            runbook=book,
            inputs=resolve_inputs(book, inputs or {}),
            secrets=_secrets(book, secrets, installation),
            keep=keep,
            handle_signals=False,
            observers=(fold, *observers),
        )
        await execute(request, installation)
    return fold.report()


@asynccontextmanager
async def open_sandbox(  # noqa: PLR0913 (each is one key of `sandbox:`)
    *,
    providers: Sequence[str] = (),
    template: str | None = None,
    lifetime: float = 600.0,
    env: Mapping[str, str] | None = None,
    network: bool | Sequence[str] = True,
    isolation: Isolation | None = None,
    keep: bool = False,
) -> AsyncGenerator[Sandbox]:
    """Open a sandbox with the chain, quota and teardown of a run.

    `lifetime` is in seconds, how long it outlives a dead program; it is renewed while
    the block runs. At the end it is destroyed unless `keep`.

    Raises:
        NoProvider: Nobody could make one; `attempts` says why.
    """
    options: dict[str, Value] = {
        "timeout": lifetime,
        "network": network if isinstance(network, bool) else tuple(network),
        **({"template": template} if template else {}),
        **({"isolation": isolation} if isolation else {}),
        **({"env": dict(env)} if env else {}),
    }
    here = Path.cwd()
    book = Runbook(
        path=Path("open_sandbox"),
        hash="",
        folder=here,
        project=here,
        name="open_sandbox",
        sandbox=options,
        steps=(),
    )
    request = RunRequest(runbook=book, keep=keep, handle_signals=False)
    async with (
        Installation(
            environ=os.environ, project=here, providers=tuple(providers)
        ) as installation,
        borrow_sandbox(request, installation) as sandbox,
    ):
        yield sandbox


def run_sync(
    file: str | Path | Runbook,
    *,
    inputs: Mapping[str, InputValue] | None = None,
    secrets: Mapping[str, str] | None = None,
    providers: Sequence[str] = (),
    keep: bool = False,
) -> Report:
    """`run` for a program without an event loop."""

    async def call() -> Report:
        return await run(
            file, inputs=inputs, secrets=secrets, providers=providers, keep=keep
        )

    return anyio.run(call)


@contextmanager
def open_sandbox_sync(
    *,
    providers: Sequence[str] = (),
    template: str | None = None,
    lifetime: float = 600.0,
    env: Mapping[str, str] | None = None,
    network: bool | Sequence[str] = True,
) -> Generator[tuple[Sandbox, BlockingPortal]]:
    """`open_sandbox` for a program without an event loop.

    Gives the sandbox and the portal to call it through:
    `portal.call(box.files.read, "out.txt")`.
    """
    with start_blocking_portal() as portal:
        opened = open_sandbox(
            providers=providers,
            template=template,
            lifetime=lifetime,
            env=env,
            network=network,
        )
        with portal.wrap_async_context_manager(opened) as sandbox:
            yield sandbox, portal


def _secrets(
    book: Runbook, given: Mapping[str, str] | None, installation: Installation
) -> Mapping[str, str]:
    if given is not None:
        return find_secrets(book.secrets, (given.get,), remedy=_how)

    def of_plugins(name: str) -> str | None:
        return installation.registry.secret(name, file=str(book.path))

    return find_secrets(book.secrets, (os.environ.get, of_plugins), remedy=_how)


def _how(name: str) -> str:
    return f"pass secrets={{{name!r}: ...}}, or set the variable {name}"


__all__ = [
    "SandbookError",
    "load",
    "open_sandbox",
    "open_sandbox_sync",
    "run",
    "run_sync",
]
