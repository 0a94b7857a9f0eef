"""The driver as text: how it gets into a sandbox without leaving a file there."""

from __future__ import annotations

import base64
import json
import zlib
from functools import cache
from importlib import resources

_NAMES = (
    "wire",
    "spool",
    "tree",
    "client",
    "terminal",
    "starting",
    "keeper",
    "commands",
    "entries",
    "cell",
    "child",
    "languages",
    "viewer",
    "context",
    "code",
    "ports",
    "inotify",
    "known",
    "watched",
    "looking",
    "sources",
    "watcher",
    "agent",
)
"""In the order in which they import each other."""
_PACKAGE = "sandbook.drivers.inside"

# Reads stdin byte by byte up to the line's end, since what follows is for the agent.
# The modules are put in place by hand: nothing is written, nothing else is imported.
_LOADER = (
    "import base64,json,sys,types,zlib\n"
    "def line():\n"
    " return sys.stdin.buffer.raw.readline()\n"
    "if sys.version_info<(3,8):sys.exit('Python 3.8 or newer is needed')\n"
    "for p in ('sandbook','sandbook.drivers','sandbook.drivers.inside'):\n"
    " m=sys.modules[p]=types.ModuleType(p);m.__path__=[]\n"
    "for n,s in json.loads(zlib.decompress(base64.b64decode(line()))):\n"
    " f='sandbook.drivers.inside.'+n;m=types.ModuleType(f);sys.modules[f]=m\n"
    " setattr(sys.modules['sandbook.drivers.inside'],n,m)\n"
    " exec(compile(s,f,'exec'),m.__dict__)\n"
    "m.main()\n"
)


def command() -> str:
    """The shell text that starts the driver; needs python3, and stdin.

    Raw stdin: what is behind the first lines must not vanish into a buffer.
    """
    return f"exec python3 -I -S -u -c {_quoted(_LOADER)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@cache
def source() -> bytes:
    """The first line of its stdin: the driver itself."""
    files = resources.files(_PACKAGE)
    modules = [
        [name, files.joinpath(f"{name}.py").read_text("utf-8")] for name in _NAMES
    ]
    return base64.b64encode(zlib.compress(json.dumps(modules).encode())) + b"\n"


def hello(*, workdir: str | None, box: str) -> bytes:
    """The second line: the working folder, for the first who comes, and the sandbox."""
    return json.dumps({"workdir": workdir, "box": box}).encode() + b"\n"
