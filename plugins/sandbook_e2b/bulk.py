"""Large files of a sandbox: streamed both ways, given up where nothing moves.

The SDK lets a streamed upload wait for ever, and a download for a minute.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from e2b import AsyncSandbox

_PATIENCE = 60.0


def patience_of(made: AsyncSandbox) -> float:
    """Seconds that this sandbox may stay silent."""
    return made.connection_config.request_timeout or _PATIENCE


async def store(made: AsyncSandbox, path: str, data: AsyncIterator[bytes]) -> None:
    """Write a file; raises what the SDK does, and `TimeoutError`.

    The time that `data` itself takes does not count.
    """
    patience = patience_of(made)
    with anyio.fail_after(patience) as limit:

        async def pieces() -> AsyncIterator[bytes]:
            limit.deadline = math.inf
            async for piece in data:
                limit.deadline = anyio.current_time() + patience
                yield piece
                limit.deadline = math.inf
            limit.deadline = anyio.current_time() + patience

        await made.files.write(path, pieces())  # pyright: ignore[reportUnknownMemberType]  # an open IO


async def load(made: AsyncSandbox, path: str) -> AsyncGenerator[bytes]:
    """Read a file; raises what the SDK does, and `TimeoutError`."""
    patience = patience_of(made)
    with anyio.fail_after(patience):
        reader = await made.files.read(path, format="stream")
    async with reader:
        while True:
            with anyio.fail_after(patience):
                piece = await anext(reader, None)
            if piece is None:
                return
            yield piece
