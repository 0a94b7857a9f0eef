"""Check the inputs a person gives against those a runbook declares."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sandbook.api import JSON
from sandbook.errors import UsageError
from sandbook.problems import suggest
from sandbook.runbook import InputSpec, Runbook

_INTEGER = re.compile(r"[+-]?\d{1,300}")
_NUMBER = re.compile(r"[+-]?(?:\d{1,300}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?")


def resolve_inputs(runbook: Runbook, given: Mapping[str, str]) -> Mapping[str, JSON]:
    """The value of every declared input, typed, in the order of the file.

    Raises `UsageError` that lists every problem.
    """
    problems: list[str] = []
    remedies: list[str] = []
    for name in given:
        if name not in runbook.inputs:
            problems.append(f"there is no input {name!r}")
            remedies.append(suggest(name, runbook.inputs, kind="inputs"))
    values: dict[str, JSON] = {}
    for name, spec in runbook.inputs.items():
        try:
            values[name] = _value(spec, given.get(name))
        except ValueError as error:
            problems.append(f"input {name!r}: {error}")
            remedies.append(f"give it with -i {name}={_example(spec)}")
    if problems:
        raise UsageError("; ".join(problems), remedy="; ".join(dict.fromkeys(remedies)))
    return values


def read_input(spec: InputSpec, text: str) -> JSON:
    """A text as the input's type; raises `ValueError` with words to show."""
    match spec.type:
        case "integer":
            return _in_range(spec, _integer(text))
        case "number":
            return _in_range(spec, _number(text))
        case "boolean":
            if text not in ("true", "false"):
                raise ValueError(f"must be true or false, not {text!r}")
            return text == "true"
        case "choice":
            if text not in spec.options:
                raise ValueError(
                    f"must be one of {', '.join(spec.options)}, not {text!r}"
                )
            return text
        case _:
            return _matching(spec, text)


def _value(spec: InputSpec, text: str | None) -> JSON:
    if text is not None:
        return read_input(spec, text)
    if spec.required:
        about = f" ({spec.description})" if spec.description else ""
        raise ValueError(f"must be given{about}")
    return spec.default


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"must be a whole number, not {text!r}")
    return int(text)


def _number(text: str) -> int | float:
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _NUMBER.fullmatch(text) or float(text) in (float("inf"), float("-inf")):
        raise ValueError(f"must be a number, not {text!r}")
    return float(text)


def _in_range(spec: InputSpec, number: float) -> int | float:
    if spec.minimum is not None and number < spec.minimum:
        raise ValueError(f"must be at least {spec.minimum:g}, not {number}")
    if spec.maximum is not None and number > spec.maximum:
        raise ValueError(f"must be at most {spec.maximum:g}, not {number}")
    return number


def _matching(spec: InputSpec, text: str) -> str:
    if spec.pattern is not None and not re.fullmatch(spec.pattern, text):
        raise ValueError(
            f"must match the pattern {spec.pattern}, and {text!r} does not"
        )
    return text


def _example(spec: InputSpec) -> str:
    if spec.options:
        return spec.options[0]
    lowest = 1 if spec.minimum is None else spec.minimum
    examples = {"integer": f"{lowest:g}", "number": f"{lowest:g}", "boolean": "true"}
    return examples.get(spec.type, "VALUE")
