"""`python -m tests.sandbook_e2b.warm`: the real command line, many times, loaded once.

Each line of stdin is a call; it is answered by a line with what it gave. A call is a
process of its own, forked from this one, which has loaded the SDK and done nothing
with it: that load is most of what a short run costs.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import tempfile
from typing import Any

DEADLINE = 240


def _call(asked: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            _be(asked, out.fileno(), err.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        err.seek(0)
        return {"code": code, "out": out.read().decode(), "err": err.read().decode()}


def _be(asked: dict[str, Any], out: int, err: int) -> None:
    """Be the call; never returns."""
    signal.alarm(DEADLINE)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    for place, value in asked["constants"].items():
        module, _, name = place.rpartition(".")
        setattr(importlib.import_module(module), name, value)
    from sandbook.cli import main

    sys.exit(main(asked["argv"]))


def serve() -> None:
    """Answer calls until stdin ends."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_call(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    for name in (
        "e2b",
        "sandbook.cli.run",
        "sandbook.cli._running",
        "sandbook.loader",
        "sandbook.runner",
        "sandbook_e2b.sandbox",
    ):
        importlib.import_module(name)
    serve()
