"""The verbs that come with Sandbook, registered through the hook anybody can use."""

from __future__ import annotations

from collections.abc import Sequence

from sandbook.api import Verb, hookimpl
from sandbook.verbs.check import Check
from sandbook.verbs.command import Command
from sandbook.verbs.copy import Copy
from sandbook.verbs.create import Create, Teardown
from sandbook.verbs.fetch import Fetch
from sandbook.verbs.parallel import Parallel
from sandbook.verbs.pty import PtyVerb
from sandbook.verbs.run_code import RunCode
from sandbook.verbs.use import Use
from sandbook.verbs.watch import Watch
from sandbook.verbs.write import Write


@hookimpl
def sandbook_verbs() -> Sequence[Verb]:
    """Offer the built-in verbs."""
    return (
        Create(),
        Write(),
        Copy(),
        Fetch(),
        Command(),
        RunCode(),
        PtyVerb(),
        Check(),
        Teardown(),
        Parallel(),
        Use(),
        Watch(),
    )
