"""Verbs: what a step can do. Built-in verbs and third parties' use this surface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from sandbook.api._base import JSON
from sandbook.api._capabilities import Capability
from sandbook.api._exec import Chunk, ExecResult, Process, StreamName
from sandbook.api._interactive import Code
from sandbook.api._provider import Sandbox

Schema: TypeAlias = Mapping[str, object]
"""A JSON Schema fragment.

The keyword `x-kind` says how the text of a scalar is read: text, line (takes the
rest of its line), shell (a line bound by shell context), code (no expressions),
name, boolean, integer, number, duration, size, octal, terminal (COLUMNSxROWS),
expression, free. `x-located` keeps the places of the maps in a value, for
`StepScope.place_of`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundShell:
    """A shell text whose values were replaced by references to these variables."""

    text: str
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


Bound: TypeAlias = "JSON | BoundShell"
"""A value of a step when it runs: every expression is evaluated."""

Arguments: TypeAlias = Mapping[str, Bound]
"""The verb's own value under its name, and its further keys under theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbSpec:
    """What is known of a verb before anything runs.

    `value` is the schema of what stands after `NAME:`, `keys` of the keys only this
    verb has, `required` those of them that must be there, and of `one_of` exactly
    one. `fields` are the names
    of its result and what they mean, `subjects` those that `expect` may ask for.
    `refuses` lists keys of every step that make no sense here, `nested` the keys
    (or the verb's name) whose value is a list of steps. `timeout` is the default, in
    seconds; with `own_timeout` the verb ends its work in time itself and keeps what
    there is, else it is cancelled. What is `repeatable` may run again after a crash.
    With `own_limit` the key `limit` is about the steps under its nested key, and items
    of `for_each` run one after the other. With `own_save` what stands under `save` is
    code, which the verb evaluates itself.
    """

    name: str
    summary: str
    value: Schema
    keys: Mapping[str, Schema] = field(default_factory=dict[str, Schema])
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    subjects: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    nested: tuple[str, ...] = ()
    timeout: float | None = 600.0
    own_timeout: bool = False
    own_limit: bool = False
    own_save: bool = False
    repeatable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a step did not do its work; `subject` is the expectation that replaces it."""

    cause: str
    kind: Literal["exit", "error", "expect", "timeout", "lost"] = "error"
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one try of a step gave: the result's fields, and why it failed if it did.

    `values` are those of `save`, of a verb with `own_save`.
    """

    fields: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    values: Mapping[str, JSON] = field(default_factory=dict[str, JSON])
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A program that outlives its step.

    The run calls `on_chunk` with what it writes and `on_end` when it ends, and asks
    `fields` for the step's result as it is by then.
    """

    process: Process
    on_chunk: Callable[[Chunk], None]
    on_end: Callable[[ExecResult], None]
    fields: Callable[[], Mapping[str, JSON]]


class Recording(Protocol):
    """What a terminal shows, kept as it comes; secrets are masked in it."""

    path: Path

    def output(self, data: bytes) -> None:
        """The terminal showed this."""
        ...

    def resize(self, cols: int, rows: int) -> None:
        """The terminal has another size from now on."""
        ...

    def marker(self, text: str) -> None:
        """Name this moment, for somebody who wants to jump there."""
        ...

    def exit(self, code: int | None) -> None:
        """The program has ended."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class StepScope(Protocol):
    """One try of a step, as its verb sees it.

    `args` are the step's values, evaluated; `secret_args` names those that contain
    a secret. `key` names this try for good. `env` and `cwd` are the step's,
    `timeout` the seconds it has left, `limit` the number under that key, None where
    there is none. `save` is what a verb with `own_save` has to evaluate. `file` is the
    runbook, `folder` where it stands, `project` the one that local paths stay in,
    `artifacts` where results go. With `update_snapshots` screens are written, and not
    compared.
    """

    args: Arguments
    secret_args: frozenset[str]
    key: str
    env: Mapping[str, str]
    cwd: str | None
    timeout: float | None
    limit: int | None
    save: Mapping[str, str]
    update_snapshots: bool
    file: Path
    folder: Path
    project: Path
    artifacts: Path

    async def sandbox(self) -> Sandbox:
        """The sandbox of this step, made now if it is the first that needs it."""
        ...

    def code(self, language: str, context: str) -> AbstractAsyncContextManager[Code]:
        """The interpreter of the step's sandbox with these variables, for us alone.

        It waits while another step is in it. An interpreter has the environment and
        the working folder of the first step that used it: one that asks for others is
        refused.
        """
        ...

    async def run_below(
        self, key: str, *, limit: int | None = 1, fail_fast: bool = True
    ) -> Failure | None:
        """Run the steps under a nested key; why they failed, None = they did not.

        At most `limit` run at once, in the order of the file; None = all of them. With
        `fail_fast` the first failure that counts cancels the others. The failure names
        the step, and its kind is that of the step's.
        """
        ...

    async def use(self, inputs: Mapping[str, JSON]) -> Outcome:
        """Run the runbook that this step names, to its end; the field `outputs`."""
        ...

    def show(self, stream: StreamName, data: bytes) -> None:
        """Hand on output as it comes; it is masked before anybody sees it."""
        ...

    def note(self, text: str) -> None:
        """Say something to the person who watches, and to the report."""
        ...

    def attached(self, kind: Literal["process", "pty", "code"], id: str) -> None:
        """Record what a resumed run would join again."""
        ...

    async def result(self, step_id: str) -> Mapping[str, JSON]:
        """The result of a step above; of a background command as it is now."""
        ...

    async def check(
        self, subjects: Mapping[str, Bound], fields: Mapping[str, JSON]
    ) -> tuple[str, ...]:
        """What does not hold of these expectations, in words."""
        ...

    def why_false(self, key: str) -> str:
        """The values that made the condition under `key` false, in words."""
        ...

    def keep_running(self, background: Background) -> None:
        """Let a background program outlive the step; the run reads and ends it."""
        ...

    async def create_sandbox(self, options: Arguments) -> Mapping[str, JSON]:
        """Make or reuse the sandbox named `options["as"]`; its name, id, provider."""
        ...

    async def teardown(self, name: str | None) -> None:
        """Collect the sandbox's artifacts and end it."""
        ...

    def local_path(self, written: str) -> Path:
        """A path of this computer as the author means it; refused outside `project`."""
        ...

    def file_name(self, name: str) -> str:
        """The name that a file of the sandbox gets on this computer: no secrets."""
        ...

    def masked(self, text: str) -> str:
        """A text without secrets, for what is stored elsewhere or cut in pieces."""
        ...

    def place_of(self, where: str) -> str:
        """The file and line of a map in a value, as `script[2].then[0]`."""
        ...

    def record(self, *, cols: int, rows: int, term: str, command: str) -> Recording:
        """Begin the recording of a terminal; its file is a result of this step."""
        ...

    def claim(self, files: Mapping[Path, str]) -> str | None:
        """Take these names below `artifacts` for this step, or none of them.

        They map to where the files are in the sandbox. The name of the first that
        another step has brought is given, None = they are this step's.
        """
        ...

    def artifact(self, path: Path) -> None:
        """Record a file below `artifacts` as a result of this step."""
        ...

    def keep_result(self, name: str, data: bytes) -> Path:
        """Store bytes in this step's own folder of `artifacts`, masked; a result of it.

        What an earlier try stored under the name is replaced.
        """
        ...

    def place(self, line: int) -> str:
        """`file:line` of a line of the verb's own text; empty where it has no lines."""
        ...


class Verb(Protocol):
    """A verb; one object serves every step, so it keeps no state of a step."""

    spec: VerbSpec

    def requires(self, args: Mapping[str, object]) -> frozenset[Capability]:
        """What a sandbox must be able to do; `args` as written, not yet evaluated."""
        ...

    async def run(self, step: StepScope) -> Outcome:
        """Do the work once. Raises only `SandbookError`s."""
        ...


@runtime_checkable
class UsesCode(Protocol):
    """A verb that works in an interpreter, which the run may start beforehand."""

    def interpreter(self, args: Mapping[str, object]) -> tuple[str, str]:
        """The language and the context; `args` as written, not yet evaluated."""
        ...
