"""The driver: what makes a remote sandbox keep the contract, from within.

A vendor's own calls start a shell and stream text. Our driver runs inside the sandbox
instead (`drivers.inside`, Python 3.8 and the standard library), keeps each command's
output and end by its key, ends whole trees, and gives the kernel's own errors of files.
A provider starts it, moves bytes to and from it (`Transport`), and says what it means
when the way breaks (`Host`). Public to plugins.
"""

from __future__ import annotations

from sandbook.drivers.channel import (
    Channel,
    ChannelClosed,
    DriverRefused,
    Transport,
)
from sandbook.drivers.code import LANGUAGES, DriverCode, open_code
from sandbook.drivers.files import DriverFiles
from sandbook.drivers.link import Host, Link
from sandbook.drivers.payload import command
from sandbook.drivers.ports import must_listen
from sandbook.drivers.process import DriverProcess, find, start
from sandbook.drivers.pty import DriverPty, find_pty, join_pty, open_pty
from sandbook.drivers.watching import DriverWatch, watching

__all__ = [
    "LANGUAGES",
    "Channel",
    "ChannelClosed",
    "DriverCode",
    "DriverFiles",
    "DriverProcess",
    "DriverPty",
    "DriverRefused",
    "DriverWatch",
    "Host",
    "Link",
    "Transport",
    "command",
    "find",
    "find_pty",
    "join_pty",
    "must_listen",
    "open_code",
    "open_pty",
    "start",
    "watching",
]
