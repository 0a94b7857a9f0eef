"""Which languages code cells can be in on this computer, by what is installed."""

from __future__ import annotations

import shutil

from sandbook.api import SandboxRef
from sandbook.errors import Unsupported
from sandbook_local import layout

PROGRAMS = {"python": "python3", "bash": "bash", "javascript": "node"}
"""The languages, and the program that each needs inside."""


def languages() -> frozenset[str]:
    """The languages that can be had on this computer; nothing is loaded for it."""
    found = {name for name in PROGRAMS if name != "python"}
    there = {name for name in found if shutil.which(PROGRAMS[name], path=layout.PATH)}
    return frozenset(there | ({"python"} if layout.has_kernel() else set()))


def refuse_unknown(language: str, ref: SandboxRef) -> None:
    """Raise `Unsupported` for a language that cannot be had."""
    there = languages()
    if language in there:
        return
    told = ", ".join(sorted(there)) or "none"
    if language == "python":
        remedy = "install what a kernel needs beside sandbook: pip install ipykernel"
    elif language in PROGRAMS:
        remedy = f"install {PROGRAMS[language]!r} on this computer, below /usr"
    else:
        remedy = f"write it in one of: {told}; or run it as a command"
    raise Unsupported(
        f"code in {language!r} cannot be run here; there is: {told}",
        provider=ref.provider,
        operation="code",
        ref=ref,
        sent="no",
        remedy=remedy,
    )
