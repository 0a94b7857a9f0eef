"""Where a supervisor begins: `python -I -S main.py`, its plan on stdin.

And where init begins that bubblewrap started: `python -I -S main.py guest`, and the
program that watches files inside: `python -I -S main.py watch`.

Executed afresh, so that nothing of the engine comes along. Stdin carries the plan and
stays open until the creator has the answer: if it goes away before, so do we.
"""

# pathlib would add a third to the supervisor's start
# ruff: noqa: PTH100, PTH120

from __future__ import annotations

import os
import sys


def _detach() -> None:
    if os.fork():
        os._exit(0)
    os.setsid()


def _know_package() -> None:
    """Make `sandbook_local.inside` importable without what is around it."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    package = type(sys)("sandbook_local")
    package.__path__ = [folder]
    sys.modules["sandbook_local"] = package


if __name__ == "__main__":
    if sys.argv[1:] == ["guest"]:
        _know_package()
        from sandbook_local.inside import guest

        guest.begin()
    if sys.argv[1:] == ["watch"]:
        _know_package()
        from sandbook_local.inside import watcher

        watcher.watch()
        os._exit(0)
    if sys.argv[1:2] == ["code"]:
        _know_package()
        from sandbook_local.inside.code import driver

        driver.begin(sys.argv[2])
    _detach()
    _know_package()
    from sandbook_local.inside import birth

    birth.supervise()
