"""W: plain processes that pretend to be a sandbox with walls."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from sandbook.api import ExecRequest, Shell
from tests.conformance.mutants.commands import Asks
from tests.conformance.mutants.wrap import MUTANTS, Mutant, breaks

PRETEND = {"pretend": "process"}

MUTANTS.extend(
    Mutant(
        number=number,
        name="OnlyPretends",
        provider="tests.providers.bare:INFO",
        values=PRETEND,
    )
    for number in ("W01", "W02", "W03", "W05", "W06", "W07")
)


@breaks("W04", values=PRETEND)
class HandsOpenFilesOn(Asks):
    def asked(self, request: ExecRequest) -> ExecRequest:
        if not isinstance(request.program, Shell):
            return request
        opened = "".join(f"exec 9<'{path}'\n" for path in _inherited())
        shell = dataclasses.replace(request.program, text=opened + request.program.text)
        return dataclasses.replace(request, program=shell)


def _inherited() -> list[str]:
    """The files a careless fork would hand on."""
    found: list[str] = []
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, not paths
        path = Path(f"/proc/self/fd/{number}")
        if path.exists() and path.is_file() and os.get_inheritable(int(number)):
            found.append(str(path.readlink()))
    return found
