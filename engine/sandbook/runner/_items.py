"""Where a step stands while it runs, and what it has from the steps around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sandbook.api import JSON
from sandbook.expressions import Value, uses_item
from sandbook.runbook import Step
from sandbook.runner._context import Env, Extra, Results
from sandbook.verbs._paths import in_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What steps have from the step around them; at the top, of the runbook alone.

    `path` is the place of that step in the plan, `place` the one in this run, which
    names the items of loops as well. `env` and `cwd` are its own, evaluated, and
    `written` is that environment as it stands in the file. `cwd` is a folder of
    `sandbox`, by its name in the run. With `only_made` they are skipped where their
    sandbox was never made: nothing is there to be cleaned up.
    """

    results: Results
    path: str = ""
    place: str = ""
    extra: Extra = field(default_factory=dict[str, JSON])
    env: Env = field(default_factory=dict[str, str])
    written: Mapping[str, Value] = field(default_factory=dict[str, Value])
    cwd: str | None = None
    sandbox: str = ""
    only_made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A step, or one item of its `for_each`: its path in this run, what it sees.

    `is_one` says that it is one item, not the loop as a whole.
    """

    step: Step
    path: str
    around: Around
    is_one: bool = False

    @classmethod
    def of(cls, step: Step, around: Around) -> Item:
        """The step itself."""
        path = around.place + step.path.removeprefix(around.path)
        return cls(step=step, path=path, around=around)

    def each(self, index: int, value: JSON) -> Item:
        """One item of its loop; ids inside are visible in that item only."""
        extra = {**self.around.extra, "item": value}
        results = self.around.results.new_child()
        around = replace(self.around, extra=extra, results=results)
        path = f"{self.path}.each[{index}]"
        return replace(self, path=path, around=around, is_one=True)

    def knows(self, value: Value) -> bool:
        """Whether it can be evaluated here: a loop as a whole has no item."""
        return self.is_one or not self.step.is_loop or not uses_item(value)

    @property
    def env(self) -> Mapping[str, Value]:
        """What can be evaluated here of the step's own environment."""
        own = self.step.env
        return {name: value for name, value in own.items() if self.knows(value)}

    @property
    def written(self) -> Mapping[str, Value]:
        """The environment of this step and those around it, as written."""
        return {**self.around.written, **self.step.env}

    def folder(self, cwd: str | None, sandbox: str) -> str | None:
        """Where it works: its own `cwd` in that of the step around it, if it has one.

        `sandbox` is the one it works in: the folders of another are not in it.
        """
        outer = self.around.cwd if self.around.sandbox == sandbox else None
        return outer if cwd is None else in_folder(outer, cwd)

    def inside(self, *, env: Env, cwd: str | None, sandbox: str) -> Around:
        """What the steps inside it have from it."""
        return Around(
            results=self.around.results,
            path=self.step.path,
            place=self.path,
            extra=self.around.extra,
            env=env,
            written=self.written,
            cwd=cwd,
            sandbox=sandbox,
            only_made=self.around.only_made,
        )
