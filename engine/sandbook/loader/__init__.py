"""Load a runbook: text to located tree to typed runbook, with every problem of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sandbook.api import VerbSpec
from sandbook.errors import Location, Problem, RunbookError
from sandbook.loader._build import Origin, build, project_of
from sandbook.loader._source import LARGEST, Source
from sandbook.loader._uses import Library
from sandbook.runbook import Runbook

__all__ = ["load_runbook", "load_text", "project_of"]


def load_runbook(path: Path, verbs: Mapping[str, VerbSpec]) -> Runbook:
    """Read a file and those it uses; raises `RunbookError` with every problem."""

    def read(path: Path, library: Library) -> Runbook:
        return _load(_bytes_of(path), path, verbs, library)

    return Library(read).load(path)


def load_text(text: str, path: Path, verbs: Mapping[str, VerbSpec]) -> Runbook:
    """Read a text as if it stood in `path`; raises `RunbookError`."""
    data = text.encode(errors="surrogatepass")

    def read(asked: Path, library: Library) -> Runbook:
        return _load(data if asked is path else _bytes_of(asked), asked, verbs, library)

    return Library(read).load(path)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise _unreadable(path, f"the file cannot be read: {why}") from error


def _load(
    data: bytes, path: Path, verbs: Mapping[str, VerbSpec], library: Library
) -> Runbook:
    # PyYAML costs 20 ms to import; only what loads a file pays for it.
    from sandbook.loader._shape import runbook_shape
    from sandbook.loader._tree import read_tree

    source = Source(str(path), _decode(data, path))
    tree = read_tree(source, runbook_shape(verbs))
    if tree is None:
        if not source.problems:
            source.add(
                "SB100", 0, "the file is empty", remedy="begin it with `runbook: 1`"
            )
        raise RunbookError(_in_order(source.problems))
    runbook = build(tree, source, verbs, Origin.of(path, data), library)
    if runbook is None or _errors(source):
        raise RunbookError(_in_order(source.problems))
    return replace(runbook, warnings=_in_order(source.problems))


def _errors(source: Source) -> bool:
    return any(problem.severity == "error" for problem in source.problems)


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(sorted(problems, key=lambda problem: problem.at)))


def _decode(data: bytes, path: Path) -> str:
    if len(data) > LARGEST:
        raise _unreadable(
            path,
            f"the file has {len(data):,} bytes, and a runbook at most 1 MiB",
            remedy="keep data in files of their own and use `copy`",
            code="SB107",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _unreadable(
            path, "the file is not UTF-8 text", line=line, remedy="save it as UTF-8"
        ) from error


def _unreadable(
    path: Path, message: str, *, remedy: str = "", line: int = 1, code: str = "SB100"
) -> RunbookError:
    at = Location(str(path), line, 1)
    return RunbookError([Problem(code=code, at=at, message=message, remedy=remedy)])
