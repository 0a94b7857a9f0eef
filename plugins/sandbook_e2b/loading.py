"""The SDK, loaded on first use, with as many connections as sandboxes may want.

Each sandbox holds one for its driver where the service speaks HTTP/1.1, and the SDK
lets a process have 200: who makes the 201st sandbox would wait without end, in the
middle of its first request. The SDK reads its limit once, when it is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from e2b import E2B

_VARIABLE = "E2B_MAX_CONNECTIONS"
_CONNECTIONS = "10000"
"""More than a process may have open files, mostly: the system's limit is told."""


def load_client() -> type[E2B]:
    """The SDK's client; whoever set the variable is obeyed."""
    with _with_connections():
        # As the module says. Its second half, which can run code, has no types.
        import e2b_code_interpreter as sdk  # pyright: ignore[reportMissingTypeStubs]
    return cast("type[E2B]", sdk.E2B)


@contextmanager
def _with_connections() -> Generator[None]:
    """What we set is seen by the SDK alone, and by no program started later."""
    if _VARIABLE in os.environ:
        yield
        return
    os.environ[_VARIABLE] = _CONNECTIONS
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
