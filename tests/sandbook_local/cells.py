"""Contexts of local sandboxes, and cells in them."""

from __future__ import annotations

from sandbook.api import Code, CodeContext
from sandbook.testing._cells import Given, cell, give, good
from sandbook_local.sandbox import LocalSandbox

__all__ = ["Given", "cell", "give", "good", "python"]


async def python(sandbox: LocalSandbox, name: str = "main", **fields: object) -> Code:
    """A Python context."""
    request = CodeContext(language="python", name=name, **fields)  # type: ignore[arg-type]
    return await sandbox.code(request)
