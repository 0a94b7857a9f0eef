"""What the programs beside it have in common; the standard library only."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

_PAUSE = 0.05
_WITHIN = 30.0

ErrorT = TypeVar("ErrorT", bound=Exception)


class Caught(Generic[ErrorT]):
    """The error that a block raised."""

    error: ErrorT


@contextmanager
def raises(kind: type[ErrorT], *, exactly: bool = True) -> Generator[Caught[ErrorT]]:
    """The block raises an error of this class, and none of those derived from it."""
    caught: Caught[ErrorT] = Caught()
    try:
        yield caught
    except kind as error:
        if exactly and type(error) is not kind:
            raise
        caught.error = error
        return
    raise AssertionError(f"no {kind.__name__} was raised")


def until(claim: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + _WITHIN
    while not claim():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(_PAUSE)


async def until_async(claim: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + _WITHIN
    while True:
        found = claim()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(_PAUSE)


def ask(method: str, path: str, body: object = None) -> Any:
    """Ask the server what no client asks."""
    request = urllib.request.Request(
        os.environ["E2B_API_URL"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def arm(kind: str, **fault: object) -> None:
    """Let something go wrong; nothing else does any more."""
    ask("DELETE", "/_faults")
    ask("POST", "/_faults", {"kind": kind, **fault})


def living(sandbox_id: str) -> list[int]:
    """The pids that run in a sandbox."""
    found = ask("GET", "/_state")["processes"]
    return [one["pid"] for one in found if one["sandbox"] == sandbox_id]
