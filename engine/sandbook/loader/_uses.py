"""The runbooks that a runbook uses: found, read once each, and held against `with`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from sandbook.errors import RunbookError
from sandbook.expressions import Value, expressions_in
from sandbook.inputs import read_input
from sandbook.loader._nodes import MapNode, Pair
from sandbook.loader._read import TreeReader
from sandbook.loader._source import Source
from sandbook.local_paths import is_file, is_folder, is_there, real_path
from sandbook.problems import suggest
from sandbook.runbook import InputSpec, Runbook, Step, flat

USE: Final = "use"
DEEPEST: Final = 16
"""How many runbooks may use each other in a row."""
MOST_STEPS: Final = 10_000
"""Steps of a runbook with all it uses; a few small files could say billions."""


class Library:
    """The files of one load; `read` loads one that was not asked for yet."""

    def __init__(self, read: Callable[[Path, Library], Runbook]) -> None:
        self._read = read
        self._known: dict[Path, Runbook | RunbookError] = {}
        self._sizes: dict[Path, int] = {}
        self._chain: list[tuple[Path, Path]] = []

    def load(self, path: Path) -> Runbook:
        """The runbook of a file; raises `RunbookError`, always the same one."""
        real = real_path(path)
        if real not in self._known:
            self._chain.append((real, path))
            try:
                self._known[real] = self._read(path, self)
            except RunbookError as error:
                self._known[real] = error
            finally:
                self._chain.pop()
        found = self._known[real]
        if isinstance(found, RunbookError):
            raise found
        self._sizes[real] = _count(found)
        return found

    def circle(self, path: Path) -> tuple[Path, ...]:
        """The files that would use each other in a circle; none if they do not."""
        real = real_path(path)
        reals = [each for each, _ in self._chain]
        if real not in reals:
            return ()
        return (*(shown for _, shown in self._chain[reals.index(real) :]), path)

    @property
    def depth(self) -> int:
        """How many files are being read, each used by the one before."""
        return len(self._chain)

    def size(self, path: Path) -> int:
        """How many steps a file that was loaded has with all it uses."""
        return self._sizes.get(real_path(path), 0)


class Uses:
    """The `use` steps of one file; `secrets` are those it lists."""

    def __init__(
        self,
        source: Source,
        reader: TreeReader,
        library: Library,
        *,
        folder: Path,
        project: Path,
        secrets: tuple[str, ...],
    ) -> None:
        self._source = source
        self._reader = reader
        self._library = library
        self._folder = folder
        self._project = project
        self._secrets = secrets
        self._size = 0

    def read(self, step: Step, node: MapNode) -> Runbook | None:
        """What this step uses; None for other steps, and where a problem was added."""
        pair = node.find(USE)
        written = step.args.get(USE)
        if step.verb != USE or pair is None or not isinstance(written, str):
            return None
        path = Path(os.path.normpath(self._folder / written))
        if not self._may_use(path, written, pair):
            return None
        try:
            used = self._library.load(path)
        except RunbookError as error:
            self._source.problems.extend(error.problems)
            return None
        self._source.problems.extend(used.warnings)
        self._size += self._library.size(path)
        if self._size > MOST_STEPS:
            message = f"with all it uses, this runbook has over {MOST_STEPS:,} steps"
            self._refuse("SB502", pair, message, "use fewer runbooks in each other")
            return None
        self._check_secrets(used, written, pair)
        self._check_teardown(used, pair)
        self._check_setup(step, used, pair)
        self._check_with(step, used, node, pair)
        return _placed(used, f"{step.path}.{USE}")

    def _may_use(self, path: Path, written: str, pair: Pair) -> bool:
        if not real_path(path).is_relative_to(real_path(self._project)):
            message = f"{written!r} is outside the project ({self._project})"
            self._refuse("SB501", pair, message, "move the runbook into the project")
        elif not is_file(path):
            what = "is a folder" if is_folder(path) else "does not exist"
            remedy = suggest(path.name, _beside(path), kind="runbooks there")
            self._refuse("SB501", pair, f"the runbook {written!r} {what}", remedy)
        elif circle := self._library.circle(path):
            names = " → ".join(each.name for each in circle)
            message = f"runbooks would use each other for ever: {names}"
            self._refuse("SB502", pair, message, "take one of these `use` steps out")
        elif self._library.depth >= DEEPEST:
            message = f"more than {DEEPEST} runbooks use each other in a row"
            self._refuse("SB502", pair, message, "use fewer runbooks in each other")
        else:
            return True
        return False

    def _check_secrets(self, used: Runbook, written: str, pair: Pair) -> None:
        for name in used.secrets:
            if name not in self._secrets:
                message = f"{written!r} needs the secret {name!r}, not listed here"
                names = ", ".join((*self._secrets, name))
                self._refuse("SB504", pair, message, f"add it: secrets: [{names}]")

    def _check_teardown(self, used: Runbook, pair: Pair) -> None:
        """What is used works in a sandbox that is not its own to end."""
        if used.has_own_sandbox:
            return
        step = next((each for each in _steps(used) if each.verb == "teardown"), None)
        if step is not None:
            message = f"{step.at} would end the sandbox that this step only lends"
            remedy = "take that `teardown` out, or give that file `sandbox:`"
            self._refuse("SB505", pair, message, remedy)

    def _check_setup(self, step: Step, used: Runbook, pair: Pair) -> None:
        if not step.path.startswith("setup"):
            return
        lasting = ("background command", "terminal")
        what = "sandbox of its own" if used.has_own_sandbox else ""
        what = "secret" if used.secrets else what
        for inner in _steps(used):
            if inner.args.get("background") is True or inner.verb == "pty":
                what = lasting[inner.verb == "pty"]
        if what:
            message = f"what it uses has a {what}, which `setup` cannot store"
            self._refuse("SB213", pair, message, "move the step to `steps`")

    def _check_with(self, step: Step, used: Runbook, node: MapNode, pair: Pair) -> None:
        given = step.args.get("with")
        values: Mapping[str, Value] = given if isinstance(given, Mapping) else {}
        below = node.find("with")
        pairs = below.value if below and isinstance(below.value, MapNode) else ()
        for each in pairs:
            spec = used.inputs.get(each.name)
            if spec is None:
                message = f"{used.path.name!r} has no input {each.name!r}"
                remedy = suggest(each.name, used.inputs, kind="inputs")
                self._reader.add("SB503", each.key, message, remedy)
            elif each.name in values:
                self._check_value(spec, values[each.name], each)
        for spec in used.inputs.values():
            if spec.required and (
                below is None or all(p.name != spec.name for p in pairs)
            ):
                about = f" ({spec.description})" if spec.description else ""
                message = f"the input {spec.name!r}{about} must be given"
                self._refuse("SB503", pair, message, f"add `with: {{{spec.name}: …}}`")

    def _check_value(self, spec: InputSpec, value: Value, pair: Pair) -> None:
        if any(True for _ in expressions_in(value)):
            return
        try:
            text = _as_text(value)
            read_input(spec, text)
            if spec.type == "file":
                self._check_file(text)
        except ValueError as error:
            message = f"the input {spec.name!r} {error}"
            self._reader.add("SB503", pair.value, message)

    def _check_file(self, text: str) -> None:
        path = real_path(self._folder / text)
        if not path.is_relative_to(real_path(self._project)):
            raise ValueError(f"must be inside the project, and {text!r} is not")
        if not is_there(path):
            raise ValueError(f"must be a file, and there is no {text!r}")

    def _refuse(self, code: str, pair: Pair, message: str, remedy: str) -> None:
        self._reader.add(code, pair.value, message, remedy)


def _as_text(value: Value) -> str:
    """A value as the command line would give it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    kind = "a map" if isinstance(value, Mapping) else "a list"
    shown = "null" if value is None else kind
    raise ValueError(f"must be a text, a number or a boolean, not {shown}")


def _beside(path: Path) -> list[str]:
    try:
        names = [each.name for each in path.parent.iterdir()]
    except OSError:
        return []
    return sorted(name for name in names if name.endswith((".yaml", ".yml")))[:20]


def _steps(runbook: Runbook) -> Iterator[Step]:
    """All steps of a runbook, and of those it uses without a sandbox of their own."""
    for step in (*runbook.setup, *runbook.steps, *runbook.final):
        for inner in flat((step,)):
            yield inner
            if inner.used is not None and not inner.used.has_own_sandbox:
                yield from _steps(inner.used)


def _count(runbook: Runbook) -> int:
    lists = (runbook.setup, runbook.steps, runbook.final)
    every = (step for steps in lists for step in flat(steps))
    return sum(1 + (_count(step.used) if step.used else 0) for step in every)


def _placed(runbook: Runbook, place: str) -> Runbook:
    """The runbook as part of another one: the paths of its steps begin with `place`."""

    def within(steps: tuple[Step, ...]) -> tuple[Step, ...]:
        return tuple(_placed_step(step, place) for step in steps)

    return replace(
        runbook,
        setup=within(runbook.setup),
        steps=within(runbook.steps),
        final=within(runbook.final),
    )


def _placed_step(step: Step, place: str) -> Step:
    return replace(
        step,
        path=f"{place}.{step.path}",
        children={
            key: tuple(_placed_step(child, place) for child in children)
            for key, children in step.children.items()
        },
        used=_placed(step.used, place) if step.used else None,
    )
