"""One run from its first event to its last."""

from __future__ import annotations

import platform
import signal
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import cast

import anyio

from sandbook._version import __version__
from sandbook.api import JSON, Sandbox
from sandbook.errors import LedgerError, SandbookError, TeardownFailed, told
from sandbook.events import Recorder
from sandbook.installation import Installation
from sandbook.journal import Journal
from sandbook.masking import Masker
from sandbook.plan import make_plan
from sandbook.runner._artifacts import Artifacts
from sandbook.runner._attempt import Parts
from sandbook.runner._background import Backgrounds
from sandbook.runner._context import RunContext, RunRequest
from sandbook.runner._record import Record
from sandbook.runner._sandboxes import CannotStart, Sandboxes
from sandbook.runner._steps import StepRunner
from sandbook.state import RunFolder, process_identity

EXIT = {
    "passed": 0,
    "failed": 1,
    "timed_out": 4,
    "cancelled": 130,
    "internal_error": 70,
}
TEARDOWN_EXIT = 5


async def execute(request: RunRequest, installation: Installation) -> int:
    """Run a runbook to its end; the exit code. What happened is in the journal.

    Raises:
        SandbookError: Nothing was started: no run folder can be made, the plan is
            impossible.
    """
    installation.id = await _installation_id(installation)
    with _opened(request, installation) as context:
        return await _Run(context).execute()


@asynccontextmanager
async def borrow_sandbox(
    request: RunRequest, installation: Installation
) -> AsyncGenerator[Sandbox]:
    """A sandbox with the chain, quota, journal and teardown of a run, without steps.

    Raises:
        SandbookError: No sandbox can be made; what the chain says.
    """
    installation.id = await _installation_id(installation)
    with _opened(request, installation) as context:
        run = _Run(context)
        async with run.borrowed() as sandbox:
            yield sandbox


@contextmanager
def _opened(request: RunRequest, installation: Installation) -> Generator[RunContext]:
    plan = make_plan(request.runbook, installation.verbs, installation.chain)
    folder = installation.state.new_run()
    masker = Masker(request.secrets)
    with folder.acquire(), Journal.create(folder.journal) as journal:
        yield RunContext(
            request=request,
            installation=installation,
            plan=plan,
            folder=folder,
            recorder=Recorder(journal, masker, request.observers, run=folder.run),
            masker=masker,
            started=datetime.now(UTC),
        )


async def _installation_id(installation: Installation) -> str:
    try:
        return await installation.ledger.installation()
    except LedgerError:
        return installation.environ.get("SANDBOOK_INSTALLATION", "unknown")


class _Run:
    """The phases: work, `finally`, teardown, verdict."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._recorder = context.recorder
        self._sandboxes: Sandboxes
        self._work = anyio.CancelScope()
        self._finishing = False
        self._teardown_failed = False
        self._refusal: SandbookError | None = None

    @asynccontextmanager
    async def borrowed(self) -> AsyncGenerator[Sandbox]:
        self._begin()
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            self._sandboxes = Sandboxes(self._context, tasks)
            backgrounds = Backgrounds(self._context, tasks)
            try:
                name = next(iter(self._context.plan.sandboxes))
                yield (await self._sandboxes.get(name)).sandbox
            except CannotStart as stop:
                self._refuse(stop.error)
                failure = stop.error
            except Exception as error:  # noqa: BLE001 (the caller's; raised below)
                self._context.fail("failed", "the program that used it failed")
                failure = error
            finally:
                with anyio.CancelScope(shield=True):
                    await self._tear_down(backgrounds)
                    await self._finish()
                tasks.cancel_scope.cancel()
        # Raised out here: the task group would wrap it in a group of errors.
        if failure is not None:
            raise failure

    def _begin(self) -> None:
        _keep_copy(self._context.folder, self._context)
        self._context.open_scope()
        self._recorder.emit("run.started", **_facts(self._context))

    async def execute(self) -> int:
        self._begin()
        context = self._context
        async with anyio.create_task_group() as tasks:
            self._sandboxes = Sandboxes(context, tasks)
            if context.request.handle_signals:
                await tasks.start(self._watch_signals)
            backgrounds = Backgrounds(context, tasks)
            artifacts = Artifacts(context, self._sandboxes)
            runner = StepRunner(
                Parts(
                    context=context,
                    sandboxes=self._sandboxes,
                    backgrounds=backgrounds,
                    artifacts=artifacts,
                    record=Record(context),
                )
            )
            with self._telling_faults():
                await self._do_work(runner, backgrounds)
            # From here nothing but a second signal stops us: what was begun is ended.
            with anyio.CancelScope(shield=True):
                self._finishing = True
                with self._telling_faults():
                    await self._do_finally(runner)
                with self._telling_faults():
                    await artifacts.collect()
                await self._tear_down(backgrounds)
                await self._finish()
            tasks.cancel_scope.cancel()
        return self._exit_code()

    async def _do_work(self, runner: StepRunner, backgrounds: Backgrounds) -> None:
        book = self._context.runbook
        try:
            with self._work:
                with anyio.move_on_after(book.timeout) as limit:
                    if await runner.run_steps(book.setup):
                        await runner.run_steps(book.steps)
                if limit.cancelled_caught:
                    cause = f"the run's own timeout of {book.timeout:g} s ended it"
                    self._context.fail("timed_out", cause)
        except Exception as error:
            # Items of a loop run in a task group, which wraps what they raise.
            stops = [e.error for e in _leaves(error) if isinstance(e, CannotStart)]
            if not stops or len(stops) < len(_leaves(error)):
                raise
            self._refuse(stops[0])
        if self._work.cancelled_caught:
            self._context.fail("cancelled", "it was cancelled")
        backgrounds.check()
        if self._context.status == "passed":
            self._context.compute_outputs()

    def _refuse(self, error: SandbookError) -> None:
        self._refusal = error
        self._context.fail("refused", told(error))

    async def _do_finally(self, runner: StepRunner) -> None:
        if not self._context.runbook.final:
            return
        self._recorder.emit("finally.started")
        try:
            await runner.run_every(self._context.runbook.final)
        except CannotStart as stop:
            self._context.fail("failed", str(stop.error))

    async def _tear_down(self, backgrounds: Backgrounds) -> None:
        with anyio.move_on_after(self._context.request.teardown_timeout) as limit:
            for name in self._sandboxes.names():
                if self._context.request.keep or self._sandboxes.stays(name):
                    await self._sandboxes.leave(name)
                    continue
                await backgrounds.end_in(name)
                await self._end(name)
        if limit.cancelled_caught:
            self._teardown_failed = True
            self._context.causes.append(
                "teardown was not done in time: "
                + "; ".join(self._sandboxes.remaining())
            )

    async def _end(self, name: str) -> None:
        try:
            await self._sandboxes.end(name)
        except TeardownFailed as error:
            self._teardown_failed = True
            self._context.causes.append(str(error))

    async def _finish(self) -> None:
        context = self._context
        seconds = (datetime.now(UTC) - context.started).total_seconds()
        quota = await self._sandboxes.quota()
        self._recorder.emit(
            "run.finished",
            status=context.status,
            exit=self._exit_code(),
            totals={"seconds": round(seconds, 4), "quota": quota},
            outputs=dict(context.outputs),
            artifacts=list(context.kept),
            **({"cause": "; ".join(context.causes)} if context.causes else {}),
        )

    def _exit_code(self) -> int:
        status = self._context.status
        if status == "refused" and self._refusal is not None:
            return self._refusal.exit_code
        code = EXIT.get(status, EXIT["internal_error"])
        return TEARDOWN_EXIT if code == 0 and self._teardown_failed else code

    @contextmanager
    def _telling_faults(self) -> Generator[None]:
        """A fault of ours or of a plugin ends the run, but never its teardown."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 (a plugin's code, or our own fault)
            fault = _leaves(error)[0]
            self._context.status = "internal_error"
            self._context.causes.append(f"{type(fault).__name__}: {fault}")
            _write_trace(self._context, error)

    async def _watch_signals(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            first = True
            async for number in signals:
                if not first:
                    self._context.request.on_stuck(self._sandboxes.remaining())
                    continue
                first = False
                self._recorder.emit("run.cancelling", by=signal.Signals(number).name)
                if not self._finishing:
                    self._work.cancel()


def _leaves(error: BaseException) -> list[BaseException]:
    """The errors inside groups of errors."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return [leaf for each in inner for leaf in _leaves(each)]


def _write_trace(context: RunContext, error: BaseException) -> None:
    # Faults are rare; the module costs every run its import otherwise.
    import traceback

    text = context.masker.text("".join(traceback.format_exception(error)))
    (context.folder.path / "fault.txt").write_text(text, encoding="utf-8")


def _keep_copy(folder: RunFolder, context: RunContext) -> None:
    try:
        folder.runbook.write_bytes(context.runbook.path.read_bytes())
    except OSError:
        # Read from stdin: the hash in the journal still says which text it was.
        return


def _facts(context: RunContext) -> dict[str, JSON]:
    book = context.runbook
    main = next(iter(context.plan.sandboxes.values()))
    return {
        "file": str(book.path),
        "file_hash": book.hash,
        "name": context.name,
        "step_hashes": {step.path: step.hash for step in context.plan.steps},
        "inputs": dict(context.request.inputs),
        "chain": [candidate.name for candidate in main.selection.candidates],
        "floor": main.selection.floor,
        "versions": {
            "sandbook": __version__,
            "python": platform.python_version(),
            "platform": sys.platform,
        },
        "installation": context.installation.id,
        "owner": process_identity().to_json(),
    }
