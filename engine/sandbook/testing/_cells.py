"""Cells and what they gave, for checks of code in any language."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sandbook.api import (
    JSON,
    Code,
    CodeContext,
    CodeEvent,
    CodeRequest,
    Done,
    Failed,
    Rich,
    Sandbox,
    StreamName,
    Text,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Everything that a cell gave."""

    events: tuple[CodeEvent, ...]

    @property
    def done(self) -> Done:
        """How it ended: the last event, and no other."""
        *before, last = self.events
        if not isinstance(last, Done) or any(isinstance(e, Done) for e in before):
            raise AssertionError(f"not one end, and that last: {self.events}")
        return last

    @property
    def failed(self) -> Failed | None:
        """The exception, if there was one."""
        found = [event for event in self.events if isinstance(event, Failed)]
        if len(found) > 1:
            raise AssertionError(f"more than one exception: {found}")
        return found[0] if found else None

    @property
    def error(self) -> Failed:
        """The exception that must be there."""
        if self.failed is None:
            raise AssertionError(f"no exception was told: {self.events}")
        return self.failed

    @property
    def rich(self) -> list[Rich]:
        """What it showed."""
        return [event for event in self.events if isinstance(event, Rich)]

    def printed(self, stream: StreamName = "stdout") -> str:
        """The text of one stream."""
        texts = [event for event in self.events if isinstance(event, Text)]
        return "".join(text.data for text in texts if text.stream == stream)

    def main(self, kind: str = "text/plain") -> str:
        """The value, in one MIME type."""
        found = [event for event in self.rich if event.main]
        if len(found) != 1:
            raise AssertionError(f"not one value: {self.events}")
        return found[0].data[kind].decode()


def cell(source: str, **fields: object) -> CodeRequest:
    """A request under a key of its own."""
    fields.setdefault("key", f"cell-{secrets.token_hex(6)}")
    return CodeRequest(source=source, **fields)  # type: ignore[arg-type]  # by name


async def give(code: Code, source: str | CodeRequest, **fields: object) -> Given:
    """Run a cell to its end."""
    request = cell(source, **fields) if isinstance(source, str) else source
    return Given(events=tuple([event async for event in code.run(request)]))


async def good(
    code: Code, source: str, **fields: object
) -> tuple[Given, Mapping[str, JSON]]:
    """Run a cell that must go well; what it gave, and its values."""
    given = await give(code, source, **fields)
    if (given.done.status, given.done.state_kept) != ("ok", True):
        raise AssertionError(f"{source!r} did not go well: {given.events}")
    return given, given.done.values


async def python(box: Sandbox, name: str = "main", **fields: object) -> Code:
    """A Python context."""
    request = CodeContext(language="python", name=name, **fields)  # type: ignore[arg-type]  # by name
    return await box.code(request)


async def value(code: Code, source: str) -> str:
    """The value of a cell, as the interpreter shows it."""
    return (await good(code, source))[0].main()


async def is_defined(code: Code, name: str) -> bool:
    """Whether there is a Python variable of this name."""
    given = await give(code, f"{name}")
    return given.failed is None
