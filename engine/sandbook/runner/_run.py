"""One run from its first event to its last."""

from __future__ import annotations

import platform
import signal
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime

import anyio

from sandbook._version import __version__
from sandbook.api import JSON, Sandbox
from sandbook.errors import LedgerError, SandbookError, told
from sandbook.events import Recorder
from sandbook.installation import Installation
from sandbook.journal import Journal
from sandbook.masking import Masker
from sandbook.plan import make_plan
from sandbook.runner._book import BookRun
from sandbook.runner._context import BookContext, RunContext, RunRequest
from sandbook.runner._live import CannotStart
from sandbook.runner._steps import leaves
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
def _opened(request: RunRequest, installation: Installation) -> Generator[BookContext]:
    plan = make_plan(request.runbook, installation.verbs, installation.chain)
    folder = installation.state.new_run()
    masker = Masker(request.secrets)
    with folder.acquire(), Journal.create(folder.journal) as journal:
        whole = RunContext(
            request=request,
            installation=installation,
            folder=folder,
            recorder=Recorder(journal, masker, request.observers, run=folder.run),
            masker=masker,
            started=datetime.now(UTC),
        )
        yield BookContext(
            whole=whole, runbook=request.runbook, plan=plan, inputs=request.inputs
        )


async def _installation_id(installation: Installation) -> str:
    try:
        return await installation.ledger.installation()
    except LedgerError:
        return installation.environ.get("SANDBOOK_INSTALLATION", "unknown")


class _Run:
    """The runbook that was started, and what only a whole run has: signals, verdict."""

    def __init__(self, context: BookContext) -> None:
        self._context = context
        self._whole = context.whole
        self._recorder = context.recorder
        self._work = anyio.CancelScope()
        self._finishing = False
        self._refusal: SandbookError | None = None

    @asynccontextmanager
    async def borrowed(self) -> AsyncGenerator[Sandbox]:
        self._begin()
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            book = BookRun(self._context, tasks)
            try:
                yield (await book.sandboxes.get(self._context.plan.first)).sandbox
            except CannotStart as stop:
                self._refuse(stop.error)
                failure = stop.error
            except Exception as error:  # noqa: BLE001 (the caller's; raised below)
                self._context.fail("failed", "the program that used it failed")
                failure = error
            finally:
                with anyio.CancelScope(shield=True):
                    await book.tear_down()
                    await self._finish()
                tasks.cancel_scope.cancel()
        # Raised out here: the task group would wrap it in a group of errors.
        if failure is not None:
            raise failure

    def _begin(self) -> None:
        _keep_copy(self._whole.folder, self._context)
        self._context.open_scope()
        self._recorder.emit("run.started", **_facts(self._context))

    async def execute(self) -> int:
        self._begin()
        async with anyio.create_task_group() as tasks:
            if self._whole.request.handle_signals:
                await tasks.start(self._watch_signals)
            book = BookRun(self._context, tasks)
            with self._telling_faults():
                await self._do_work(book)
            # From here nothing but a second signal stops us: what was begun is ended.
            with anyio.CancelScope(shield=True):
                self._finishing = True
                await book.close(self._telling_faults)
                await self._finish()
            tasks.cancel_scope.cancel()
        return self._exit_code()

    async def _do_work(self, book: BookRun) -> None:
        try:
            with self._work:
                await book.work()
        except CannotStart as stop:
            self._refuse(stop.error)
        if self._work.cancelled_caught:
            self._context.fail("cancelled", "it was cancelled")
        book.conclude()

    def _refuse(self, error: SandbookError) -> None:
        self._refusal = error
        self._context.fail("refused", told(error))

    async def _finish(self) -> None:
        context = self._context
        seconds = (datetime.now(UTC) - self._whole.started).total_seconds()
        quota = {
            provider: used
            for each in self._whole.sandboxes
            for provider, used in (await each.quota()).items()
        }
        causes = [*context.causes, *self._whole.not_ended]
        if causes and context.stopped is not None and not context.causes:
            # What was not ended comes behind why the run is red.
            causes.insert(0, context.stopped.cause)
        self._recorder.emit(
            "run.finished",
            status=context.status,
            exit=self._exit_code(),
            totals={"seconds": round(seconds, 4), "quota": quota},
            outputs=dict(context.outputs),
            artifacts=list(self._whole.kept),
            artifacts_folder=str(self._whole.artifacts),
            **({"cause": "; ".join(causes)} if causes else {}),
        )

    def _exit_code(self) -> int:
        status = self._context.status
        if status == "refused" and self._refusal is not None:
            return self._refusal.exit_code
        code = EXIT.get(status, EXIT["internal_error"])
        return TEARDOWN_EXIT if code == 0 and self._whole.not_ended else code

    @contextmanager
    def _telling_faults(self) -> Generator[None]:
        """A fault of ours or of a plugin ends the run, but never its teardown."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 (a plugin's code, or our own fault)
            fault = leaves(error)[0]
            self._context.status = "internal_error"
            self._context.causes.append(f"{type(fault).__name__}: {fault}")
            _write_trace(self._whole, error)

    async def _watch_signals(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            first = True
            async for number in signals:
                if not first:
                    self._whole.request.on_stuck(self._whole.remaining())
                    continue
                first = False
                self._recorder.emit("run.cancelling", by=signal.Signals(number).name)
                if not self._finishing:
                    self._work.cancel()


def _write_trace(context: RunContext, error: BaseException) -> None:
    # Faults are rare; the module costs every run its import otherwise.
    import traceback

    text = context.masker.text("".join(traceback.format_exception(error)))
    (context.folder.path / "fault.txt").write_text(text, encoding="utf-8")


def _keep_copy(folder: RunFolder, context: BookContext) -> None:
    try:
        # Whoever wrote a secret into the file itself still finds it nowhere else.
        stream = context.whole.masker.stream()
        text = stream.feed(context.runbook.path.read_bytes()) + stream.flush()
        folder.runbook.write_bytes(text)
    except OSError:
        # Read from stdin: the hash in the journal still says which text it was.
        return


def _facts(context: BookContext) -> dict[str, JSON]:
    book = context.runbook
    main = next(iter(context.plan.sandboxes.values()))
    return {
        "file": str(book.path),
        "file_hash": book.hash,
        "name": context.name,
        "step_hashes": {step.path: step.hash for step in context.plan.steps},
        "planned": _planned(context),
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


def _planned(context: BookContext) -> dict[str, JSON]:
    """What the steps at the top are called: one that never begins tells nothing."""
    scope = context.scope()
    return {
        step.path: {
            "verb": step.verb,
            "label": context.label_of(step, scope),
            "location": str(step.at),
        }
        for step in context.plan.steps
        if "." not in step.path
    }
