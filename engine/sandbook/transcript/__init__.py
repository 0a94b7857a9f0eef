"""Decides how a session at a terminal becomes a runbook that does the same.

Pure: it is told what happened, one thing after the other, and nothing here runs,
waits or stores. What was typed hidden is a secret; its value is in no line.
"""

from sandbook.transcript._draft import Draft, Line, Setting
from sandbook.transcript._log import Ended, LogEvent, Resized, Shown, Typed
from sandbook.transcript._transcript import Transcript, transcribe
from sandbook.transcript._write import write

__all__ = [
    "Draft",
    "Ended",
    "Line",
    "LogEvent",
    "Resized",
    "Setting",
    "Shown",
    "Transcript",
    "Typed",
    "transcribe",
    "write",
]
