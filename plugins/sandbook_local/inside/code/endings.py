"""How an interpreter ended, in words."""

from __future__ import annotations

import os
import signal


def words(status: int) -> str:
    """What a wait status says."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"the interpreter ended by itself, with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    told = f"the interpreter was ended by signal {-code} ({name})"
    return told + (", as when memory runs out" if code == -signal.SIGKILL else "")
