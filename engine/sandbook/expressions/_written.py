"""A value as people read it before it is evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sandbook.expressions._values import Expression, ShellText, Template, Value


def as_written(value: Value) -> str:
    """A value in one line, its expressions as in the file."""
    match value:
        case None | bool():
            return {True: "true", False: "false", None: ""}[value]
        case Template(pieces):
            return written_text(pieces)
        case ShellText():
            return value.written or value.text
        case tuple():
            return "[" + ", ".join(as_written(item) for item in value) + "]"
        case Mapping():
            return "{" + ", ".join(_entries(value)) + "}"
        case _:
            return str(value)


def written_text(pieces: Iterable[str | Expression]) -> str:
    """A text with expressions, as in the file."""
    return "".join(_piece(piece) for piece in pieces)


def _entries(value: Mapping[str, Value]) -> Iterator[str]:
    return (f"{key}: {as_written(item)}" for key, item in value.items())


def _piece(piece: str | Expression) -> str:
    if isinstance(piece, str):
        return piece
    return f"${{{{ {piece.source.strip()} }}}}"
