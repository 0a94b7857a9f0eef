"""Which shell reads a text: bash, or sh where the sandbox has no bash.

The provider decides, and does not tell. sh sees no failure inside a pipe, so a text
with one does not run there unless it says `shell: sh`.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from sandbook.api import ExecRequest, Failure, Program, Sandbox, Shell, StepScope
from sandbook.errors import FileError, Unsupported

_USUAL_PLACE = "/bin/bash"
_known: WeakKeyDictionary[Sandbox, bool] = WeakKeyDictionary()


async def refused(
    step: StepScope, sandbox: Sandbox, program: Program
) -> Failure | None:
    """Why the text cannot run here; a person is told once that sh stands in."""
    if not isinstance(program, Shell) or program.dialect == "sh":
        return None
    if sandbox not in _known:
        _known[sandbox] = await _has_bash(sandbox)
        if not _known[sandbox]:
            step.note("the sandbox has no bash: sh runs its shell texts")
    if _known[sandbox] or not _pipes(program.text):
        return None
    return Failure(
        cause="the sandbox has no bash, and sh does not see a failure inside a pipe: "
        "write `shell: sh` where that is meant, or take a template with bash"
    )


async def _has_bash(sandbox: Sandbox) -> bool:
    try:
        await sandbox.files.stat(_USUAL_PLACE)
    except (FileError, Unsupported):
        text = "command -v bash >/dev/null"
        program = Shell(text=text, dialect="sh")
        process = await sandbox.start(
            ExecRequest(program=program, key="sandbook/has-bash")
        )
        return (await process.wait()).code == 0
    return True


def _pipes(text: str) -> bool:
    # Loaded where there is no bash only.
    from sandbook.shell_text import has_pipe

    return has_pipe(text)
