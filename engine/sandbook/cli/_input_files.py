"""Decides what a file of inputs means (`--inputs`): texts as they are written."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sandbook.cli._opening import STDIN
from sandbook.errors import Location, Problem, RunbookError, UsageError
from sandbook.inputs import Given
from sandbook.loader._nodes import MapNode, Pair, ScalarNode
from sandbook.loader._scalars import is_null
from sandbook.loader._shape import Shape
from sandbook.loader._source import LARGEST, Source
from sandbook.loader._tree import read_tree

_SHAPE: Final = Shape((), steps={}, root=None)
_PAIR: Final = re.compile(
    r"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|.)", re.IGNORECASE | re.DOTALL
)


def read_input_files(files: Sequence[str]) -> Mapping[str, Given]:
    """What the files give, of one name the last; `-` is stdin.

    A file is a map in YAML or JSON. Each value is a text as it stands there, read
    later by the type of its input.

    Raises:
        RunbookError: With every problem of every file, at its place.
        UsageError: A file cannot be read at all.
    """
    if files.count(STDIN) > 1:
        raise UsageError("'-' is given twice", remedy="stdin can be read only once")
    given: dict[str, Given] = {}
    problems: list[Problem] = []
    for file in files:
        source = Source("<stdin>" if file == STDIN else file, _text(file))
        given |= dict(_inputs(source))
        problems += sorted(source.problems, key=lambda problem: problem.at)
    if any(problem.severity == "error" for problem in problems):
        raise RunbookError(tuple(dict.fromkeys(problems)))
    return given


def _inputs(source: Source) -> Iterator[tuple[str, Given]]:
    if not source.text.strip():
        return
    tree = read_tree(source, _SHAPE)
    if isinstance(tree, MapNode):
        for pair in tree:
            yield from _input(source, pair)
    elif tree is not None:
        remedy = "write `NAME: VALUE`, a line each"
        source.add("SB203", tree.start, "a map of inputs is needed here", remedy=remedy)


def _input(source: Source, pair: Pair) -> Iterator[tuple[str, Given]]:
    key, node = pair.key, pair.value
    if not isinstance(node, ScalarNode):
        message = f"input {pair.name!r} is one value, not a list or a map"
        source.add("SB203", node.start, message)
    elif is_null(node):
        message = f"input {pair.name!r} has no value here"
        source.add(
            "SB203",
            node.start if node.start < len(source.text) else key.start,
            message,
            remedy="write '' for an empty text, or leave the line out",
            length=node.length,
        )
    else:
        yield pair.name, Given(text=node.text, place=str(source.locate(key.start)))


def _text(file: str) -> str:
    data = _bytes(file)
    if len(data) > LARGEST:
        raise UsageError(
            f"--inputs: {file!r} has {len(data):,} bytes, and may have 1 MiB",
            remedy="keep data in files of their own, with an input of type file",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RunbookError(
            [
                Problem(
                    code="SB100",
                    at=Location(file, line, 1),
                    message="the file is not UTF-8 text",
                    remedy="save it as UTF-8",
                )
            ]
        ) from error
    return _as_yaml(text) if text.lstrip().startswith("{") else text


def _as_yaml(text: str) -> str:
    """JSON is YAML but for tabs between its tokens, and pairs of escapes.

    Its texts hold no tabs; `\\ud83d\\ude00` is one character there.
    """
    return _PAIR.sub(_joined, text.replace("\t", " "))


def _joined(found: re.Match[str]) -> str:
    if found[1] is None:
        return found[0]
    units = bytes.fromhex(found[1] + found[2])
    return units.decode("utf-16-be")


def _bytes(file: str) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(
            f"--inputs: {file!r} cannot be read: {reason}",
            remedy="give the path of a YAML or JSON file",
        ) from error
