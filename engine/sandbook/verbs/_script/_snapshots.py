"""Screens that are stored beside a runbook, and compared with those of a run."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Final

from anyio import to_thread

from sandbook.errors import SandbookError
from sandbook.finding import search
from sandbook.verbs._script._lines import Snapshot
from sandbook.verbs._script._session import Session, Stopped

_IGNORED: Final = "…"
_MOST_MATCHES: Final = 10_000
_MOST_TOLD: Final = 40


async def compare(session: Session, snapshot: Snapshot) -> None:
    """Compare the screen, or store it where the person who runs it asked for that.

    Raises:
        Stopped: It differs, or nothing is stored under that name.
    """
    path = _path(session.step.file, snapshot.name)
    screen = await _settled(session, snapshot)
    if session.step.update_snapshots:
        await to_thread.run_sync(_write, path, screen)
        return
    stored = await to_thread.run_sync(_read, path)
    if stored is None:
        raise Stopped(
            f"there is no stored screen {snapshot.name!r}: look at the one below, and "
            f"store it with `sandbook run --update-snapshots`"
        )
    wanted = await _without(stored, snapshot.ignore)
    if wanted != screen:
        raise Stopped(
            f"the screen differs from {path.name!r}; if that is right, store it with "
            f"`sandbook run --update-snapshots`\n{_difference(wanted, screen)}"
        )


def _path(file: Path, name: str) -> Path:
    return file.with_name(f"{file.name}.screens") / f"{name}.txt"


async def _settled(session: Session, snapshot: Snapshot) -> str:
    text = session.step.masked("\n".join(session.screen.lines()))
    return await _without(text, snapshot.ignore)


async def _without(text: str, ignore: tuple[str, ...]) -> str:
    """The text with a mark in the place of all that a pattern matches."""
    lines = text.rstrip().split("\n")
    for pattern in ignore:
        lines = [await _line_without(line, pattern) for line in lines]
    return "\n".join(line.rstrip() for line in lines) + "\n"


async def _line_without(line: str, pattern: str) -> str:
    """Replaced piece by piece, since each search is limited in time."""
    done = ""
    for _ in range(_MOST_MATCHES):
        found = await search(pattern, line)
        if found is None or not found.text:
            break
        before, _, line = line.partition(found.text)
        done += before + _IGNORED
    return done + line


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SandbookError(
            f"the stored screen {str(path)!r} cannot be read"
        ) from error


def _write(path: Path, screen: str) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text(screen, encoding="utf-8")
    except OSError as error:
        raise SandbookError(
            f"the screen {str(path)!r} cannot be written",
            remedy="run it where the folder of the runbook can be written",
        ) from error


def _difference(wanted: str, found: str) -> str:
    lines = list(
        difflib.unified_diff(
            wanted.splitlines(), found.splitlines(), "stored", "now", lineterm="", n=1
        )
    )
    # The numbers of lines say nothing on a screen.
    kept = [line for line in lines if not re.match(r"@@ ", line)]
    more = len(kept) - _MOST_TOLD
    return "\n".join(kept[:_MOST_TOLD] + ([f"… {more} more"] if more > 0 else []))
