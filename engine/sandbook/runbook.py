"""The typed runbook: what the author wrote, checked, with every default filled in.

Values that hold expressions stay `Value`s until the step runs; everything else has
its final type here. Past this module there is no untyped mapping of the file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sandbook.api import JSON
from sandbook.errors import Location, Problem
from sandbook.expressions import Template, Value

InputType = Literal["string", "integer", "number", "boolean", "choice", "file"]
RetryOn = Literal["exit", "error", "expect", "timeout"]

_LOCATION = re.compile(r"Location\([^)]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """A declared input; without a `default` it must be given."""

    name: str
    type: InputType = "string"
    description: str = ""
    required: bool = True
    default: JSON = None
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    options: tuple[str, ...] = ()
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and when a failed try is repeated; `wait` and `max_wait` in seconds.

    What is written as an expression stays one until the step runs.
    """

    times: Value = 0
    wait: Value = 1.0
    backoff: Value = 1.0
    max_wait: Value = 60.0
    jitter: Value = False
    on: frozenset[RetryOn] = frozenset({"exit", "error", "expect", "timeout"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One declared action.

    `path` is its place in the plan (`steps[2]`, `steps[2].parallel[0]`,
    `finally[0]`), `args` the verb's own value under the verb's name and its further
    keys under theirs. `label` is what people read, its own
    `name` if it `is_named`. `timeout` is in seconds, None = no
    limit; `timeout`, `limit`, `retry` and `allow_failure` stay expressions where they
    are written so. `children` are the steps under the verb's nested keys, by key,
    `used` is the runbook that a `use` step runs: the paths of its steps continue the
    path of this one. `lines` is where the first line of the verb's own text stands, of
    one whose lines are those of the file. `places` says where maps within its values
    stand, as `script[2].then[0]`, of verbs that ask for it.
    """

    path: str
    verb: str
    args: Mapping[str, Value]
    at: Location
    id: str | None = None
    label: Value = ""
    is_named: bool = False
    condition: Value = True
    for_each: Value = None
    is_loop: bool = False
    limit: Value = None
    retry: Retry | Template = Retry()
    timeout: Value = None
    env: Mapping[str, Value] = field(default_factory=dict[str, Value])
    cwd: Value = None
    sandbox: str | None = None
    expect: Value = None
    save: Mapping[str, Value] = field(default_factory=dict[str, Value])
    allow_failure: Value = False
    rerun_on_resume: bool = False
    children: Mapping[str, tuple[Step, ...]] = field(
        default_factory=dict[str, "tuple[Step, ...]"]
    )
    used: Runbook | None = field(default=None, repr=False)
    lines: Location | None = None
    places: Mapping[str, Location] = field(
        default_factory=dict[str, Location], repr=False
    )

    @property
    def hash(self) -> str:
        """Equal for steps that say the same, wherever they stand in the file."""
        own = _LOCATION.sub("", repr(self))
        used = self.used.hash if self.used else ""
        return hashlib.sha256(f"{own}{used}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A sandbox path or pattern to keep after the run.

    A plain path that is missing after a green run fails it if it `is_required`.
    """

    path: Value
    sandbox: str | None = None
    is_required: bool = True
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """One file, checked. `timeout` is that of the whole run, in seconds.

    `hash` is the SHA-256 of its bytes, `folder` where its local paths start,
    `project` the folder they must stay in. `sandbox` holds the defaults of every
    `create`. `warnings` are problems that do not stop a run.
    """

    path: Path
    hash: str
    folder: Path
    project: Path
    name: Value
    description: str = ""
    inputs: Mapping[str, InputSpec] = field(default_factory=dict[str, InputSpec])
    secrets: tuple[str, ...] = ()
    env: Mapping[str, Value] = field(default_factory=dict[str, Value])
    sandbox: Mapping[str, Value] = field(default_factory=dict[str, Value])
    setup: tuple[Step, ...] = ()
    steps: tuple[Step, ...]
    final: tuple[Step, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    outputs: Mapping[str, Value] = field(default_factory=dict[str, Value])
    timeout: Value = None
    warnings: tuple[Problem, ...] = ()

    @property
    def has_own_sandbox(self) -> bool:
        """Whether it makes sandboxes of its own where another runbook uses it."""
        lists = (self.setup, self.steps, self.final)
        created = any(step.verb == "create" for one in lists for step in flat(one))
        return created or bool(self.sandbox)


def flat(steps: Iterable[Step]) -> Iterator[Step]:
    """Steps and those inside them, in the order of the file; not those of `use`."""
    for step in steps:
        yield step
        for children in step.children.values():
            yield from flat(children)
