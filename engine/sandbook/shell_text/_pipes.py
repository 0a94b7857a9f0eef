"""Whether a shell text has a pipe, read as the binding of values reads it."""

from __future__ import annotations

from sandbook.shell_text._commands import Code
from sandbook.shell_text._reader import Reader


def has_pipe(text: str) -> bool:
    """Whether one command feeds another; True, too, where that cannot be read."""
    if "|" not in text:
        return False
    reader = _Pipes(text, ())
    reader.read()
    return reader.found or reader.is_unreadable or "`" in text


class _Pipes(Reader):
    found = False
    is_unreadable = False

    def _separator(self, here: Code) -> None:
        before = self.text[max(0, self.position - 1) : self.position]
        is_bar = self.at("|") and not self.at("||") and before not in ("|", ">")
        self.found = self.found or (is_bar and not here.in_pattern)
        super()._separator(here)

    def _end_early(self) -> None:
        """It has no values, and is read to its end."""

    def refuse_rest(self, message: str) -> None:
        """It cannot be read any further."""
        self.is_unreadable = True
        super().refuse_rest(message)
