"""The exported schema, and how the tests look into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest

from sandbook.api import VerbSpec
from sandbook.schema import runbook_schema
from sandbook.verbs import sandbook_verbs
from tests.sandbook.plain_yaml import READINGS

ROOT = Path(__file__).parents[2]
REAL: Mapping[str, VerbSpec] = {v.spec.name: v.spec for v in sandbook_verbs()}
SCHEMA = runbook_schema(REAL)
Read = Callable[[str], object]
either = pytest.mark.parametrize("read", READINGS.values(), ids=list(READINGS))


def definitions(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Its definitions by name."""
    return cast("dict[str, Any]", schema["$defs"])


def _merged(part: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a key where it stands, and where its reference leads."""
    if "$ref" not in part:
        return part
    found: Any = schema
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return {**_merged(found, schema), **part}


def every_key(part: object, path: str, schema: Mapping[str, Any]) -> Iterator[Any]:
    """Every key below, with its path and its schema."""
    if isinstance(part, dict):
        found = cast("dict[str, Any]", part)
        for name, one in dict(found.get("properties", {})).items():
            if isinstance(one, dict):
                yield f"{path}.{name}", _merged(cast("dict[str, Any]", one), schema)
        for name, one in found.items():
            yield from every_key(one, f"{path}.{name}", schema)
    elif isinstance(part, list):
        for one in cast("list[object]", part):
            yield from every_key(one, path, schema)


def errors_of(schema: Mapping[str, Any], value: object) -> list[str]:
    """What a validator says; nothing = it fits."""
    validator: Any = jsonschema.Draft202012Validator(schema)
    return [error.message for error in validator.iter_errors(value)]
