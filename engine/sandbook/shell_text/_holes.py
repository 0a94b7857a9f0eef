"""What becomes of an expression once its place in the shell text is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from sandbook.expressions import Expression

PREFIX: Final = "SANDBOOK_V"
"""Variables that carry values begin so; `env` cannot set them."""

HOLE: Final = "\0"
"""Stands in the text for an expression; no shell text can hold it otherwise."""

Place = Literal["bare", "text", "single"]
_SHAPES: Final[dict[Place, str]] = {
    "bare": '"${%s}"',
    "text": "${%s}",
    "single": "'\"${%s}\"'",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An expression that cannot be bound where it stands."""

    expression: Expression
    message: str
    remedy: str


class UnreadableError(Exception):
    """The places of the rest of the text are not known; the message says why."""


class Done(Exception):  # noqa: N818 - an early end, no error
    """The last expression is behind us: the rest of the text stays as it is."""


class Holes:
    """A text with holes, read from the left up to `end`.

    `out` is the text with references so far, `values` what they refer to.
    """

    def __init__(self, text: str, holes: Sequence[Expression]) -> None:
        self.text = text
        self.end = len(text)
        self.position = 0
        self.out: list[str] = []
        self.values: dict[str, Expression] = {}
        self.refusals: list[Refusal] = []
        self.forbidden: tuple[str, str] | None = None
        self._names: dict[str, str] = {}
        self._holes = list(reversed(holes))

    def at(self, text: str) -> bool:
        """Whether this comes next."""
        return self.text.startswith(text, self.position, self.end)

    def take(self, count: int) -> None:
        """Copy the next characters."""
        self.out.append(self.text[self.position : self.position + count])
        self.position += count

    def bind(self, place: Place) -> None:
        """Put a reference in the place of the expression that comes next."""
        self.position += 1
        expression = self._holes.pop()
        secret = expression.secret
        if secret is not None:
            env = f"env: {{{secret}: ${{{{ secrets.{secret} }}}}}}"
            remedy = f'set `{env}` and write "${secret}"'
            self._refuse(expression, "a secret cannot stand in a shell text", remedy)
        elif self.forbidden is not None:
            self._refuse(expression, *self.forbidden)
        else:
            self.out.append(_SHAPES[place] % self._variable(expression))
        self._end_early()

    def refuse_next(self, message: str, remedy: str) -> None:
        """Refuse the expression that comes next."""
        self.position += 1
        self._refuse(self._holes.pop(), message, remedy)
        self._end_early()

    def refuse_passed(self, start: int, message: str, remedy: str) -> None:
        """Copy what is between `start` and the position; refuse its expressions."""
        passed = self.text[start : self.position]
        self.out.append(passed)
        for _ in range(passed.count(HOLE)):
            self._refuse(self._holes.pop(), message, remedy)
        self._end_early()

    def drop_passed(self, start: int) -> None:
        """Copy what is between `start` and the position, without its expressions."""
        passed = self.text[start : self.position]
        self.out.append(passed.replace(HOLE, ""))
        for _ in range(passed.count(HOLE)):
            self._holes.pop()
        self._end_early()

    def refuse_rest(self, message: str) -> None:
        """Refuse every expression that is still ahead."""
        remedy = "mend the shell text, or use `env` for the value"
        while self._holes:
            self._refuse(self._holes.pop(), message, remedy)

    def _refuse(self, expression: Expression, message: str, remedy: str) -> None:
        self.refusals.append(Refusal(expression, message, remedy))

    def _variable(self, expression: Expression) -> str:
        source = expression.source.strip()
        if source not in self._names:
            name = f"{PREFIX}{len(self._names) + 1}"
            self._names[source] = name
            self.values[name] = expression
        return self._names[source]

    def _end_early(self) -> None:
        if not self._holes:
            raise Done
