"""Decides what of a terminal is kept for later, and how it is read again.

A recording is an asciicast of version 3
(https://docs.asciinema.org/manual/asciicast/v3/), so that other players show ours and
we show theirs; version 2 is read, too. What is typed is never recorded: of a secret
it would be all there is.
"""

from sandbook.recording._model import Event, Header, Recording
from sandbook.recording._read import read, read_lines
from sandbook.recording._recorder import Recorder
from sandbook.recording._survey import (
    BEGINNING,
    Start,
    Survey,
    find_start,
    shown_lines,
    survey,
)
from sandbook.recording._tame import Tame
from sandbook.recording._write import as_v2, as_v3

__all__ = [
    "BEGINNING",
    "Event",
    "Header",
    "Recorder",
    "Recording",
    "Start",
    "Survey",
    "Tame",
    "as_v2",
    "as_v3",
    "find_start",
    "read",
    "read_lines",
    "shown_lines",
    "survey",
]
