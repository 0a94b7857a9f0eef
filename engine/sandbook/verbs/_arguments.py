"""Typed access to the values of a step; the schema has already checked their shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandbook.api import Arguments, Bound, BoundShell
from sandbook.errors import UsageError

LONGEST_ARGUMENT = 128 * 1024
"""Bytes of one argument or variable, with its final NUL: Linux hands over no more."""


def text(args: Arguments, key: str, default: str = "") -> str:
    """A text; an expression may still have given something else."""
    value = args.get(key)
    return default if value is None else as_text(value, key)


def as_text(value: Bound, key: str) -> str:
    """`value` as a text; numbers and booleans as the language writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise UsageError(
        f"{key} must be a text, it is {kind_of(value)}",
        remedy="use `| tojson` to write it as a text",
    )


def optional_text(args: Arguments, key: str) -> str | None:
    """A text, or None where the key is missing."""
    return None if args.get(key) is None else text(args, key)


def as_bytes(value: str, key: str) -> bytes:
    """The UTF-8 of a text; a lone surrogate, which has none, is refused."""
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{key} has {value[error.start]!r}, half a character that has no UTF-8",
            remedy="give the bytes with `write` and `base64`",
        ) from error


def argument(value: str, key: str) -> str:
    """A text that can be handed to a program; raises `UsageError` if it cannot."""
    if "\0" in value:
        raise UsageError(
            f"{key} has a NUL byte, which no argument and no variable can hold",
            remedy="use `write` or `stdin`",
        )
    if len(as_bytes(value, key)) >= LONGEST_ARGUMENT:
        raise UsageError(
            f"{key} is over 128 KiB, more than the system hands to a program",
            remedy="use `write` or `stdin`",
        )
    return value


def flag(args: Arguments, key: str, *, default: bool = False) -> bool:
    """A boolean."""
    value = args.get(key)
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    raise UsageError(f"{key} must be true or false, it is {kind_of(value)}")


def number(args: Arguments, key: str, default: float) -> float:
    """A number; durations are seconds."""
    value = args.get(key)
    if value is None:
        return default
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise UsageError(f"{key} must be a number, it is {kind_of(value)}")


def texts(args: Arguments, key: str) -> tuple[str, ...]:
    """A list of texts; a single text counts as a list of one."""
    value = args.get(key)
    if value is None:
        return ()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(as_text(item, key) for item in value)
    return (as_text(value, key),)


def mapping(value: Bound, key: str) -> Mapping[str, Bound]:
    """A map."""
    if isinstance(value, Mapping):
        return value
    raise UsageError(f"{key} must be a map, it is {kind_of(value)}")


def text_map(args: Arguments, key: str) -> dict[str, str]:
    """A map of texts."""
    value = args.get(key)
    if value is None:
        return {}
    return {k: as_text(v, f"{key}.{k}") for k, v in mapping(value, key).items()}


def kind_of(value: Bound) -> str:
    """What a value is, in the language's words."""
    if value is None:
        return "null"
    if isinstance(value, BoundShell | str):
        return "a text"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    return "a map" if isinstance(value, Mapping) else "a list"
