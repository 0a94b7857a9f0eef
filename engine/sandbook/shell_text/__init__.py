"""Where a value may stand in a shell text, and how it is referred to there.

The text is read once, as bash and sh read it. Each expression becomes a reference to
a variable, quoted for its place, so that no value can be anything but one word or a
part of a text. Where the two shells disagree (which of them runs is not known: sh
stands in for a missing bash, and `shell` may be an expression), or a reference would
be evaluated a second time (arithmetic, subscripts, backticks, `let`, names given to
`declare`, `unset`, `read`), the expression is refused. So is one inside a
here-document without an end, and one behind anything else without an end: its place
would be a guess. What a program makes of its own argument (`eval`, `sh -c`,
`[[ -eq ]]`) is not known here.

The variables are called `SANDBOOK_V1` and on. `env` cannot set such names, and a
program that prints its environment shows them; a secret is never in one.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbook.expressions import Expression, ShellText, written_text
from sandbook.shell_text._holes import HOLE, PREFIX, Refusal
from sandbook.shell_text._pipes import has_pipe
from sandbook.shell_text._reader import Reader

__all__ = ["PREFIX", "Refusal", "bind_shell", "has_pipe"]


def bind_shell(
    pieces: Sequence[str | Expression],
) -> tuple[ShellText, tuple[Refusal, ...]]:
    """Replace the expressions of a shell text by references.

    With refusals, the text is not usable.
    """
    holes = [piece for piece in pieces if isinstance(piece, Expression)]
    text = "".join(piece if isinstance(piece, str) else HOLE for piece in pieces)
    if not holes:
        return ShellText(text), ()
    if text.count(HOLE) != len(holes):
        refusal = Refusal(holes[0], "the text has a NUL byte", "remove it")
        return ShellText(text), (refusal,)
    reader = Reader(text, holes)
    reader.read()
    bound = ShellText(
        "".join(reader.out), tuple(reader.values.items()), written_text(pieces)
    )
    return bound, tuple(reader.refusals)
