"""Read the declarations of inputs; a default is read by the input's own type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, get_args

from sandbook.api import JSON, Schema
from sandbook.errors import Location
from sandbook.expressions import Value
from sandbook.inputs import read_input
from sandbook.loader._nodes import ListNode, MapNode, Pair, ScalarNode
from sandbook.loader._read import TreeReader
from sandbook.loader._scalars import is_null
from sandbook.loader._source import Source
from sandbook.runbook import InputSpec, InputType
from sandbook.schema import INPUT

_TYPES: Final[Mapping[str, InputType]] = {name: name for name in get_args(InputType)}
_BY_TYPE: Final[Mapping[str, Schema]] = {
    "integer": {"x-kind": "integer", "type": "integer", "x-static": True},
    "number": {"x-kind": "number", "type": "number", "x-static": True},
    "boolean": {"x-kind": "boolean", "type": "boolean", "x-static": True},
}
_TEXT: Final[Schema] = {"x-kind": "text", "type": "string", "x-static": True}


def read_inputs(
    pair: Pair | None, source: Source, reader: TreeReader
) -> dict[str, InputSpec]:
    """The inputs by name, in the order of the file."""
    if pair is None:
        return {}
    if not isinstance(pair.value, MapNode):
        reader.add("SB203", pair.value, "a map of names is needed here")
        return {}
    specs: dict[str, InputSpec] = {}
    for one in pair.value:
        reader.check_name(one)
        specs[one.name] = _read_one(one, source, reader)
    return specs


def _read_one(pair: Pair, source: Source, reader: TreeReader) -> InputSpec:
    at = source.locate(pair.key.start)
    node = pair.value
    if isinstance(node, ScalarNode) and is_null(node):
        return InputSpec(name=pair.name, at=at)
    if not isinstance(node, MapNode):
        remedy = f"write `{pair.name}: {{default: …}}`"
        reader.add("SB203", node, "an input is a map", remedy)
        return InputSpec(name=pair.name, at=at)
    before = len(source.problems)
    values = reader.read(node, INPUT)
    default = node.find("default")
    spec = _spec(pair.name, values if isinstance(values, Mapping) else {}, at=at)
    if len(source.problems) > before:
        return spec
    _check_spec(spec, node, reader)
    if default is None:
        return spec
    return _with_default(spec, default, source, reader)


def _spec(name: str, values: Mapping[str, Value], *, at: Location) -> InputSpec:
    minimum, maximum = values.get("min"), values.get("max")
    pattern, options = values.get("pattern"), values.get("options")
    return InputSpec(
        name=name,
        type=_TYPES.get(str(values.get("type", "string")), "string"),
        description=str(values.get("description", "")),
        required="default" not in values,
        minimum=float(minimum) if isinstance(minimum, int | float) else None,
        maximum=float(maximum) if isinstance(maximum, int | float) else None,
        pattern=pattern if isinstance(pattern, str) else None,
        options=tuple(map(str, options)) if isinstance(options, tuple) else (),
        at=at,
    )


def _check_spec(spec: InputSpec, node: MapNode, reader: TreeReader) -> None:
    if spec.type == "choice" and not spec.options:
        reader.missing_key(node, "options", "add `options: [a, b]`")
    _check_options(node, reader)
    highest = node.find("max")
    if highest is not None and _is_empty_range(spec.minimum, spec.maximum):
        message = f"no number is at least {spec.minimum:g} and at most this"
        reader.add("SB215", highest.value, message, "exchange `min` and `max`")
    only: Mapping[str, tuple[str, ...]] = {
        "options": ("choice",),
        "min": ("integer", "number"),
        "max": ("integer", "number"),
        "pattern": ("string", "file"),
    }
    for key, types in only.items():
        pair = node.find(key)
        if pair is not None and spec.type not in types:
            reader.add(
                "SB213",
                pair.key,
                f"{key!r} makes no sense for an input of type {spec.type!r}",
                f"it belongs to {' and '.join(types)}",
            )


def _is_empty_range(minimum: float | None, maximum: float | None) -> bool:
    return minimum is not None and maximum is not None and minimum > maximum


def _check_options(node: MapNode, reader: TreeReader) -> None:
    pair = node.find("options")
    seen: set[str] = set()
    for item in pair.value.items if pair and isinstance(pair.value, ListNode) else ():
        if isinstance(item, ScalarNode):
            if item.text in seen:
                message = f"the option {item.text!r} is listed twice"
                reader.add("SB211", item, message, "remove one of them")
            seen.add(item.text)


def _with_default(
    spec: InputSpec, pair: Pair, source: Source, reader: TreeReader
) -> InputSpec:
    if isinstance(pair.value, MapNode | ListNode):
        reader.add("SB217", pair.value, "the default of an input is one value")
        return spec
    before = len(source.problems)
    value = reader.read(pair.value, _BY_TYPE.get(spec.type, _TEXT))
    if len(source.problems) > before:
        return spec
    default: JSON = value if isinstance(value, str | int | float | bool) else None
    try:
        read_input(spec, pair.value.text)
    except ValueError as error:
        reader.add("SB217", pair.value, f"the default does not fit: {error}")
    return replace(spec, default=default)
