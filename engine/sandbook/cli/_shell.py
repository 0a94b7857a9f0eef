"""Be the terminal of a sandbox that lives, or run a script in it."""

from __future__ import annotations

from collections.abc import Mapping

from sandbook.api import Sandbox
from sandbook.cli._joining import TERMINAL, open_live
from sandbook.cli._opening import here
from sandbook.cli._words import warn
from sandbook.state import new_run_id


async def open_shell(
    where: str | None,
    metadata: Mapping[str, str],
    has_terminal: bool,  # noqa: FBT001 (anyio.run)
) -> int:
    """The exit code of the shell.

    Raises:
        UsageError: There is no such sandbox.
        Unsupported: Its provider has no terminals.
    """
    need = TERMINAL if has_terminal else None
    async with (
        here() as installation,
        open_live(installation, where, metadata=metadata, need=need) as sandbox,
    ):
        return await _run_in(sandbox, has_terminal=has_terminal)


async def _run_in(sandbox: Sandbox, *, has_terminal: bool) -> int:
    key = f"shell/{new_run_id()}"
    if not has_terminal:
        # Each way loads only what it uses.
        from sandbook.cli._script import run_script

        return await run_script(sandbox, key)
    # As above.
    from sandbook.cli._terminal import be_terminal

    ref = sandbox.ref
    warn(f"in sandbox {ref.id} ({ref.provider}); leave with `exit`")
    return await be_terminal(sandbox, key)
