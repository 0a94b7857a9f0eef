"""Decides the signs and the kinds of text that every console uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Style = Literal["plain", "strong", "dim", "good", "bad", "warn", "foreign"]
"""What a piece of text is; "foreign" may hold colours of its own."""

Span: TypeAlias = tuple[Style, str]
Line: TypeAlias = tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The signs of a console that can show them."""

    passed: str = "✓"
    failed: str = "✗"
    started: str = "→"
    again: str = "↻"
    bar: str = "│"
    skipped: str = "-"
    warning: str = "!"


ASCII = Signs(passed="+", failed="x", started=">", again="~", bar="|")


def signs_for(encoding: str | None) -> Signs:
    """The signs that text in this encoding can hold."""
    signs = Signs()
    told = f"{signs.passed}{signs.failed}{signs.started}{signs.again}{signs.bar}"
    return signs if encodable(told, encoding) == told else ASCII


def encodable(text: str, encoding: str | None) -> str:
    """The text with what the encoding cannot hold spelt out."""
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def text_of(line: Line) -> str:
    """The line without its styles."""
    return "".join(text for _, text in line).rstrip()
