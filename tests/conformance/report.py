"""`python -m tests.conformance.report`: run the kit, and write plugins/CONFORMANCE.md.

It takes minutes, on a computer where `local` declares all that it ever does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import sandbook_local
from sandbook.api import Settings
from sandbook.testing.conformance import page, read_reports
from tests.conformance.keeping import FOLDER

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "plugins" / "CONFORMANCE.md"
MODULES = ("tests/conformance/test_e2b.py", "tests/conformance/test_local.py")
VARIES = {
    "limits.memory": "control groups that it may use",
    "limits.cpus": "the same",
    "code.python": "ipykernel",
    "code.bash": "bash",
    "code.javascript": "Node.js",
    "code.rich": "ipykernel",
    "code.interrupt": "ipykernel",
}
"""What `local` declares only where the computer has it."""

ABOUT = """\
What each provider keeps of the contract, as the conformance kit found it: the local
provider on a Linux computer that has everything (bash, Node.js, control groups), E2B by
the vendor's SDK against the protocol server of `tests/servers/e2b`. Made by
`python -m tests.conformance.report`; do not edit.

A rule *does not apply* where it is about something that the provider has or is not.
*Not declared* is what it cannot do, and says so before a run. Both have their reason,
and its source, below the tables."""


def main() -> int:
    """1 = a check failed or left no reason, and nothing was written."""
    with TemporaryDirectory(prefix="sandbook-conformance-") as name:
        folder = Path(name)
        wrong = [*_missing()] or [*_run(folder)] or [*_unexplained(folder)]
        if not wrong:
            PAGE.write_text(page(read_reports(folder), about=ABOUT), encoding="utf-8")
            return 0
    told = "".join(f"{line}\n" for line in [*wrong, "nothing is written"])
    sys.stderr.write(told)
    return 1


def _unexplained(folder: Path) -> Iterator[str]:
    for one in read_reports(folder):
        for entry in one.entries:
            for limit in entry.limits:
                if not (limit.why and limit.source):
                    where = f"{one.provider} {entry.number}"
                    yield f"{where}: {limit.name!r} has no reason or no source"


def _missing() -> Iterator[str]:
    nowhere = Path(os.devnull)
    have = sandbook_local.INFO.capabilities(Settings(state=nowhere, cache=nowhere))
    for name in sorted(VARIES.keys() - have.native):
        yield f"local does not declare {name} here: it needs {VARIES[name]}"


def _run(folder: Path) -> Sequence[str]:
    command = ("-m", "pytest", "-q", "-m", "stress or not stress", *MODULES)
    done = subprocess.run(
        (sys.executable, *command),
        cwd=ROOT,
        env={**os.environ, FOLDER: str(folder)},
        check=False,
    )
    return ["a check failed"] if done.returncode else []


if __name__ == "__main__":
    sys.exit(main())
