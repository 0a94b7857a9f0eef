"""Decides what of a terminal is kept for later: a recording, in asciicast v3.

The format is https://docs.asciinema.org/manual/asciicast/v3/, so that other players
show our recordings and ours shows theirs. What is typed is never recorded: of a
secret it would be all there is.
"""

from sandbook.recording._recorder import Recorder

__all__ = ["Recorder"]
