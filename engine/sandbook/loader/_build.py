"""Put a runbook together from its tree."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbook.api import VerbSpec
from sandbook.expressions import Value
from sandbook.loader._checks import check_runbook
from sandbook.loader._inputs import read_inputs
from sandbook.loader._nodes import ListNode, MapNode, Node, ScalarNode
from sandbook.loader._read import TreeReader
from sandbook.loader._source import Source
from sandbook.loader._steps import FINALLY_TIMEOUT, StepReader, later
from sandbook.loader._uses import Library, Uses
from sandbook.runbook import Artifact, Runbook, Step
from sandbook.schema import top_keys

_STEP_LISTS: Final = ("setup", "steps", "finally")
_PROJECT_MARKS: Final = (".git", "sandbook.yaml")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a text came from: `folder` is where its local paths start."""

    path: Path
    folder: Path
    hash: str

    @classmethod
    def of(cls, path: Path, data: bytes) -> Origin:
        """Of a file with these bytes."""
        return cls(path, path.parent, hashlib.sha256(data).hexdigest())


def build(
    tree: Node,
    source: Source,
    verbs: Mapping[str, VerbSpec],
    origin: Origin,
    library: Library,
) -> Runbook | None:
    """The runbook; None when there is nothing to build.

    Steps that cannot be read are left out; their problems are in `source`.
    """
    if not isinstance(tree, MapNode):
        source.add(
            "SB110",
            tree.start,
            "a runbook is a map of keys",
            remedy="begin it with `runbook: 1`",
            length=tree.length,
        )
        return None
    reader = TreeReader(source)
    top = _top_values(tree, reader, verbs)
    project = project_of(origin.folder)
    secrets = _secrets(tree, reader, top.get("secrets"))
    uses = Uses(
        source,
        reader,
        library,
        folder=origin.folder,
        project=project,
        secrets=secrets,
    )
    step_reader = StepReader(source, reader, verbs, uses)
    steps = _step_lists(tree, step_reader)
    for name in ("runbook", "steps"):
        if tree.find(name) is None:
            reader.missing_key(
                tree, name, "add `runbook: 1`" if name == "runbook" else ""
            )
    runbook = Runbook(
        path=origin.path,
        hash=origin.hash,
        folder=origin.folder,
        project=project,
        name=top.get("name", origin.path.stem),
        description=str(top.get("description", "")),
        inputs=read_inputs(tree.find("inputs"), source, reader),
        secrets=secrets,
        env=_mapping(top.get("env")),
        sandbox=_mapping(top.get("sandbox")),
        setup=steps["setup"],
        steps=steps["steps"],
        final=steps["finally"],
        artifacts=_artifacts(tree, source, top.get("artifacts")),
        outputs=_mapping(top.get("outputs")),
        timeout=later(top.get("timeout")),
    )
    check_runbook(runbook, tree, source, verbs, ids=step_reader.ids)
    return runbook


def project_of(folder: Path) -> Path:
    """The folder local paths must stay in: the nearest project above, else `folder`."""
    absolute = folder.absolute()
    for candidate in (absolute, *absolute.parents):
        if any((candidate / mark).exists() for mark in _PROJECT_MARKS):
            return candidate
    return absolute


def _top_values(
    tree: MapNode, reader: TreeReader, verbs: Mapping[str, VerbSpec]
) -> dict[str, Value]:
    known = top_keys(verbs)
    values: dict[str, Value] = {}
    for pair in tree:
        if pair.name not in known:
            reader.unknown_key(pair, list(known), " at the top of a runbook")
        elif pair.name not in (*_STEP_LISTS, "inputs"):
            values[pair.name] = reader.read(pair.value, known[pair.name])
    return values


def _step_lists(tree: MapNode, steps: StepReader) -> Mapping[str, tuple[Step, ...]]:
    found: dict[str, tuple[Step, ...]] = dict.fromkeys(_STEP_LISTS, ())
    # In the order of the file, so that the second of two equal ids is told.
    for pair in tree:
        if pair.name in _STEP_LISTS:
            default = FINALLY_TIMEOUT if pair.name == "finally" else None
            found[pair.name] = steps.read(pair.value, pair.name, default=default)
    return found


def _secrets(tree: MapNode, reader: TreeReader, value: Value) -> tuple[str, ...]:
    pair = tree.find("secrets")
    if pair is None or not isinstance(pair.value, ListNode):
        return ()
    seen: set[str] = set()
    for item in pair.value.items:
        if isinstance(item, ScalarNode):
            if item.text in seen:
                reader.add("SB211", item, f"the secret {item.text!r} is listed twice")
            seen.add(item.text)
    names = value if isinstance(value, tuple) else ()
    return tuple(name for name in names if isinstance(name, str))


def _artifacts(tree: MapNode, source: Source, value: Value) -> tuple[Artifact, ...]:
    pair = tree.find("artifacts")
    items: Sequence[Value] = value if isinstance(value, tuple) else ()
    if pair is None or not isinstance(pair.value, ListNode):
        return ()
    return tuple(
        _artifact(item, node, source)
        for item, node in zip(items, pair.value.items, strict=True)
    )


def _artifact(value: Value, node: Node, source: Source) -> Artifact:
    at = source.locate(node.start)
    if not isinstance(value, Mapping):
        return Artifact(path=value, at=at)
    name = value.get("in")
    return Artifact(
        path=value.get("path"), sandbox=name if isinstance(name, str) else None, at=at
    )


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}
