"""Where the results of the kit are kept for the page, and why something is left out."""

from __future__ import annotations

import os
from pathlib import Path

from sandbook.testing.conformance import Why

FOLDER = "SANDBOOK_CONFORMANCE_RESULTS"
"""A variable; without it nothing is kept."""

_DESCRIPTION = "plugins/sandbook_{0}/__init__.py"
_LOCAL, _E2B = _DESCRIPTION.format("local"), _DESCRIPTION.format("e2b")

LOCAL = {
    "exec.user": Why(
        "a sandbox has one user, made for it alone: no other uid is mapped into it",
        "plugins/README.md, `local`",
    ),
    "it needs no credentials": Why(
        "this computer asks for none", f"{_LOCAL}, `credentials`"
    ),
    "it has no credentials to be wrong": Why("as above", f"{_LOCAL}, `credentials`"),
    "it has no SDK": Why("there is no vendor", "plugins/README.md, `local`"),
}
E2B = {
    "exec.user": Why(
        "a remote sandbox has one user: the driver runs as the template's, without the "
        "right to become another",
        "engine/README.md, what the contract left open",
    ),
    "there is none stronger": Why(
        "a kernel of its own is the strongest level there is", f"{_E2B}, `isolation`"
    ),
    "it has a kernel or a root of its own": Why(
        "no file of this computer could be seen there", f"{_E2B}, `isolation`"
    ),
}


def results() -> Path | None:
    """The folder for results, when somebody wants them."""
    told = os.environ.get(FOLDER)
    return Path(told) if told else None
