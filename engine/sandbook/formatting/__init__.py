"""The canonical form of a runbook: what of its text may change, and what never does.

A text is changed by edits at places, never written anew: what no edit names stays as
the author wrote it, comments too. First texts that other YAML tools would refuse or
read otherwise get quotes; then indentation, gaps and empty lines are made even. The
outcome is proven to mean the same before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sandbook.api import VerbSpec
from sandbook.errors import SandbookError
from sandbook.formatting._layout import lay_out
from sandbook.formatting._proof import says_the_same, tools_agree
from sandbook.formatting._quotes import quote
from sandbook.formatting._spacing import space
from sandbook.loader import load_text
from sandbook.loader._shape import Shape, runbook_shape

__all__ = ["format_text"]


def format_text(text: str, path: Path, verbs: Mapping[str, VerbSpec]) -> str:
    """The canonical form of a runbook that stands in `path`.

    It means the same as `text`, other YAML tools read in it what Sandbook reads, and
    formatting it again changes nothing.

    Raises:
        RunbookError: The text has problems.
        SandbookError: No such form was found: a fault of ours.
    """
    book = load_text(text, path, verbs)
    shape = runbook_shape(verbs)
    # A value with an anchor may be a text at one place and a number at another; then
    # it gets no quotes that only one of them needs.
    for careful in (False, True):
        formatted = _formatted(text, shape, careful=careful)
        if (
            says_the_same(book, formatted, verbs)
            and tools_agree(formatted)
            and _formatted(formatted, shape, careful=careful) == formatted
        ):
            return formatted
    raise SandbookError(
        f"{path}: no form of this runbook was found that surely means the same",
        remedy="the file was left as it is: please report it with the file",
    )


def _formatted(text: str, shape: Shape, *, careful: bool) -> str:
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    is_ended = text.endswith("\n")
    quoted = quote(text if is_ended else f"{text}\n", shape, careful=careful)
    return space(lay_out(quoted, is_ended=is_ended))
