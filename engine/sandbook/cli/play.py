"""`sandbook play`: a recording of a terminal, played, told or written anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from sandbook.cli import _options as options
from sandbook.errors import UsageError

if TYPE_CHECKING:
    from sandbook.api import JSON
    from sandbook.recording import Recording, Survey

_FORMATS = ("asciicast-v2", "asciicast-v3", "raw", "txt")
_ENDINGS = {".txt": "txt", ".raw": "raw"}
_KINDS = {"o": "output", "i": "input", "r": "resize", "m": "marker", "x": "exit"}


class Flags(TypedDict):
    """The options of `play`, by the names click gives them."""

    speed: float
    idle: float | None
    at: str | None
    pause_on_markers: bool
    markers: bool
    export: Path | None
    form: str | None
    as_json: bool


@click.command(short_help="Play the recording of a terminal.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--speed",
    type=click.FloatRange(min=0.01, max=1000),
    default=1.0,
    help="How many times as fast; 0.5 is half as fast.",
)
@click.option(
    "--idle",
    metavar="DURATION",
    type=options.duration,
    help="Shorten pauses to this; the recording may say so itself.",
)
@click.option("--at", metavar="MARKER|TIME", help="Begin there: a name, 12s or 1:30.")
@click.option("--pause-on-markers", is_flag=True, help="Wait at each for a key.")
@click.option("--markers", is_flag=True, help="List its markers.")
@click.option(
    "--export",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Write it to a new file; `-` is stdout.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    help="Of the exported file; else by its ending, else asciicast-v2.",
)
@options.json_option
def play(file: Path, **flags: Unpack[Flags]) -> int:
    """Play FILE, an asciicast of version 2 or 3; `-` is stdin.

    While it plays, space pauses, `.` steps, `]` goes to the next marker, `q` leaves.
    In a pipe the lines that were shown are printed, as text.

    Nothing but what the recording shows reaches the terminal: no titles, clipboard,
    questions, mouse or keyboard modes, and its screen is given back at the end.
    """
    ways = {
        "--json": flags["as_json"],
        "--markers": flags["markers"],
        "--export": flags["export"] is not None,
    }
    given = [way for way, is_given in ways.items() if is_given]
    if len(given) > 1 and given != ["--json", "--markers"]:
        raise UsageError(
            f"{given[0]} and {given[1]} exclude each other",
            remedy="leave one of them out",
        )
    if flags["form"] is not None and flags["export"] is None:
        raise UsageError(
            "--format is about an exported file",
            remedy=f"say where to: --export OUT --format {flags['form']}",
        )
    source = _Source(file)
    if flags["export"] is not None:
        _export(source, flags["export"], flags["form"])
    elif given:
        _tell(source, as_json=flags["as_json"])
    elif sys.stdout.isatty():
        return _play(source, flags)
    else:
        _print_lines(source)
    return 0


class _Source:
    """The file, to be read several times; stdin is kept in memory for that."""

    def __init__(self, file: Path) -> None:
        self.name = "stdin" if str(file) == "-" else str(file)
        self._file = file
        self._lines: list[bytes] | None = None

    def open(self) -> Recording:
        """Read it from its beginning."""
        # Not for `--help`.
        from sandbook.recording import read, read_lines

        if str(self._file) != "-":
            return read(self._file)
        if self._lines is None:
            self._lines = list(sys.stdin.buffer)
        return read_lines(self._lines, name=self.name)


def _play(source: _Source, flags: Flags) -> int:
    # As above.
    import anyio

    from sandbook.cli._player import Pace
    from sandbook.cli._playing import play_here
    from sandbook.recording import BEGINNING, find_start

    at = flags["at"]
    start = BEGINNING if at is None else find_start(at, source.open())
    recording = source.open()
    idle = flags["idle"]
    pace = Pace(
        speed=flags["speed"],
        idle=recording.header.idle_limit if idle is None else idle,
    )

    async def showing() -> int:
        return await play_here(
            recording,
            pace=pace,
            start=start,
            pauses_at_markers=flags["pause_on_markers"],
        )

    return anyio.run(showing)


def _print_lines(source: _Source) -> None:
    # As above.
    from sandbook.cli._words import say
    from sandbook.recording import shown_lines

    say(*shown_lines(source.open()))


def _tell(source: _Source, *, as_json: bool) -> None:
    # As above.
    from sandbook.cli._words import say, say_json, table
    from sandbook.recording import survey

    found = survey(source.open())
    if as_json:
        say_json("recordings", [_row(source.name, found)])
    elif not found.markers:
        say("it has no markers")
    else:
        rows = [(f"{one.at:.2f}s", one.data) for one in found.markers]
        say(*table(("TIME", "MARKER"), rows))


def _row(name: str, found: Survey) -> JSON:
    header = found.header
    known = {_KINDS[kind]: found.counts.pop(kind, 0) for kind in _KINDS}
    return {
        "name": name,
        "version": header.version,
        "cols": header.cols,
        "rows": header.rows,
        "term": header.term,
        "title": header.title,
        "command": header.command,
        "timestamp": header.timestamp,
        "idle_limit": header.idle_limit,
        "seconds": round(found.seconds, 6),
        "characters": found.characters,
        "exit": found.exit,
        "events": {**known, "other": found.counts.total()},
        "markers": [
            {"at": round(one.at, 6), "text": one.data} for one in found.markers
        ],
    }


def _export(source: _Source, out: Path, form: str | None) -> None:
    recording = source.open()
    wanted = form or _ENDINGS.get(out.suffix, "asciicast-v2")
    pieces = _exported(recording, wanted)
    if str(out) == "-":
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        return
    # As above.
    from sandbook.cli._words import say

    _write_new(out, pieces)
    say(f"{out} is written as {wanted}")


def _exported(recording: Recording, form: str) -> Iterator[bytes]:
    # As above.
    from sandbook.recording import as_v2, as_v3, shown_lines

    if form == "raw":
        shown = (event.data for event in recording.events if event.kind == "o")
        return (text.encode("utf-8", "replace") for text in shown)
    if form == "txt":
        lines = iter(shown_lines(recording))
    else:
        lines = as_v2(recording) if form == "asciicast-v2" else as_v3(recording)
    return (f"{line}\n".encode("utf-8", "replace") for line in lines)


def _write_new(out: Path, pieces: Iterator[bytes]) -> None:
    """Never over a file that is there, and never half of one."""
    try:
        with out.open("xb") as new:
            try:
                new.writelines(pieces)
            except BaseException:
                out.unlink()
                raise
    except FileExistsError as error:
        raise UsageError(
            f"there is a {str(out)!r} already", remedy="give another name"
        ) from error
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(f"{str(out)!r} cannot be written: {why}") from error
