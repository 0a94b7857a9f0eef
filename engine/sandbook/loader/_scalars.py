"""Read one scalar as the kind of value its place takes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from sandbook.api import Schema
from sandbook.expressions import (
    Expression,
    ExpressionSyntaxError,
    Kind,
    Template,
    Value,
    parse,
)
from sandbook.loader._nodes import Mark, ScalarNode
from sandbook.loader._source import Source
from sandbook.problems import nearest
from sandbook.schema import NAME_PATTERN, VERSION, kind_of, words_of
from sandbook.shell_text import bind_shell
from sandbook.units import parse_duration, parse_screen_size, parse_size

_NAME: Final = re.compile(NAME_PATTERN.removesuffix("$") + r"\Z")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER_LIKE: Final = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_BOOLEAN_LIKE: Final = frozenset({"True", "TRUE", "False", "FALSE"})
_NULL_LIKE: Final = frozenset({"Null", "NULL"})
_OCTAL: Final = re.compile(r"0?[0-7]{3,4}")
_LONGEST_NUMBER: Final = 300

NEEDED: Final[Mapping[str, str]] = {
    "text": "a text",
    "line": "a text",
    "shell": "a shell text",
    "code": "code, as a text,",
    "name": "a name",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "duration": "a duration as 30s",
    "size": "a size as 512MB",
    "octal": "a file mode as 0644",
    "terminal": "a terminal size as 80x24",
    "expression": "a condition",
    "whole": "one ${{ … }}",
}
"""What a kind is called in messages."""


_Plain: TypeAlias = bool | int | float | str | None


class Bad(Exception):  # noqa: N818 - a scalar that does not fit; the caller records it
    """Why a scalar does not fit its place."""

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


class ScalarReader:
    """Reads scalars; problems of expressions are added to `source` at their place."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._warned = False

    def read(self, node: ScalarNode, schema: Schema) -> Value:
        """The value; raises `Bad` when the scalar does not fit."""
        kind = kind_of(schema)
        if node.marks and (schema.get("x-static") or kind in ("name", "code")):
            raise _static(kind)
        if node.is_empty and kind not in ("free", "raw"):
            raise Bad(
                "SB203",
                f"{NEEDED.get(kind, 'a value')} is needed here, and nothing is written",
                'write "" for an empty text' if kind in ("text", "line") else "",
            )
        self._look_for_hash(node, schema, kind)
        if kind == "expression":
            return self._condition(node)
        if kind == "shell":
            return self._shell(node)
        if node.marks:
            return self._template(node, kind)
        read = _PLAIN[kind](node.text, node.is_plain)
        _check(read, node.text, schema)
        return read

    def expression(self, mark: Mark) -> Expression | None:
        """Read an expression; a problem is added where it has one."""
        return self._parse(mark.source, mark.start, 3)

    def _parse(self, source: str, start: int, offset: int) -> Expression | None:
        try:
            return parse(source, self._source.locate(start), offset=offset)
        except ExpressionSyntaxError as error:
            self._source.add(
                error.code,
                min(start + offset + error.column, len(self._source.text)),
                error.message,
                remedy=error.remedy,
                length=error.length,
            )
            return None

    def _pieces(self, node: ScalarNode) -> tuple[str | Expression, ...]:
        read = (
            piece if isinstance(piece, str) else self.expression(piece)
            for piece in node.pieces
        )
        return tuple(piece for piece in read if piece is not None)

    def _template(self, node: ScalarNode, kind: str) -> Value:
        if kind == "whole" and (len(node.pieces) > 1 or not node.marks):
            raise Bad("SB203", f"{NEEDED['whole']} is needed here")
        alone = len(node.pieces) == 1
        if not alone and kind in ("boolean", "integer", "number"):
            raise Bad(
                "SB203",
                f"{NEEDED[kind]} is needed here, and this is a text",
                "leave only the expression",
            )
        return Template(self._pieces(node), _TEMPLATE_KINDS.get(kind, "text"))

    def _shell(self, node: ScalarNode) -> Value:
        bound, refusals = bind_shell(self._pieces(node))
        for refusal in refusals:
            expression = refusal.expression
            self._source.add(
                "SB306" if expression.secret else "SB309",
                self._source.offset(expression.at),
                refusal.message,
                remedy=refusal.remedy,
                length=len(expression.source) + 5,
            )
        return bound

    def _condition(self, node: ScalarNode) -> Value:
        if not node.marks:
            start = node.start + (0 if node.is_plain else 1)
            found = self._parse(node.text.rstrip("\n"), start, 0)
        elif len(node.marks) == 1 and not _text_around(node):
            found = self.expression(node.marks[0])
        else:
            raise Bad(
                "SB301",
                "a condition is one expression, not a text with expressions in it",
                "write it without ${{ }}, or inside one ${{ … }}",
            )
        return Template((found,), "free") if found else None

    def _look_for_hash(self, node: ScalarNode, schema: Schema, kind: str) -> None:
        if not node.has_hash:
            return
        if kind not in ("shell", "code", "expression") and not schema.get("x-hash"):
            raise Bad(
                "SB109",
                "` #` in this text could begin a comment",
                "quote the text, or put the comment on a line of its own",
            )
        if not self._warned:
            self._warned = True
            self._source.add(
                "SB108",
                node.start,
                "the whole rest of this line is taken as text, with its ` #`",
                remedy="quote the text to say so",
                length=node.length,
                severity="warning",
            )


def _static(kind: str) -> Bad:
    if kind == "code":
        return Bad(
            "SB305",
            "an expression cannot stand in code, where a value could change it",
            "hand it over: `with: {value: ${{ … }}}`, and write value in the code",
        )
    return Bad("SB305", "no expression may stand here", "write the value itself")


_TEMPLATE_KINDS: Final[Mapping[str, Kind]] = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "duration": "duration",
    "size": "size",
    "octal": "octal",
    "terminal": "terminal",
    "free": "free",
    "item": "free",
    "whole": "free",
}


def _text_around(node: ScalarNode) -> bool:
    return any(isinstance(piece, str) and piece.strip() for piece in node.pieces)


def _text(text: str, _plain: bool) -> _Plain:  # noqa: FBT001 - one shape for all readers
    return text


def _name(text: str, _plain: bool) -> _Plain:  # noqa: FBT001
    if not _NAME.match(text):
        raise Bad("SB208", *not_a_name(text))
    return text


def not_a_name(text: str) -> tuple[str, str]:
    """Say what is wrong with a name, and which would do."""
    fixed = re.sub(r"[^A-Za-z0-9_]", "_", text)
    fixed = f"_{fixed}" if fixed[:1].isdigit() else fixed
    message = f"{text!r} is not a name: letters, digits and _, no digit first"
    return message, f"write {fixed}" if fixed.strip("_") else ""


def _boolean(text: str, is_plain: bool) -> _Plain:  # noqa: FBT001
    if is_plain and text in ("true", "false"):
        return text == "true"
    lower = text.lower()
    meant = "true" if lower in ("true", "yes", "on", "1") else "false"
    known = lower in ("true", "yes", "on", "1", "false", "no", "off", "0")
    raise Bad(
        "SB206",
        f"true or false is needed here, not {text!r}",
        f"write {meant}, without quotes" if known else "",
    )


def _integer(text: str, is_plain: bool) -> _Plain:  # noqa: FBT001
    if is_plain and len(text) <= _LONGEST_NUMBER and _INTEGER.fullmatch(text):
        return int(text)
    quoted = not is_plain and _INTEGER.fullmatch(text)
    remedy = f"write {text}, without quotes" if quoted else ""
    raise Bad("SB203", f"a whole number is needed here, not {text!r}", remedy)


def _number(text: str, is_plain: bool) -> _Plain:  # noqa: FBT001
    # The decimals are not shown to anybody as they are: 0.50 and 1.0 are welcome.
    if is_plain and re.fullmatch(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,15})?", text):
        return float(text) if "." in text else int(text)
    raise Bad("SB203", f"a number is needed here, not {text!r}")


def _by_unit(parse_text: Callable[[str], float]) -> Callable[[str, bool], _Plain]:
    def read(text: str, _plain: bool) -> _Plain:  # noqa: FBT001
        try:
            return parse_text(text)
        except ValueError as error:
            message, _, remedy = str(error).partition(": ")
            raise Bad("SB205", message, remedy) from error

    return read


def _octal(text: str, _plain: bool) -> _Plain:  # noqa: FBT001
    if not _OCTAL.fullmatch(text):
        raise Bad(
            "SB215", f"a file mode is needed here, not {text!r}", "write it as 0644"
        )
    return text


def _terminal(text: str, _plain: bool) -> _Plain:  # noqa: FBT001
    try:
        parse_screen_size(text)
    except ValueError as error:
        message, _, remedy = str(error).partition(": ")
        raise Bad("SB215", message, remedy) from error
    return text


def _free(text: str, is_plain: bool) -> _Plain:  # noqa: FBT001
    if not is_plain:
        return text
    if text in ("true", "false"):
        return text == "true"
    if text in ("", "null", "~"):
        return None
    if text in _BOOLEAN_LIKE:
        raise Bad(
            "SB206",
            f"{text!r} could be a boolean or a text",
            "write true or false, or quote it",
        )
    if text in _NULL_LIKE:
        raise Bad(
            "SB203", f"{text!r} could be null or a text", "write null, or quote it"
        )
    if not _NUMBER_LIKE.fullmatch(text):
        return text
    return _exact_number(text)


def _exact_number(text: str) -> _Plain:
    number: int | float | None = None
    if len(text) <= _LONGEST_NUMBER and re.fullmatch(r"-?[0-9.]+", text):
        number = float(text) if "." in text else int(text)
    if number is not None and repr(number) == text:
        return number
    shown = "no number JSON has" if number is None else repr(number)
    written = f"the number {text} would become {shown}"
    if number is None:
        written = f"{text} is a number in a form that would not come back"
    raise Bad("SB207", written, f'quote it if it is a text: "{text}"')


def _version(text: str, is_plain: bool) -> _Plain:  # noqa: FBT001
    if text == str(VERSION) and is_plain:
        return VERSION
    raise Bad(
        "SB212",
        f"this is version {text!r} of the language, and only 1 is known",
        "write runbook: 1",
    )


def _whole(text: str, _plain: bool) -> _Plain:  # noqa: FBT001
    raise Bad(
        "SB203",
        f"{NEEDED['whole']} is needed here, not {text!r}",
        f"write ${{{{ {text} }}}}" if re.fullmatch(r"[\w.\[\]]+", text) else "",
    )


_PLAIN: Final[Mapping[str, Callable[[str, bool], _Plain]]] = {
    "text": _text,
    "line": _text,
    "code": _text,
    "item": _text,
    "raw": _text,
    "name": _name,
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "duration": _by_unit(parse_duration),
    "size": _by_unit(parse_size),
    "octal": _octal,
    "terminal": _terminal,
    "free": _free,
    "version": _version,
    "whole": _whole,
}


def _check(value: _Plain, text: str, schema: Schema) -> None:
    enum = words_of(schema, "enum")
    if enum and value not in enum:
        raise Bad(
            "SB204",
            f"{text!r} is not one of the values known here",
            _remedy(text, enum),
        )
    _check_range(value, schema)
    if schema.get("format") == "regex":
        check_pattern(text)


def _remedy(text: str, known: Sequence[str]) -> str:
    near = nearest(text, known)
    meant = f"did you mean {near!r}? " if near else ""
    return f"{meant}known: {', '.join(known)}"


def _check_range(value: _Plain, schema: Schema) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    least, most = schema.get("minimum"), schema.get("maximum")
    if isinstance(least, int | float) and value < least:
        raise Bad("SB215", f"{value} is too small: at least {least}")
    if isinstance(most, int | float) and value > most:
        raise Bad("SB215", f"{value} is too large: at most {most}")


def check_pattern(text: str) -> None:
    """Refuse what is no regular expression."""
    try:
        re.compile(text)
    except re.error as error:
        raise Bad("SB215", f"this is not a regular expression: {error}") from error
    except (RecursionError, OverflowError, MemoryError) as error:
        message = "this regular expression is too large, or nested too deeply"
        raise Bad("SB215", message) from error


def is_null(node: ScalarNode) -> bool:
    """Whether nothing, or null, is written."""
    return node.is_plain and node.text in ("", "null", "~") and not node.marks
