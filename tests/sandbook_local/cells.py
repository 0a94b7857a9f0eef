"""Cells and what they gave, for tests of code in any language."""

from __future__ import annotations

import os
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
    Text,
)
from sandbook_local.sandbox import LocalSandbox

_keys = iter(range(1_000_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Everything that a cell gave."""

    events: tuple[CodeEvent, ...]

    @property
    def done(self) -> Done:
        """How it ended."""
        last = self.events[-1]
        assert isinstance(last, Done), self.events
        return last

    @property
    def failed(self) -> Failed | None:
        """The exception, if there was one."""
        found = [event for event in self.events if isinstance(event, Failed)]
        assert len(found) <= 1, found
        return found[0] if found else None

    @property
    def rich(self) -> list[Rich]:
        """What it showed."""
        return [event for event in self.events if isinstance(event, Rich)]

    def printed(self, stream: str = "stdout") -> str:
        """The text of one stream."""
        texts = [event for event in self.events if isinstance(event, Text)]
        return "".join(text.data for text in texts if text.stream == stream)

    def main(self, kind: str = "text/plain") -> str:
        """The value, in one MIME type."""
        (found,) = [event for event in self.rich if event.main]
        return found.data[kind].decode()


def cell(source: str, **fields: object) -> CodeRequest:
    """A request under a key of its own."""
    fields.setdefault("key", f"cell-{os.getpid()}-{next(_keys)}")
    return CodeRequest(source=source, **fields)  # type: ignore[arg-type]


async def give(code: Code, source: str | CodeRequest, **fields: object) -> Given:
    """Run a cell to its end."""
    request = cell(source, **fields) if isinstance(source, str) else source
    return Given(events=tuple([event async for event in code.run(request)]))


async def good(
    code: Code, source: str, **fields: object
) -> tuple[Given, Mapping[str, JSON]]:
    """Run a cell that must go well; what it gave, and its values."""
    given = await give(code, source, **fields)
    assert given.done.status == "ok", given.events
    assert given.done.state_kept
    return given, given.done.values


async def python(sandbox: LocalSandbox, name: str = "main", **fields: object) -> Code:
    """A Python context."""
    request = CodeContext(language="python", name=name, **fields)  # type: ignore[arg-type]
    return await sandbox.code(request)
